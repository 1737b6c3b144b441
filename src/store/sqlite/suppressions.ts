import type { Database } from 'bun:sqlite'
import type {
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
import { toPage } from '../page.ts'
import type { AppCache } from './apps.ts'
import type { AuditChain } from './audit.ts'
import type { Parts } from './parts.ts'
import { firstNumber } from './recipient-number.ts'

const minuteMs = 60_000

/** Suppresses recipients, and counts what endpoints refuse, inside the end of a try. */
export type Suppressions = {
  /** Suppresses the recipient of a delivery, where that is not in force and allowed. */
  add(delivery: DeliveryKey, suppression: NewSuppression, now: number): void
  /** Counts one try whose recipient was refused; `tries` is 0 for a later bounce. */
  refused(place: { appId: string; endpointId: string; tries: 0 | 1 }, now: number): void
}

type Deps = { database: Database; cache: Pick<AppCache, 'forget'> }

export function createSuppressions({ database, cache }: Deps): Suppressions {
  const recipientOf = prepareRecipient(database)
  const earlier = database.prepare<Pick<Suppression, 'since' | 'until'>, OfRecipient>(
    `select since, until from suppressions where ${isRecipient}`,
  )
  const anyOf = database.prepare<{ id: string }, { appId: string }>(
    'select id from suppressions where app_id = $appId limit 1',
  )
  const put = database.prepare<null, NewRow>(`
    insert or replace into suppressions
      (app_id, recipient_index, id, recipient_masked, cause, code, since, until)
    values ($appId, $recipientIndex, $id, $masked, $cause, $code, $since, $until)`)
  const count = database.prepare<null, Minute & { tries: 0 | 1 }>(`
    insert into endpoint_minutes (app_id, endpoint_id, minute, tries, refusals)
    values ($appId, $endpointId, $minute, $tries, 1)
    on conflict (app_id, endpoint_id, minute)
    do update set tries = tries + excluded.tries, refusals = refusals + 1`)
  const counted = database.prepare<EndpointTries, Minute>(`
    select coalesce(sum(tries), 0) as tries, coalesce(sum(refusals), 0) as refusals
    from endpoint_minutes
    where app_id = $appId and endpoint_id = $endpointId and minute > $minute`)

  return {
    refused: ({ appId, endpointId, tries }, now) =>
      void count.run({ appId, endpointId, tries, minute: Math.floor(now / minuteMs) }),
    add(delivery, { endpointId, id, cause, code }, now) {
      const { appId } = delivery
      const minute = Math.floor((now - refusalWindowMs) / minuteMs)
      const tries = endpointId !== null && counted.get({ appId, endpointId, minute })
      if (tries && refusesTooMany(tries)) return
      const found = recipientOf(delivery)
      if (!found) return
      const until = suppressedUntil(earlier.get({ appId, ...found }), now)
      if (until === null) return
      // Cached apps say whether they have any.
      if (!anyOf.get({ appId })) cache.forget()
      put.run({ ...found, appId, id, cause, code, since: now, until })
    },
  }
}

/** The recipient of the channel of a delivery. */
function prepareRecipient(database: Database): (delivery: DeliveryKey) => Recipient | null {
  const isVerification = 'id = $verificationId and app_id = $appId and mode = $mode'
  const first = database.prepare<Recipient & { number: number; first: number }, DeliveryKey>(`
    select recipient_index as recipientIndex, recipient_masked as masked, ${firstNumber} as first,
      coalesce((select value ->> 'recipient' from json_each(route)
        where value ->> 'channel' = (select channel from deliveries where id = $id)
      ), ${firstNumber}) as number
    from verifications where ${isVerification}`)
  const further = database.prepare<Recipient, { verificationId: string; number: number }>(`
    select recipient_index as recipientIndex, recipient_masked as masked
    from verification_recipients where verification_id = $verificationId and number = $number`)

  return ({ id, appId, mode, verificationId }) => {
    const found = first.get({ id, appId, mode, verificationId })
    if (!found) return null
    const { number, first: own, ...recipient } = found
    return number === own ? recipient : further.get({ verificationId, number })
  }
}

type StoreDeps = Parts & Deps & { audit: AuditChain }

export function createSuppressionStore(deps: StoreDeps): SuppressionStore {
  const { database, read, write, audit, cache } = deps
  const inForce = `since <= $now + ${lateMs} and until > $now`
  const has = database.prepare<{ id: string }, OfRecipient & { now: number }>(
    `select id from suppressions where ${isRecipient} and ${inForce}`,
  )
  const list = database.prepare<
    Suppression,
    { appId: string; now: number; before: string; limit: number }
  >(`
    select id, app_id as appId, recipient_masked as "to", cause, code, since, until
    from suppressions where app_id = $appId and id < $before and ${inForce}
    order by id desc limit $limit`)
  const byId = database.prepare<null, { appId: string; id: string }>(
    'delete from suppressions where app_id = $appId and id = $id',
  )
  const byAddress = database.prepare<null, OfRecipient>(
    `delete from suppressions where ${isRecipient}`,
  )
  const refusals = prepareRefusals(database)

  return {
    has: (query) => read(() => has.get(query) !== null),
    list: ({ appId, now, limit, cursor }) =>
      read(() => {
        const rows = list.all({ appId, now, before: cursor ?? afterAll, limit: limit + 1 })
        return toPage(rows, limit)
      }),
    remove: ({ appId, ...which }, append) =>
      write(() => {
        if (!audit.isNext(append)) return 'head_moved'
        const { changes } =
          'id' in which ? byId.run({ appId, ...which }) : byAddress.run({ appId, ...which })
        if (changes === 0) return false
        audit.append(append)
        cache.forget()
        return true
      }),
    refusals: ({ since }) =>
      read(() => {
        const rows = refusals.all({ minute: Math.floor(since / minuteMs) })
        return rows.map(({ alarmed, ...row }) => ({ ...row, alarmed: alarmed === 1 }))
      }),
  }
}

function prepareRefusals(database: Database) {
  return database.prepare<RefusalRow, { minute: number }>(`
    with alarmed as (
      select app_id, endpoint_id from alarms
      where kind = 'recipients_refused' and until is null and endpoint_id is not null),
    places as (
      select app_id, endpoint_id from endpoint_minutes where minute > $minute and refusals > 0
      union select app_id, endpoint_id from alarmed)
    select app_id as appId, endpoint_id as endpointId,
      coalesce(sum(tries), 0) as tries, coalesce(sum(refusals), 0) as refusals,
      (app_id, endpoint_id) in (select app_id, endpoint_id from alarmed) as alarmed
    from places left join
      (select * from endpoint_minutes where minute > $minute) using (app_id, endpoint_id)
    group by app_id, endpoint_id`)
}

const isRecipient = 'app_id = $appId and recipient_index = $recipientIndex'
/** Sorts behind every id. */
const afterAll = '~'

type DeliveryKey = SettleCommand['delivery']
type Recipient = { recipientIndex: Uint8Array; masked: string }
type OfRecipient = { appId: string; recipientIndex: Uint8Array }
type NewRow = Omit<Suppression, 'to'> & Recipient
type Minute = { appId: string; endpointId: string; minute: number }
type RefusalRow = EndpointTries & { appId: string; endpointId: string; alarmed: 0 | 1 }
