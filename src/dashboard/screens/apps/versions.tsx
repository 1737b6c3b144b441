import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { Button } from '../../parts/button.tsx'
import { useSending } from '../../parts/form.tsx'
import { Loaded, useLoaded } from '../../parts/loaded.tsx'
import { Problem, tell } from '../../parts/notice.tsx'
import { Card } from '../../parts/page.tsx'
import { Table } from '../../parts/table.tsx'
import { Time } from '../../parts/time.tsx'
import type { TemplateVersion } from '../../wire.ts'
import { frameWords } from '../../words/frame.ts'
import { messageWords } from './message-words.ts'

/** The kept versions of a language, once they are asked for. */
export function Versions({
  path,
  inForce,
  onLoad,
}: {
  path: string
  /** Null while the built-in words are. */
  inForce: number | null
  onLoad(version: number): Promise<void>
}) {
  const words = messageWords()
  const isOpen = useSignal(false)
  const versions = useLoaded<{ items: TemplateVersion[] }>(isOpen.value ? `${path}/versions` : null)
  const sending = useSending()
  useEffect(versions.reload, [inForce])
  if (!isOpen.value) {
    const open = () => {
      isOpen.value = true
    }
    return (
      <div>
        <Button onClick={open}>{words.versions}</Button>
      </div>
    )
  }
  // A language that was never edited answers that there is no such template.
  if (versions.refusal?.code === 'template_not_found') {
    return <p class="faint">{words.noVersions}</p>
  }
  const load = (version: number) =>
    sending.send(async () => {
      await onLoad(version)
      tell(words.loaded(version))
    })
  return (
    <Card title={words.versions}>
      {sending.refusal && <Problem refusal={sending.refusal} />}
      <Loaded from={versions}>
        {({ items }) => (
          <Table
            caption={words.versions}
            rows={items}
            keyOf={({ version }) => String(version)}
            columns={[
              { label: words.version, isName: true, cell: ({ version }) => version },
              { label: words.made, cell: ({ created_at }) => <Time at={created_at} /> },
              {
                label: frameWords().actions,
                cell: ({ version, edited }) =>
                  edited ? (
                    <div class="buttons">
                      <Button onClick={() => load(version)}>{words.load}</Button>
                    </div>
                  ) : (
                    words.builtIn
                  ),
              },
            ]}
          />
        )}
      </Loaded>
    </Card>
  )
}
