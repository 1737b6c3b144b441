import { useSignal } from '@preact/signals'
import { withQuery } from '../api.ts'
import { AppSelect, firstApps } from '../parts/app-select.tsx'
import { Button, ButtonLink } from '../parts/button.tsx'
import { Field, Select } from '../parts/field.tsx'
import { Mistakes } from '../parts/form.tsx'
import { Loaded, Loading, type PageOf, Pager, useLoaded, usePages } from '../parts/loaded.tsx'
import { Problem } from '../parts/notice.tsx'
import { Card, Empty, Page } from '../parts/page.tsx'
import { Table } from '../parts/table.tsx'
import { Time } from '../parts/time.tsx'
import { go, href } from '../router.ts'
import type { ScreenProps } from '../screens.ts'
import { canChange } from '../session.ts'
import type { App, Verification } from '../wire.ts'
import { useFound } from './verifications/found.ts'
import { Status } from './verifications/status.tsx'
import { verificationWords } from './verifications/words.ts'

const statuses = ['pending', 'approved', 'canceled', 'expired', 'exhausted'] as const

/** The filter, which is in the address, so that going back and a link keep it. */
type Filter = { app: string; mode: 'live' | 'test'; status: Verification['status'] | '' }

export function Verifications({ query }: ScreenProps) {
  const words = verificationWords()
  const apps = useLoaded<PageOf<App>>(firstApps)
  return (
    <Page title={words.title} lead={words.lead}>
      <Loaded from={apps}>
        {(page) => {
          const [first] = page.items
          if (!first) return <NoApps />
          return <OfApps apps={page} filter={filterOf(query, first.id)} />
        }}
      </Loaded>
    </Page>
  )
}

function filterOf(query: URLSearchParams, first: string): Filter {
  return {
    app: query.get('app') ?? first,
    mode: query.get('mode') === 'test' ? 'test' : 'live',
    status: statuses.find((status) => status === query.get('status')) ?? '',
  }
}

function NoApps() {
  const words = verificationWords()
  const action = canChange.value && (
    <ButtonLink to="/apps/new" look="primary" icon="plus">
      {words.newApp}
    </ButtonLink>
  )
  return (
    <Empty title={words.noApps} action={action}>
      {words.noAppsYet}
    </Empty>
  )
}

function OfApps({ apps, filter }: { apps: PageOf<App>; filter: Filter }) {
  const words = verificationWords()
  const found = useFound()
  const typed = useSignal('')
  const show = (change: Partial<Filter>) => {
    found.end()
    go(withQuery('/verifications', { ...filter, ...change }))
  }
  const search = () => {
    const text = typed.value.trim()
    if (/^[0-9A-Za-z]{30}$/.test(text)) go(`/verifications/${filter.app}/${filter.mode}/${text}`)
    else if (text !== '') void found.begin({ ...filter, to: text })
  }
  return (
    <div class="stack">
      <search>
        <form
          class="filters"
          onSubmit={(event) => {
            event.preventDefault()
            search()
          }}
        >
          <AppSelect apps={apps} chosen={filter.app} onChoose={(app) => show({ app })} />
          <Select
            label={words.mode}
            value={filter.mode}
            options={[
              ['live', words.live],
              ['test', words.test],
            ]}
            onChange={(mode) => show({ mode })}
          />
          <Select
            label={words.status}
            value={filter.status}
            options={[
              ['', words.any],
              ...statuses.map((status) => [status, words.statuses[status]] as const),
            ]}
            onChange={(status) => show({ status })}
          />
          <Field
            type="search"
            label={words.search}
            hint={words.searchHint}
            value={typed.value}
            onInput={(text) => {
              typed.value = text
            }}
            maxLength={254}
          />
          <Button submit icon="search">
            {words.find}
          </Button>
        </form>
      </search>
      {found.value ? <Found of={found} /> : <All filter={filter} />}
    </div>
  )
}

function All({ filter: { app, mode, status } }: { filter: Filter }) {
  const words = verificationWords()
  const pages = usePages<Verification>(`/v1/apps/${app}/verifications`, { mode, status })
  return (
    <>
      <Loaded from={pages}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title={words.none}>{status === '' && words.noneYet}</Empty>
          ) : (
            <Card>
              <List app={app} items={items} caption={words.title} />
            </Card>
          )
        }
      </Loaded>
      <Pager of={pages} />
    </>
  )
}

function Found({ of: { value, pages, end } }: { of: ReturnType<typeof useFound> }) {
  const words = verificationWords()
  if (!value) return null
  const { page, refusal, to, app } = value
  return (
    <>
      <Card title={words.found(to)} actions={<Button onClick={end}>{words.showAll}</Button>}>
        {refusal && (
          <Problem refusal={refusal}>
            <Mistakes of={refusal} />
          </Problem>
        )}
        {!refusal && !page && <Loading />}
        {page && page.items.length === 0 && (
          <Empty title={words.noneFound}>{words.noneFoundHint}</Empty>
        )}
        {page && page.items.length > 0 && (
          <List app={app} items={page.items} caption={words.found(to)} />
        )}
      </Card>
      <Pager of={pages} />
    </>
  )
}

function List({ app, items, caption }: { app: string; items: Verification[]; caption: string }) {
  const words = verificationWords()
  return (
    <Table
      caption={caption}
      rows={items}
      keyOf={({ id }) => id}
      columns={[
        {
          label: words.recipient,
          isName: true,
          cell: ({ id, mode, to }) => (
            <a class="recipient" href={href(`/verifications/${app}/${mode}/${id}`)}>
              {to}
            </a>
          ),
        },
        { label: words.status, cell: ({ status }) => <Status of={status} /> },
        {
          label: words.message,
          cell: ({ channel, delivery }) => `${words.deliveries[delivery.status]} (${channel})`,
        },
        { label: words.purpose, cell: ({ purpose }) => <span class="purpose">{purpose}</span> },
        { label: words.started, cell: ({ created_at }) => <Time at={created_at} /> },
      ]}
    />
  )
}
