import { invalidField } from '../../domain/problem.ts'
import type { AlarmQuery, EventQuery } from '../../domain/stores.ts'
import { readTime } from '../../domain/time.ts'
import { dayMs, hourMs } from '../../domain/verification/limits.ts'
import { presentAlarm, presentAudit, presentEvent, presentStats, timestamp } from '../../present.ts'
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
}

export async function stats(
  { stats: counts, clock }: RoutePorts,
  { query }: { query: StatsQuery },
): Promise<Reply> {
  const { app: appId = null, from, to, bucket = 'hour' } = query
  const bucketMs = bucketsMs[bucket]
  const range = readRange({ from, to, bucketMs, now: clock.now() })
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
  { audit: store }: RoutePorts,
  { query: { limit = 20, cursor } }: { query: Paging },
): Promise<Reply> {
  return json(presentPage(await store.list({ limit, cursor: cursor ?? null }), presentAudit))
}

type RangeInput = {
  from: string | undefined
  to: string | undefined
  bucketMs: number
  now: number
}

/** The range of the query; by default the last 48 buckets, at most 2,000. */
function readRange({ from, to, bucketMs, now }: RangeInput): { from: number; to: number } {
  const end = to === undefined ? now : readTime('to', to)
  const start = from === undefined ? end - 48 * bucketMs : readTime('from', from)
  if (start >= end) throw invalidField('from', 'must be before to')
  if ((end - start) / bucketMs > rowsMax) {
    throw invalidField('bucket', `must be longer: at most ${rowsMax} buckets fit in an answer`)
  }
  return { from: start, to: end }
}
