import { Button } from '../../parts/button.tsx'
import { Badge } from '../../parts/page.tsx'
import { type Column, Table } from '../../parts/table.tsx'
import { Time } from '../../parts/time.tsx'
import { session } from '../../session.ts'
import { frameWords } from '../../words/frame.ts'
import type { SessionRow } from './wire.ts'
import { peopleWords } from './words.ts'

/** Browsers that are signed in; without `onEnd` they are only shown. */
export function Sessions({
  rows,
  onEnd,
}: {
  rows: SessionRow[]
  onEnd?: ((row: SessionRow) => void) | undefined
}) {
  const words = peopleWords().me
  const own = session.value?.id
  const columns: Column<SessionRow>[] = [
    {
      label: words.browser,
      isName: true,
      cell: ({ id, browser }) => (
        <>
          {browser} {id === own && <Badge>{words.here}</Badge>}
        </>
      ),
    },
    { label: words.address, cell: ({ client }) => <code>{client}</code> },
    { label: words.since, cell: ({ created_at }) => <Time at={created_at} /> },
    { label: words.seen, cell: ({ seen_at }) => <Time at={seen_at} ago /> },
  ]
  if (onEnd) {
    columns.push({
      label: frameWords().actions,
      cell: (row) =>
        row.id === own ? null : <Button onClick={() => onEnd(row)}>{words.end}</Button>,
    })
  }
  return <Table caption={words.sessions} columns={columns} rows={rows} keyOf={({ id }) => id} />
}
