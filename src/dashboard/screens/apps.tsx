import { ButtonLink } from '../parts/button.tsx'
import { Loaded, Pager, usePages } from '../parts/loaded.tsx'
import { Badge, Card, Empty, Page } from '../parts/page.tsx'
import { Table } from '../parts/table.tsx'
import { Time } from '../parts/time.tsx'
import { href } from '../router.ts'
import { canChange } from '../session.ts'
import type { App } from '../wire.ts'
import { channelWords } from '../words/channels.ts'
import { appsWords } from './apps/words.ts'

export function Apps() {
  const words = appsWords()
  const pages = usePages<App>('/v1/apps')
  const create = canChange.value && (
    <ButtonLink to="/apps/new" look="primary" icon="plus">
      {words.newApp}
    </ButtonLink>
  )
  return (
    <Page title={words.title} lead={words.lead} actions={create}>
      <Loaded from={pages}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title={words.none} action={create}>
              {words.noneYet}
            </Empty>
          ) : (
            <Card>
              <AppTable apps={items} />
            </Card>
          )
        }
      </Loaded>
      <Pager of={pages} />
    </Page>
  )
}

function AppTable({ apps }: { apps: App[] }) {
  const words = appsWords()
  return (
    <Table
      caption={words.title}
      rows={apps}
      keyOf={({ id }) => id}
      columns={[
        {
          label: words.name,
          isName: true,
          cell: ({ id, name }) => <a href={href(`/apps/${id}`)}>{name ?? words.unnamed}</a>,
        },
        { label: words.channels, cell: channelsOf },
        { label: words.state, cell: (app) => <AppState app={app} /> },
        { label: words.made, cell: ({ created_at }) => <Time at={created_at} /> },
      ]}
    />
  )
}

function channelsOf({ endpoints }: App): string {
  const names = channelWords()
  const channels = [...new Set(endpoints.map(({ channel }) => names[channel]))]
  return channels.length === 0 ? appsWords().noChannel : channels.join(', ')
}

export function AppState({ app }: { app: App }) {
  const words = appsWords()
  return (
    <span class="row">
      {app.policy['paused'] === true ? (
        <Badge tone="warn">{words.paused}</Badge>
      ) : (
        <Badge tone="good">{words.active}</Badge>
      )}
      {app.spray_alarm_since && <Badge tone="bad">{words.sprayed}</Badge>}
      {app.registered_by === 'open' && <Badge>{words.open}</Badge>}
    </span>
  )
}
