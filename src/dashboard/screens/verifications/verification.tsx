import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { post } from '../../api.ts'
import { clockTime, date, duration, exactTime, relative } from '../../format.ts'
import { Button } from '../../parts/button.tsx'
import { Confirm } from '../../parts/dialog.tsx'
import { Select } from '../../parts/field.tsx'
import { FindingText } from '../../parts/finding.tsx'
import { Form, useSending } from '../../parts/form.tsx'
import { Loaded, useLoaded } from '../../parts/loaded.tsx'
import { tell } from '../../parts/notice.tsx'
import { Card, Facts, Page } from '../../parts/page.tsx'
import { Time } from '../../parts/time.tsx'
import type { ScreenProps } from '../../screens.ts'
import { canChange } from '../../session.ts'
import { every, now } from '../../system.ts'
import type { Story } from '../../wire.ts'
import { Status } from './status.tsx'
import { verificationWords } from './words.ts'

/** How often a verification that goes on is read again, in ms. */
const refreshMs = 4_000

/** One verification: what it is, what can be done, and all that happened to it. */
export function Verification({ params: { app = '', mode = 'live', id = '' } }: ScreenProps) {
  const words = verificationWords()
  const path = `/v1/apps/${app}/verifications/${id}`
  const query = `?mode=${encodeURIComponent(mode)}`
  const loaded = useLoaded<Story>(path + query)
  const { value } = loaded
  const isPending = value?.status === 'pending'
  useEffect(() => (isPending ? every(refreshMs, loaded.refresh) : undefined), [isPending, path])
  return (
    <Page
      title={value?.to ?? '…'}
      back={{ to: `/verifications?app=${app}&mode=${mode}`, text: words.title }}
      actions={value && <Status of={value.status} />}
    >
      <Loaded from={loaded}>
        {(story) => (
          <div class="stack">
            <Card>
              <Facts of={factsOf(story)} />
            </Card>
            {canChange.value && story.status === 'pending' && (
              <Actions path={path} query={query} story={story} reload={loaded.reload} />
            )}
            <Card title={words.story}>
              <Timeline of={story} />
            </Card>
          </div>
        )}
      </Loaded>
    </Page>
  )
}

function factsOf(story: Story) {
  const words = verificationWords()
  const { metadata = {} } = story
  const code = story.code_format === 'numeric' ? words.digits(story.code_length) : words.longCode
  return [
    [words.started, <Time at={story.created_at} key="started" />],
    [words.expires, <Time at={story.expires_at} key="expires" />],
    [words.attemptsLeft, story.attempts_left],
    [words.purpose, story.purpose],
    [words.code, code],
    [words.reference, story.reference],
    [words.route, story.route.map(({ channel, to }) => `${channel} ${to}`).join(', ')],
    ...(story.locale ? [[words.language, story.locale] as const] : []),
    [words.id, <code key="id">{story.id}</code>],
    ...Object.entries(metadata).map(([name, value]) => [name, value] as const),
  ] as const
}

type Doing = { path: string; query: string; story: Story; reload(): void }

function Actions({ path, query, story, reload }: Doing) {
  const words = verificationWords()
  const sending = useSending()
  const isAsked = useSignal(false)
  const { resend } = story.next
  const channel = useSignal(story.channel)
  const isEarly = resend !== null && Date.parse(resend.at) > now()
  const send = async () => {
    const body = { channel: channel.value }
    const done = await sending.send(() => post(`${path}/resend${query}`, body))
    if (done) tell(words.resent)
    if (done) reload()
  }
  return (
    <Card>
      <Form
        sending={sending}
        onSubmit={send}
        buttons={
          <>
            {resend && (
              <Button submit icon="mail" busy={sending.busy} disabled={isEarly}>
                {words.resend}
              </Button>
            )}
            <Button
              look="danger"
              onClick={() => {
                isAsked.value = true
              }}
            >
              {words.cancel}
            </Button>
          </>
        }
      >
        {resend && resend.channels.length > 1 && (
          <Select
            label={words.resendBy}
            value={channel.value}
            options={resend.channels.map((each) => [each, each] as const)}
            onChange={(chosen) => {
              channel.value = chosen
            }}
          />
        )}
        {resend && isEarly && <p class="hint">{words.notYet(relative(resend.at))}</p>}
      </Form>
      {isAsked.value && (
        <Confirm
          title={words.cancelTitle}
          action={words.cancel}
          onConfirm={async () => {
            await post(`${path}/cancel${query}`)
            tell(words.canceled)
            reload()
          }}
          onClose={() => {
            isAsked.value = false
          }}
        >
          <p>{words.cancelAbout}</p>
        </Confirm>
      )}
    </Card>
  )
}

const bad = ['refused', 'undeliverable', 'bounced', 'failed', 'exhausted']
const doubtful = ['deferred', 'delayed', 'wrong_code', 'expired', 'canceled']

function toneOf(kind: string): string {
  if (bad.includes(kind)) return 'bad'
  if (doubtful.includes(kind)) return 'warn'
  return kind === 'approved' || kind === 'delivered' || kind === 'sent' ? 'good' : ''
}

function Timeline({ of: { steps, deliveries, created_at: started } }: { of: Story }) {
  const words = verificationWords()
  const reasons = deliveries.flatMap(({ chosen }) => (chosen ? [chosen.explanation] : []))
  return (
    <>
      <ol class="timeline">
        {steps.map((step, index) => (
          <li key={`${index}-${step.kind}`} class={toneOf(step.kind)}>
            <time class="when" dateTime={step.at} title={exactTime(step.at)}>
              {date(step.at) !== date(started) && `${date(step.at)}, `}
              {clockTime(step.at)}
            </time>
            <div>
              <strong>{words.steps[step.kind]}</strong>
              <p class="about">{aboutStep(step)}</p>
              {(step.code || step.detail) && (
                <p class="said">
                  {/* The reply usually begins with its code. */}
                  {step.code && !step.detail?.startsWith(step.code) && `${step.code} `}
                  {step.detail && <FindingText>{step.detail}</FindingText>}
                </p>
              )}
            </div>
          </li>
        ))}
      </ol>
      {reasons.length > 0 && (
        <p class="hint">
          {words.chosen}: <FindingText>{reasons.join('; ')}</FindingText>
        </p>
      )}
    </>
  )
}

function aboutStep({ channel, endpoint, took_ms: took, cause }: Story['steps'][number]) {
  const words = verificationWords()
  return [
    channel && words.by(channel),
    endpoint && `${words.endpoint} ${endpoint}`,
    took !== undefined && words.took(duration(took)),
    cause,
  ]
    .filter(Boolean)
    .join(' · ')
}
