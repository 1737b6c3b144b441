import { t } from 'elysia'
import { type Event, eventTypes } from '../domain/event.ts'
import { dayMs, hourMs } from '../domain/limit.ts'
import { invalidField, type ProblemCode } from '../domain/problem.ts'
import { counterNames } from '../domain/stores.ts'
import { page, pageOf } from './app-docs.ts'
import type { HttpPorts } from './ports.ts'
import { json, timestamp } from './reply.ts'
import type { Route, RouteMakers } from './route.ts'
import { object, oneOf } from './schema.ts'

const bucketsMs = { minute: 60_000, hour: hourMs, day: dayMs }
const bucketNames = ['minute', 'hour', 'day'] as const
const rowsMax = 2_000
const tag = 'Records'
const problems: ProblemCode[] = ['invalid_request']

/** What happened, for the operator: counts, events, and who changed what. */
export function recordRoutes(
  routes: RouteMakers,
  ports: Pick<HttpPorts, 'records' | 'clock'>,
): Route[] {
  return [
    routes.operator({
      ...statsDoc,
      method: 'GET',
      path: '/v1/stats',
      handle: async ({ query: { app: appId = null, from, to, bucket = 'hour' } }) => {
        const bucketMs = bucketsMs[bucket]
        const range = readRange({ from, to, bucketMs, now: ports.clock.now() })
        const rows = await ports.records.stats({ appId, bucketMs, ...range })
        return json({
          bucket,
          from: timestamp(range.from),
          to: timestamp(range.to),
          items: rows.map(({ at, ...counts }) => ({ at: timestamp(at), ...counts })),
        })
      },
    }),
    routes.operator({
      ...eventsDoc,
      method: 'GET',
      path: '/v1/events',
      handle: async ({ query: { app: appId = null, type = null, limit = 20, cursor = null } }) => {
        const found = await ports.records.events({ appId, type, limit, cursor })
        return json({ items: found.items.map(presentEvent), next_cursor: found.nextCursor })
      },
    }),
    routes.operator({
      ...auditDoc,
      method: 'GET',
      path: '/v1/audit',
      handle: async ({ query: { limit = 20, cursor = null } }) => {
        const found = await ports.records.audit({ limit, cursor })
        const items = found.items.map(({ id, at, who, action, object, detail, requestId }) => ({
          ...{ id, at: timestamp(at), who, action, object, detail, request_id: requestId },
        }))
        return json({ items, next_cursor: found.nextCursor })
      },
    }),
  ]
}

type RangeInput = {
  from: string | undefined
  to: string | undefined
  bucketMs: number
  now: number
}

/** The last 48 buckets unless said otherwise, and never more than can be looked at. */
function readRange({ from, to, bucketMs, now }: RangeInput): { from: number; to: number } {
  const end = to === undefined ? now : readTime('to', to)
  const start = from === undefined ? end - 48 * bucketMs : readTime('from', from)
  if (start >= end) throw invalidField('from', 'must be before to')
  if ((end - start) / bucketMs > rowsMax) {
    throw invalidField('bucket', `must be longer: at most ${rowsMax} buckets fit in an answer`)
  }
  return { from: start, to: end }
}

function readTime(field: string, text: string): number {
  const time = /^\d{4}-\d{2}-\d{2}T[\d:.]{5,12}Z$/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(time)) throw invalidField(field, 'must be a UTC time like 2026-11-22T09:00:00Z')
  return time
}

function presentEvent({ id, at, appId, type, verificationId, data }: Event) {
  return {
    id,
    at: timestamp(at),
    app: appId,
    type,
    ...(verificationId !== null && { verification: verificationId }),
    data,
  }
}

const app = t.Optional(t.String({ maxLength: 22, description: 'Only this app’s.' }))
const time = (description: string) => t.Optional(t.String({ maxLength: 30, description }))
const number = t.Number({ multipleOf: 1, minimum: 0 })

const statsDoc = {
  tag,
  summary: 'Counts over time',
  description:
    'Starts, checks, failures and what became of the mails; buckets without any are left out.',
  query: object({
    app,
    from: time('RFC 3339 in UTC; 48 buckets before `to` if absent.'),
    to: time('RFC 3339 in UTC; now if absent.'),
    bucket: t.Optional(oneOf(bucketNames, 'What is added up (default `hour`).')),
  }),
  answers: {
    200: {
      description: 'One row a bucket, oldest first.',
      schema: object({
        bucket: oneOf(bucketNames, 'What was added up.'),
        from: t.String(),
        to: t.String(),
        items: t.Array(
          object({
            at: t.String({ description: 'Where the bucket begins.' }),
            ...Object.fromEntries(counterNames.map((name) => [name, number])),
          }),
        ),
      }),
      example: {
        bucket: 'hour',
        from: '2026-11-20T09:00:00.000Z',
        to: '2026-11-22T09:00:00.000Z',
        items: [
          {
            at: '2026-11-22T08:00:00.000Z',
            ...Object.fromEntries(counterNames.map((name) => [name, 0])),
            starts: 12,
          },
        ],
      },
    },
  },
  problems,
}

const eventsDoc = {
  tag,
  summary: 'What happened, the newest first',
  query: object({
    ...page.properties,
    app,
    type: t.Optional(oneOf(eventTypes, 'Only of this type.')),
  }),
  answers: {
    200: {
      description: 'One page.',
      schema: pageOf(
        object({
          id: number,
          at: t.String(),
          app: t.String(),
          type: oneOf(eventTypes, 'What happened.'),
          verification: t.Optional(t.String()),
          data: t.Record(t.String(), t.Union([t.String(), t.Number()])),
        }),
      ),
      example: {
        items: [
          {
            id: 7,
            at: '2026-11-22T09:00:02.000Z',
            app: '7hQm2VtY4cRkBz0LxPwE1s',
            type: 'delivery.sent',
            verification: '2sXyKBqCk1uT5vYw8ZaDfG',
            data: {},
          },
        ],
        next_cursor: null,
      },
    },
  },
  problems,
}

const auditDoc = {
  tag,
  summary: 'Who changed what, the newest first',
  description: '`otpmint audit verify` proves that nothing was taken out or changed.',
  query: page,
  answers: {
    200: {
      description: 'One page.',
      schema: pageOf(
        object({
          id: number,
          at: t.String(),
          who: t.String({ description: '`admin`, `cli`, `open` or a key’s id.' }),
          action: t.String(),
          object: t.String({ description: 'The id of what was changed.' }),
          detail: t.String(),
          request_id: t.Union([t.String(), t.Null()]),
        }),
      ),
      example: {
        items: [
          {
            id: 1,
            at: '2026-11-22T09:00:00.000Z',
            who: 'admin',
            action: 'app.create',
            object: '7hQm2VtY4cRkBz0LxPwE1s',
            detail: 'name Acme',
            request_id: '3q2-7wEBAgMEBQYH',
          },
        ],
        next_cursor: null,
      },
    },
  },
  problems,
}
