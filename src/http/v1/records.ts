import { listAudit } from '../../domain/account/names.ts'
import { endpointTotals, wholeDays } from '../../domain/learning/totals.ts'
import { invalidField } from '../../domain/problem.ts'
import type { AlarmQuery, EventQuery } from '../../domain/stores.ts'
import { readTime } from '../../domain/time.ts'
import { dayMs, hourMs } from '../../domain/verification/limits.ts'
import {
  presentAlarm,
  presentAudit,
  presentEvent,
  presentStats,
  presentTotal,
  timestamp,
} from '../../present.ts'
import type { Reply } from '../core/api.ts'
import { json } from '../core/pipeline.ts'
import type { RoutePorts } from '../core/route.ts'
import { presentPage } from './components/page.ts'

const bucketsMs = { minute: 60_000, hour: hourMs, day: dayMs }
const rowsMax = 2_000

type Paging = { limit?: number; cursor?: string; app?: string }
type StatsQuery = {
  app?: string
  from?: string
  to?: string
  bucket?: keyof typeof bucketsMs
  by?: 'time' | 'endpoint,domain'
}

export async function stats(ports: RoutePorts, { query }: { query: StatsQuery }): Promise<Reply> {
  return query.by === 'endpoint,domain' ? statsByEndpoint(ports, query) : statsByTime(ports, query)
}

/** The range is rounded to whole days; by default the last 30. */
async function statsByEndpoint(ports: RoutePorts, query: StatsQuery): Promise<Reply> {
  const { app: appId = null, from, to, bucket, by = 'endpoint,domain' } = query
  if (bucket !== undefined) throw invalidField('bucket', 'must not be given with this `by`')
  const asked = { from, to, bucketMs: dayMs, usual: 30, now: ports.clock.now() }
  const range = wholeDays(readRange(asked))
  const items = (await endpointTotals(ports, { appId, ...range })).map(presentTotal)
  return json({ by, from: timestamp(range.from), to: timestamp(range.to), items })
}

async function statsByTime(
  { stats: counts, clock }: RoutePorts,
  query: StatsQuery,
): Promise<Reply> {
  const { app: appId = null, from, to, bucket = 'hour' } = query
  const bucketMs = bucketsMs[bucket]
  const range = readRange({ from, to, bucketMs, usual: 48, now: clock.now() })
  const rows = await counts.read({ appId, bucketMs, ...range })
  const { from: start, to: end } = range
  const items = rows.map(presentStats)
  return json({ bucket, from: timestamp(start), to: timestamp(end), items })
}

export async function events(
  { events: store }: RoutePorts,
  { query }: { query: Paging & { type?: NonNullable<EventQuery['type']> } },
): Promise<Reply> {
  const { app: appId = null, type = null, limit = 20, cursor = null } = query
  return json(presentPage(await store.list({ appId, type, limit, cursor }), presentEvent))
}

export async function alarms(
  { alarms: store }: RoutePorts,
  { query }: { query: Paging & { open?: AlarmQuery['open'] } },
): Promise<Reply> {
  const { app: appId = null, open = false, limit = 20, cursor = null } = query
  return json(presentPage(await store.list({ appId, open, limit, cursor }), presentAlarm))
}

export async function audit(
  ports: RoutePorts,
  { query: { limit = 20, cursor } }: { query: Paging },
): Promise<Reply> {
  const page = await listAudit(ports, { limit, cursor: cursor ?? null })
  return json(presentPage(page, presentAudit))
}

type RangeInput = {
  from: string | undefined
  to: string | undefined
  bucketMs: number
  /** Buckets of the range where `from` is absent. */
  usual: number
  now: number
}

/** The range of the query, of at most 2,000 buckets. */
function readRange({ from, to, bucketMs, usual, now }: RangeInput): { from: number; to: number } {
  const end = to === undefined ? now : readTime('to', to)
  const start = from === undefined ? end - usual * bucketMs : readTime('from', from)
  if (start >= end) throw invalidField('from', 'must be before to')
  if ((end - start) / bucketMs > rowsMax) {
    throw invalidField('bucket', `must be longer: at most ${rowsMax} buckets fit in an answer`)
  }
  return { from: start, to: end }
}
