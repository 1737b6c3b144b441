import { t } from 'elysia'
import { alarmKinds } from '../../../domain/alarm.ts'
import { eventTypes } from '../../../domain/event.ts'
import { counterNames } from '../../../domain/stores.ts'
import { count, id, nullable, object, oneOf, output, time, timedId } from '../../core/schema.ts'
import { pageOf } from './page.ts'

const bucketNames = ['minute', 'hour', 'day'] as const

const says: Record<(typeof counterNames)[number], string> = {
  starts: 'Verifications that were started.',
  checks: 'Codes that were judged.',
  failures: 'Codes that were wrong.',
  approvals: 'Codes that were right.',
  cancels: 'Verifications that were canceled.',
  resends: 'Messages that were sent again.',
  sent: 'Messages that the mail server accepted.',
  deferred: 'Tries that were deferred.',
  refused: 'Messages that the mail server refused.',
  undeliverable: 'Messages that were given up.',
  bounced: 'Messages that came back after the mail server had accepted them.',
  delivered: 'Messages that have arrived, as the gateway says.',
  failed: 'Messages that have not arrived after the gateway had accepted them.',
}

const statsRow = output('StatsRow', {
  at: time('The start of the bucket.'),
  ...Object.fromEntries(counterNames.map((name) => [name, count(says[name])])),
})

const statsByTime = output('Stats', {
  bucket: oneOf(bucketNames, 'What was added up.'),
  from: time('Where the range begins.'),
  to: time('Where it ends.'),
  items: t.Array(statsRow, { description: 'Oldest first; buckets without counts are left out.' }),
})

const endpointStats = output('EndpointStats', {
  app: id('The app.'),
  endpoint: id('The endpoint, which may be gone.'),
  group: t.String({
    description:
      'The domain, country or calling code of the recipients; `other` for all of which there were ' +
      'too few.',
  }),
  handed_over: count('Messages that it has taken, or should have.'),
  approved: count('Those that were followed by an approval.'),
  share: t.Number({ minimum: 0, maximum: 1, description: 'The approved ones among them.' }),
})

const statsByEndpoint = output('StatsByEndpoint', {
  by: oneOf(['endpoint,domain'], 'What was added up.'),
  from: time('Where the range begins.'),
  to: time('Where it ends.'),
  items: t.Array(endpointStats, { description: 'The greatest first.' }),
})

export const statsSchema = t.Union([statsByTime, statsByEndpoint])

const utc = '^[12][0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,9})?Z$'
export const timeField = (description: string) =>
  t.Optional(
    t.String({
      maxLength: 35,
      description,
      shown: { format: 'date-time', pattern: utc },
    }),
  )
export const appField = t.Optional(id('Only this app’s.'))

export const statsQuery = object({
  app: appField,
  from: timeField('RFC 3339 in UTC; 48 buckets before `to` if absent, or 30 days.'),
  to: timeField('RFC 3339 in UTC; now if absent.'),
  bucket: t.Optional(oneOf(bucketNames, 'What is added up (default `hour`).')),
  by: t.Optional(
    oneOf(
      ['time', 'endpoint,domain'],
      'By time (default), or by endpoint and domain or country, for apps with a learned route.',
    ),
  ),
})

export const eventTypeField = t.Optional(oneOf(eventTypes, 'Only of this type.'))

export const eventPage = pageOf(
  'EventPage',
  output('Event', {
    id: count('Counts up.'),
    at: time('When it happened.'),
    app: nullable(id('The app; null for what concerns the whole server.')),
    type: oneOf(eventTypes, 'What happened.'),
    verification: t.Optional(timedId('The verification, where it concerns one.')),
    data: t.Record(t.String(), t.Union([t.String(), t.Number()]), {
      description: 'Facts about it; no address, no code.',
    }),
  }),
)

export const alarmPage = pageOf(
  'AlarmPage',
  output('Alarm', {
    id: count('Counts up.'),
    kind: oneOf(alarmKinds, 'What is wrong.'),
    what_to_do: t.String({ description: 'What an admin does about it.' }),
    app: nullable(id('The app; null for the whole server.')),
    endpoint: nullable(id('The endpoint or webhook, where it concerns one.')),
    since: time('When it went on.'),
    until: nullable(time('When it went off; null while it is on.')),
  }),
)

export const auditPage = pageOf(
  'AuditPage',
  output('AuditRecord', {
    id: count('Counts up by one, without gaps.'),
    at: time('When it was done.'),
    who: t.String({
      description: '`admin`, `cli`, `open`, `server`, `account:` and an id, or a key’s id.',
    }),
    who_name: t.Optional(t.String({ description: 'The name of the person, where it was one.' })),
    action: t.String({ description: 'What was done.' }),
    object: t.String({ description: 'The id of what was changed.' }),
    detail: t.String({ description: 'Details of the change.' }),
    request_id: nullable(t.String(), 'The request, as in X-Request-Id.'),
  }),
)
