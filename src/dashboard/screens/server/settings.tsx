import { Loaded, useLoaded } from '../../parts/loaded.tsx'
import { Badge, Card } from '../../parts/page.tsx'
import { Table } from '../../parts/table.tsx'
import type { Server } from '../../wire.ts'
import { serverWords } from './words.ts'

/** Every setting in force, and where it came from. */
export function Settings() {
  const words = serverWords()
  const loaded = useLoaded<Server>('/v1/server')
  return (
    <>
      <p class="lead">{words.settingsLead}</p>
      <Loaded from={loaded}>
        {({ settings }) => {
          const sections = [...new Set(settings.map(({ section }) => section))]
          return (
            <div class="stack settings">
              {sections.map((section) => (
                <Section
                  key={section}
                  name={section}
                  settings={settings.filter((each) => each.section === section)}
                />
              ))}
            </div>
          )
        }}
      </Loaded>
    </>
  )
}

function Section({ name, settings }: { name: string; settings: Server['settings'] }) {
  const words = serverWords()
  return (
    <Card title={name}>
      <Table
        caption={name}
        rows={settings}
        keyOf={(setting) => setting.name}
        columns={[
          {
            label: words.setting,
            isName: true,
            cell: ({ name, says }) => (
              <>
                <code>{name}</code>
                <span class="says" lang="en">
                  {says}
                </span>
              </>
            ),
          },
          { label: words.value, cell: ({ value }) => <code>{value}</code> },
          {
            label: words.source,
            cell: ({ source }) =>
              source === 'default' ? (
                words.sources.default
              ) : (
                <Badge tone="good">{words.sources[source]}</Badge>
              ),
          },
        ]}
      />
    </Card>
  )
}
