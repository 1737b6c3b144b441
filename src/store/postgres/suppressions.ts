import type {
  EndpointRefusals,
  NewSuppression,
  SettleCommand,
  SuppressionStore,
} from '../../domain/delivery/stores.ts'
import {
  type EndpointTries,
  refusalWindowMs,
  refusesTooMany,
  type Suppression,
  suppressedUntil,
} from '../../domain/delivery/suppression.ts'
import { lateMs } from '../../domain/ports.ts'
import type { Stop } from '../../domain/verification/verification.ts'
import { toPage } from '../page.ts'
import type { AuditChain } from './audit.ts'
import { touchApp } from './cache.ts'
import type { Session } from './lanes.ts'
import type { Parts } from './parts.ts'

const minuteMs = 60_000

/** Suppresses recipients, inside the end of a try or a bounce. */
export type Suppressions = {
  /** The first lock of a transaction that may add one: of the apps, because they show whether they have any. */
  lock(session: Session, commands: Suppressing[]): Promise<void>
  /**
   * Suppresses the recipient of a delivery, where that is not in force and allowed. The refusal itself
   * has been counted, which keeps other refusals of the endpoint waiting.
   */
  add(
    session: Session,
    delivery: DeliveryKey,
    suppression: NewSuppression,
    now: number,
  ): Promise<void>
}

type Suppressing = Pick<SettleCommand, 'delivery' | 'suppress'>
type DeliveryKey = SettleCommand['delivery']

export function createSuppressions(): Suppressions {
  return {
    async lock(session, commands) {
      const ids = commands.flatMap(({ delivery, suppress }) => (suppress ? [delivery.appId] : []))
      if (ids.length > 0) await session.run(lockApps, { ids })
    },
    async add(session, delivery, { endpointId, id, cause, code }, now) {
      const { appId } = delivery
      const minute = Math.floor((now - refusalWindowMs) / minuteMs)
      const [tries] = await session.query<EndpointTries>(countTries, { appId, endpointId, minute })
      if (endpointId !== null && tries && refusesTooMany(tries)) return
      const found = await recipientOf(session, delivery)
      if (!found) return
      const [earlier = null] = await session.query<Pick<Suppression, 'since' | 'until'>>(
        `select since, until from suppressions where ${isRecipient}`,
        { appId, recipientIndex: found.recipientIndex },
      )
      const until = suppressedUntil(earlier, now)
      if (until === null) return
      const [any] = await session.query(anyOf, { appId })
      if (!any) await touchApp(session, appId)
      await session.run(put, { ...found, appId, id, cause, code, since: now, until })
    },
  }
}

/** The recipient of the channel of a delivery. */
async function recipientOf(session: Session, delivery: DeliveryKey): Promise<Recipient | null> {
  const { id, appId, mode, verificationId } = delivery
  const [found] = await session.query<Recipient & { route: string | null; channel: string | null }>(
    first,
    { id, appId, mode, verificationId },
  )
  if (!found) return null
  const { route, channel, ...recipient } = found
  if (route === null) return recipient
  const stops: Stop[] = JSON.parse(route)
  const number = stops.find((stop) => stop.channel === channel)?.recipient
  if (number === undefined || number === stops[0]?.recipient) return recipient
  const [other] = await session.query<Recipient>(further, { verificationId, number })
  return other ?? null
}

type StoreDeps = Pick<Parts, 'database'> & { audit: AuditChain }

export function createSuppressionStore({ database, audit }: StoreDeps): SuppressionStore {
  return {
    async has(query) {
      const rows = await database.read(
        `select 1 from suppressions where ${isRecipient} and ${inForce}`,
        query,
      )
      return rows.length > 0
    },
    async list({ appId, now, limit, cursor }) {
      const values = { appId, now, before: cursor ?? afterAll, limit: limit + 1 }
      return toPage(await database.read<Suppression>(list, values), limit)
    },
    remove: ({ appId, ...which }, append) =>
      database.transaction(async (session) => {
        if (!(await audit.isNext(session, append))) return 'head_moved'
        await session.run(lockApps, { ids: [appId] })
        const condition = 'id' in which ? 'app_id = $appId and id = $id' : isRecipient
        const values = { appId, ...which }
        if ((await session.run(`delete from suppressions where ${condition}`, values)) === 0) {
          return false
        }
        await audit.append(session, append)
        await touchApp(session, appId)
        return true
      }),
    refusals: ({ since }) =>
      database.read<EndpointRefusals>(refusals, { minute: Math.floor(since / minuteMs) }),
  }
}

const isRecipient = 'app_id = $appId and recipient_index = $recipientIndex'
const inForce = `since <= $now::bigint + ${lateMs} and until > $now`
/** Sorts behind every id. */
const afterAll = '~'

const lockApps = 'select id from apps where id = any($ids::text[]) order by id for update'

const first = `
  select recipient_index, recipient_masked as masked, route,
    (select channel from deliveries where id = $id) as channel
  from verifications where id = $verificationId and app_id = $appId and mode = $mode`

const further = `
  select recipient_index, recipient_masked as masked
  from verification_recipients where verification_id = $verificationId and number = $number`

const anyOf = 'select 1 from suppressions where app_id = $appId limit 1'

const put = `
  insert into suppressions
    (app_id, recipient_index, id, recipient_masked, cause, code, since, until)
  values ($appId, $recipientIndex, $id, $masked, $cause, $code, $since, $until)
  on conflict (app_id, recipient_index) do update set id = excluded.id,
    recipient_masked = excluded.recipient_masked, cause = excluded.cause, code = excluded.code,
    since = excluded.since, until = excluded.until`

const countTries = `
  select coalesce(sum(tries), 0)::bigint as tries, coalesce(sum(refusals), 0)::bigint as refusals
  from endpoint_minutes
  where app_id = $appId and endpoint_id = $endpointId and minute > $minute`

const list = `
  select id, app_id, recipient_masked as "to", cause, code, since, until
  from suppressions where app_id = $appId and id < $before and ${inForce}
  order by id desc limit $limit`

const refusals = `
  with alarmed as (
    select app_id, endpoint_id from alarms
    where kind = 'recipients_refused' and until is null and endpoint_id is not null),
  places as (
    select app_id, endpoint_id from endpoint_minutes where minute > $minute and refusals > 0
    union select app_id, endpoint_id from alarmed)
  select app_id, endpoint_id, coalesce(sum(tries), 0)::bigint as tries,
    coalesce(sum(refusals), 0)::bigint as refusals,
    (app_id, endpoint_id) in (select app_id, endpoint_id from alarmed) as alarmed
  from places left join
    (select * from endpoint_minutes where minute > $minute) as counted using (app_id, endpoint_id)
  group by app_id, endpoint_id`

type Recipient = { recipientIndex: Uint8Array; masked: string }
