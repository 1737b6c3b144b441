import { clockTime, duration, number, shortTime } from '../../format.ts'
import { FindingText } from '../../parts/finding.tsx'
import { Notice } from '../../parts/notice.tsx'
import { Badge, Card, Facts } from '../../parts/page.tsx'
import { Table } from '../../parts/table.tsx'
import { Time } from '../../parts/time.tsx'
import { href } from '../../router.ts'
import { now } from '../../system.ts'
import { Chart } from './chart.tsx'
import type { Live } from './live.ts'
import type { Alarm, EndpointFlow, LiveAnswer } from './wire.ts'
import { overviewWords } from './words.ts'

/** What an admin should end, and how. */
export function Alarms({ alarms }: { alarms: Alarm[] }) {
  const words = overviewWords()
  return (
    <section class="alarms" aria-label={words.alarms} aria-live="polite">
      {alarms.map((alarm) => (
        <Notice
          key={alarm.id}
          tone="bad"
          title={
            <>
              {words.kinds[alarm.kind]}
              {alarm.app && ` · ${alarm.app_name ?? words.unnamed}`}
            </>
          }
        >
          <p>
            <FindingText>{alarm.what_to_do}</FindingText>
          </p>
          <p class="row faint">
            <span>
              {words.since} <Time at={alarm.since} />
            </span>
            <Where alarm={alarm} />
          </p>
        </Notice>
      ))}
    </section>
  )
}

/** A link to where it can be ended. */
function Where({ alarm: { app, kind, endpoint } }: { alarm: Alarm }) {
  const words = overviewWords()
  if (app === null) return null
  if (kind === 'webhook_off' || kind === 'webhook_backlog') {
    return <a href={href(`/apps/${app}/webhooks`)}>{words.toWebhooks}</a>
  }
  return endpoint ? (
    <a href={href(`/apps/${app}/endpoints`)}>{words.toEndpoints}</a>
  ) : (
    <a href={href(`/apps/${app}`)}>{words.toApp}</a>
  )
}

export function Now({ live: { state, value } }: { live: Live }) {
  const words = overviewWords()
  return (
    <Card
      title={words.now}
      actions={
        <span role="status">
          <Badge tone={state === 'live' ? 'good' : 'warn'}>{words[state]}</Badge>
        </span>
      }
    >
      <p class="faint">{words.nowLead}</p>
      {value && (
        <div class="stack now">
          {value.minutes.length === 0 ? (
            <p>{words.quietHour}</p>
          ) : (
            <LastHour minutes={value.minutes} />
          )}
          <Queue queue={value.queue} />
          <Endpoints endpoints={value.endpoints} />
        </div>
      )}
    </Card>
  )
}

const minuteMs = 60_000
const minutesShown = 60

function LastHour({ minutes }: { minutes: LiveAnswer['minutes'] }) {
  const words = overviewWords()
  const byTime = new Map(minutes.map((minute) => [Date.parse(minute.at), minute]))
  const last = Math.max(Math.floor(now() / minuteMs) * minuteMs, ...byTime.keys())
  const times = Array.from(
    { length: minutesShown },
    (_, index) => last - (minutesShown - 1 - index) * minuteMs,
  )
  const valuesOf = (name: 'started' | 'sent' | 'approved' | 'failed') =>
    times.map((at) => byTime.get(at)?.[name] ?? 0)
  return (
    <Chart
      title={words.minutes}
      times={times.map((at) => new Date(at).toISOString())}
      kind="counts"
      series={[
        { name: words.started, look: 'a', values: valuesOf('started') },
        { name: words.sent, look: 'b', values: valuesOf('sent') },
        { name: words.approved, look: 'c', values: valuesOf('approved') },
        { name: words.failed, look: 'd', values: valuesOf('failed') },
      ]}
      timeText={shortTime}
      axisText={shortTime}
      valueText={number}
    />
  )
}

function Queue({ queue }: { queue: LiveAnswer['queue'] }) {
  const words = overviewWords()
  return (
    <Facts
      of={[
        [words.queue, number(queue.waiting)],
        [words.oldest, queue.oldest_at === null ? words.none : clockTime(queue.oldest_at)],
        [words.perSecond, number(queue.sent_per_second, { maximumFractionDigits: 1 })],
      ]}
    />
  )
}

function Endpoints({ endpoints }: { endpoints: EndpointFlow[] }) {
  const words = overviewWords()
  if (endpoints.length === 0) return <p class="faint">{words.noEndpoints}</p>
  return (
    <div>
      <h3>{words.endpoints}</h3>
      <Table
        caption={words.endpoints}
        rows={endpoints}
        keyOf={({ app, channel, endpoint }) => `${app} ${channel} ${endpoint}`}
        columns={[
          {
            label: words.endpoint,
            isName: true,
            cell: ({ channel, endpoint_name }) => `${channel} · ${endpoint_name ?? words.none}`,
          },
          {
            label: words.app,
            cell: ({ app, app_name }) => (
              <a href={href(`/apps/${app}/endpoints`)}>{app_name ?? words.unnamed}</a>
            ),
          },
          { label: words.queued, isNumber: true, cell: ({ waiting }) => number(waiting) },
          {
            label: words.connections,
            isNumber: true,
            cell: ({ connections, connections_max }) =>
              words.ofConnections(connections, connections_max),
          },
          {
            label: words.meanTime,
            isNumber: true,
            cell: ({ mean_ms }) => (mean_ms === null ? words.none : duration(mean_ms)),
          },
          {
            label: words.state,
            cell: ({ paused }) => (
              <Badge tone={paused ? 'warn' : 'good'}>{paused ? words.stopped : words.flows}</Badge>
            ),
          },
        ]}
      />
    </div>
  )
}
