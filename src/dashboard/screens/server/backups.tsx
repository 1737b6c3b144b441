import { post } from '../../api.ts'
import { bytes } from '../../format.ts'
import { Button } from '../../parts/button.tsx'
import { useSending } from '../../parts/form.tsx'
import { Loaded, useLoaded } from '../../parts/loaded.tsx'
import { Notice, Problem, tell } from '../../parts/notice.tsx'
import { Card, Empty } from '../../parts/page.tsx'
import { Table } from '../../parts/table.tsx'
import { Time } from '../../parts/time.tsx'
import { canChange } from '../../session.ts'
import type { Backup } from '../../wire.ts'
import { serverWords } from './words.ts'

/** The copies of the database in the data directory, and making one. */
export function Backups() {
  const words = serverWords()
  const loaded = useLoaded<{ items: Backup[] }>('/v1/server/backups')
  const sending = useSending()
  if (loaded.refusal?.code === 'backup_elsewhere') {
    return <Notice tone="info">{words.elsewhere}</Notice>
  }
  const make = () =>
    sending.send(async () => {
      await post('/v1/server/backups')
      tell(words.backedUp)
      loaded.reload()
    })
  const button = canChange.value && (
    <Button look="primary" busy={sending.busy} onClick={() => void make()}>
      {words.backUp}
    </Button>
  )
  return (
    <Card title={words.backups} actions={button}>
      <p class="hint about">{words.backupsAbout}</p>
      {sending.refusal && <Problem refusal={sending.refusal} />}
      <Loaded from={loaded}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title={words.noBackups}>{words.noBackupsYet}</Empty>
          ) : (
            <Table
              caption={words.backups}
              rows={items}
              keyOf={({ name }) => name}
              columns={[
                { label: words.file, isName: true, cell: ({ name }) => <code>{name}</code> },
                { label: words.size, isNumber: true, cell: ({ bytes: size }) => bytes(size) },
                { label: words.when, cell: ({ made_at }) => <Time at={made_at} /> },
              ]}
            />
          )
        }
      </Loaded>
    </Card>
  )
}
