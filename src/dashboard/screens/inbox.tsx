import { useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { remove, withQuery } from '../api.ts'
import { clockTime } from '../format.ts'
import { Button } from '../parts/button.tsx'
import { Confirm } from '../parts/dialog.tsx'
import { Field } from '../parts/field.tsx'
import { Loaded, type PageOf, Pager, usePages } from '../parts/loaded.tsx'
import { tell } from '../parts/notice.tsx'
import { Empty, Page } from '../parts/page.tsx'
import { go, href } from '../router.ts'
import type { ScreenProps } from '../screens.ts'
import { canChange } from '../session.ts'
import { after, every } from '../system.ts'
import type { TestMessageItem } from '../wire.ts'
import { Message } from './inbox/message.tsx'
import { State } from './inbox/state.tsx'
import { inboxWords } from './inbox/words.ts'

/** How often the list is read again, and how long a search waits for the next key, in ms. */
const refreshMs = 1_000
const typingMs = 250

/** The test inbox as a screen of the dashboard. */
export function Inbox({ query }: ScreenProps) {
  return <TestInbox query={query} path="/v1/inbox" canClear={canChange.value} hasScreens />
}

/**
 * What test keys have sent, by itself: the list on the left, the chosen message on the right. It is a
 * screen of the dashboard and the page of developer mode.
 */
export function TestInbox({
  query,
  path,
  canClear,
  hasScreens,
}: {
  query: URLSearchParams
  /** Where the server answers with the messages. */
  path: string
  canClear: boolean
  /** There are other screens to lead to: of the app and of the verification. */
  hasScreens: boolean
}) {
  const words = inboxWords()
  const search = useSignal('')
  const asked = useSignal('')
  useEffect(
    () =>
      after(typingMs, () => {
        asked.value = search.value.trim()
      }),
    [search.value],
  )
  const pages = usePages<TestMessageItem>(path, { search: asked.value })
  useEffect(() => every(refreshMs, pages.refresh), [pages.number, asked.value])
  useNews(pages.number === 1 && asked.value === '' ? pages.value : null)
  const chosen = query.get('message')
  return (
    <Page title={words.title} lead={words.lead}>
      <div class="inbox-bar">
        <Field
          type="search"
          label={words.search}
          value={search.value}
          maxLength={254}
          onInput={(text) => {
            search.value = text
          }}
        />
        {canClear && <Clear path={path} reload={pages.reload} />}
      </div>
      <Loaded from={pages}>
        {({ items }) =>
          items.length === 0 && !chosen ? (
            <NoMessage isSearch={asked.value !== ''} />
          ) : (
            <div class={`inbox ${chosen ? 'open' : ''}`}>
              <List items={items} chosen={chosen} view={query.get('view')} />
              <div class="message">
                {chosen ? (
                  <Message
                    key={chosen}
                    id={chosen}
                    path={path}
                    view={query.get('view')}
                    listed={items.find(({ id }) => id === chosen)?.state}
                    hasScreens={hasScreens}
                  />
                ) : (
                  <Empty title={words.pick} />
                )}
              </div>
            </div>
          )
        }
      </Loaded>
      <Pager of={pages} />
    </Page>
  )
}

function NoMessage({ isSearch }: { isSearch: boolean }) {
  const words = inboxWords()
  if (isSearch) return <Empty title={words.noneFound}>{words.noneFoundHint}</Empty>
  return <Empty title={words.none}>{words.noneYet}</Empty>
}

/** Tells of messages that have arrived while the list was open. */
function useNews(page: PageOf<TestMessageItem> | null): void {
  const newest = useRef<string | null>(null)
  useEffect(() => {
    if (!page) return
    const [first] = page.items
    const known = page.items.findIndex(({ id }) => id === newest.current)
    if (newest.current !== null && known > 0) tell(inboxWords().newer(known))
    newest.current = first?.id ?? null
  }, [page])
}

function List({
  items,
  chosen,
  view,
}: {
  items: TestMessageItem[]
  chosen: string | null
  view: string | null
}) {
  const words = inboxWords()
  return (
    <ul class="list" aria-label={words.list}>
      {items.map(({ id, to, subject, language, state, sent_at, app_name }) => (
        <li key={id}>
          <a
            href={href(withQuery('/inbox', { message: id, view }))}
            aria-current={id === chosen ? 'true' : undefined}
          >
            <span class="top">
              <span>{to}</span>
              <time class="faint" dateTime={sent_at}>
                {clockTime(sent_at)}
              </time>
            </span>
            <span class="subject" lang={language}>
              {subject}
            </span>
            <span class="top">
              <span class="faint">{app_name}</span>
              <State of={state} />
            </span>
          </a>
        </li>
      ))}
    </ul>
  )
}

function Clear({ path, reload }: { path: string; reload(): void }) {
  const words = inboxWords()
  const isAsked = useSignal(false)
  return (
    <>
      <Button
        onClick={() => {
          isAsked.value = true
        }}
      >
        {words.clear}
      </Button>
      {isAsked.value && (
        <Confirm
          title={words.clearTitle}
          action={words.clear}
          onConfirm={async () => {
            await remove(path)
            tell(words.cleared)
            go('/inbox')
            reload()
          }}
          onClose={() => {
            isAsked.value = false
          }}
        >
          <p>{words.clearAbout}</p>
        </Confirm>
      )}
    </>
  )
}
