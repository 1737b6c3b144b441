import type { Operation } from '../../core/route.ts'
import { overviewQuery, overviewSchema } from '../components/overview.ts'

const tag = 'Records'
const at = '2026-11-22T09:00:00.000Z'
const total = {
  started: 40,
  handed_over: 40,
  approved: 33,
  failed: 0,
  conversion_percent: 82.5,
  hand_over_ms: { p50: 310, p95: 900 },
  approval_ms: { p50: 21_000, p95: 64_000 },
}

export const getOverview = {
  id: 'getOverview',
  tag,
  summary: 'What verifications came to, over time and by group',
  description:
    'Verifications of live keys, counted in the time of their start two minutes later, by one node. ' +
    'Days are UTC. A domain is named on a day on which it had 20 recipients of an app.',
  query: overviewQuery,
  answers: {
    200: {
      description: 'The figures.',
      schema: overviewSchema,
      example: {
        range: 'day',
        app: null,
        from: '2026-11-21T10:00:00.000Z',
        to: '2026-11-22T10:00:00.000Z',
        bucket_seconds: 3600,
        total,
        series: [{ at, ...total }],
        by: {
          app: [{ value: '7hQm2VtY4cRkBz0LxPwE1s', name: 'Acme', ...total }],
          channel: [{ value: 'email', ...total }],
          locale: [{ value: 'de', ...total }],
          domain: [{ value: 'example.com', ...total }],
        },
      },
    },
  },
  problems: ['invalid_request', 'app_not_found'],
} satisfies Operation

export const followLive = {
  id: 'followLive',
  tag,
  summary: 'Follow what happens now',
  description:
    'Server-sent events of this node: `snapshot` with `minutes` (of the last hour, test keys too), ' +
    '`queue`, `endpoints` and `alarms`, then `change` with those of them that are different. A ' +
    'comment follows after at most 5 seconds without news. A stream ends after 5 minutes and when the server ' +
    'stops; at most 20 are open.',
  answers: {
    200: {
      description: 'A stream that the server ends.',
      mediaType: 'text/event-stream',
      example: 'event: snapshot\ndata: {"minutes":[],"queue":{},"endpoints":[],"alarms":[]}\n\n',
    },
  },
  problems: ['too_many_streams', 'shutting_down'],
} satisfies Operation
