import { useSignal } from '@preact/signals'
import { Button } from '../../parts/button.tsx'
import { Loaded, useLoaded } from '../../parts/loaded.tsx'
import { Card } from '../../parts/page.tsx'
import { Table } from '../../parts/table.tsx'
import { Time } from '../../parts/time.tsx'
import type { TemplateVersion } from '../../wire.ts'
import { frameWords } from '../../words/frame.ts'
import { messageWords } from './message-words.ts'

/** The kept versions of a language, once they are asked for. */
export function Versions({
  path,
  onLoad,
}: {
  path: string
  onLoad(version: number): Promise<void>
}) {
  const words = messageWords()
  const isOpen = useSignal(false)
  const versions = useLoaded<{ items: TemplateVersion[] }>(isOpen.value ? `${path}/versions` : null)
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
  return (
    <Card title={words.versions}>
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
                      <Button onClick={() => void onLoad(version)}>{words.load}</Button>
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
