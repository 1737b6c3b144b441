import { useEffect } from 'preact/hooks'
import { withQuery } from '../../api.ts'
import { CopyButton } from '../../parts/copy.tsx'
import { HtmlFrame } from '../../parts/html-frame.tsx'
import { Icon } from '../../parts/icon.tsx'
import { Loaded, useLoaded } from '../../parts/loaded.tsx'
import { Card, Empty, Facts } from '../../parts/page.tsx'
import { Table } from '../../parts/table.tsx'
import { Tabs } from '../../parts/tabs.tsx'
import { Time } from '../../parts/time.tsx'
import { href } from '../../router.ts'
import type { TestMessage } from '../../wire.ts'
import { State } from './state.tsx'
import { inboxWords } from './words.ts'

const views = ['html', 'text', 'source', 'headers'] as const
type View = (typeof views)[number]

/** One message with its code, and as a person and as a mail server would see it. */
export function Message({
  id,
  path,
  view,
  listed,
  hasScreens,
}: {
  id: string
  /** Where the server answers with the messages. */
  path: string
  view: string | null
  /** Its state in the list, which is read again and again; undefined where it is not in the list. */
  listed: TestMessage['state'] | undefined
  hasScreens: boolean
}) {
  const words = inboxWords()
  const loaded = useLoaded<TestMessage>(`${path}/${id}`)
  const shown = loaded.value?.state
  useEffect(() => {
    if (shown !== undefined && listed !== undefined && shown !== listed) loaded.reload()
  }, [shown, listed])
  const current = views.find((each) => each === view) ?? 'html'
  return (
    <>
      <a class="back" href={href('/inbox')}>
        <Icon name="back" />
        {words.back}
      </a>
      <Loaded from={loaded}>
        {(message) => (
          <Card>
            <div class="stack">
              <Head of={message} hasScreens={hasScreens} />
              <Tabs
                label={words.views.label}
                current={current}
                tabs={views.map((each) => ({
                  id: each,
                  text: words.views[each],
                  to: withQuery('/inbox', { message: id, view: each }),
                }))}
              />
              <Shown message={message} view={current} />
            </div>
          </Card>
        )}
      </Loaded>
    </>
  )
}

function Head({ of: message, hasScreens }: { of: TestMessage; hasScreens: boolean }) {
  const words = inboxWords()
  const { app, app_name, code, subject, language, state, verification } = message
  const linked = (path: string, text: string) =>
    hasScreens ? <a href={href(path)}>{text}</a> : text
  return (
    <>
      <h2 class="subject" lang={language}>
        {subject}
      </h2>
      <div class="row">
        <span class="code">{code}</span>
        <CopyButton text={code} label={words.copyCode} />
        <State of={state} />
      </div>
      <Facts
        of={[
          [words.to, message.to],
          [words.app, linked(`/apps/${app}`, app_name ?? app)],
          [words.received, <Time at={message.sent_at} key="received" />],
          [words.expires, <Time at={message.expires_at} key="expires" />],
          [words.reference, message.reference],
          [words.language, language],
          [
            words.verification,
            linked(
              `/verifications/${app}/test/${verification}`,
              hasScreens ? words.show : verification,
            ),
          ],
        ]}
      />
    </>
  )
}

function Shown({ message, view }: { message: TestMessage; view: View }) {
  const words = inboxWords()
  const { subject, html, text, source, headers, language } = message
  if (view === 'html') return <HtmlFrame title={words.htmlOf(subject)} html={html} />
  if (view === 'text') return <pre lang={language}>{text}</pre>
  if (source === null) return <Empty title={words.noSource} />
  // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard.
  if (view === 'source') return <pre tabIndex={0}>{source}</pre>
  return (
    <Table
      caption={words.views.headers}
      rows={headers.map((header, at) => ({ ...header, at }))}
      keyOf={({ at }) => String(at)}
      columns={[
        { label: words.headerName, isName: true, cell: ({ name }) => name },
        { label: words.headerValue, cell: ({ value }) => <code>{value}</code> },
      ]}
    />
  )
}
