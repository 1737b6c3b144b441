import type { Database } from 'bun:sqlite'
import type { EventType } from '../../domain/event.ts'
import type { Timers } from '../../domain/ports.ts'
import type {
  AttemptCommand,
  AttemptResult,
  ResendCommand,
  Sealed,
  VerificationStore,
} from '../../domain/stores.ts'
import type { Verification, VerificationKey } from '../../domain/verification/verification.ts'
import { type Answers, createAnswers } from './answers.ts'
import type { Enqueue } from './deliveries.ts'
import type { AddEvent } from './events.ts'
import type { LimitRows } from './limits.ts'
import { createLists } from './lists.ts'
import type { Parts } from './parts.ts'
import { createStart } from './start.ts'
import type { Counters } from './stats.ts'
import {
  forgotten,
  isPending,
  toVerification,
  type VerificationRow,
  verificationColumns,
} from './verification-row.ts'

type Deps = Parts & {
  timers: Pick<Timers, 'soon'>
  limits: LimitRows
  enqueue: Enqueue
  addEvent: AddEvent
  counters: Pick<Counters, 'count'>
}

export function createVerificationStore(deps: Deps): VerificationStore {
  const { database, read, write } = deps
  const answers = createAnswers(database)
  const reads = createReads(database)
  const list = createLists(deps)
  const change = createChanges(deps, answers, reads.get)
  const expire = createExpiry(database)

  return {
    start: createStart({ ...deps, answers }),
    chargeAttempt: (command) => write(() => change.charge(command), 'check'),
    claimResend: (command) => write(() => change.resend(command), 'start'),
    cancel: (command) => write(() => change.cancel(command), 'start'),
    get: (key) => read(() => reads.get(key)),
    findShareable: (id) => read(() => reads.shareable(id)),
    list,
    sealed: (key) => read(() => reads.sealed(key)),
    expirePending: (now) => write(() => expire(now)),
  }
}

function createReads(database: Database) {
  const get = database.prepare<VerificationRow, VerificationKey>(
    `select ${verificationColumns} from verifications ${isThis}`,
  )
  const sealed = database.prepare<Sealed, VerificationKey>(`
    select recipient_sealed as recipient, variables_sealed as variables
    from verifications ${isThis} and recipient_sealed is not null`)
  const shareable = database.prepare<VerificationKey, { id: string }>(`
    select app_id as appId, mode, id from verifications
    where id = $id and started_by = 'original'`)

  return {
    get(key: VerificationKey): Verification | null {
      const row = get.get(key)
      return row ? toVerification(row) : null
    },
    sealed: (key: VerificationKey) => sealed.get(key),
    shareable: (id: string) => shareable.get({ id }),
  }
}

const isThis = 'where id = $id and app_id = $appId and mode = $mode'

function createChanges(
  { database, enqueue, addEvent, counters }: Deps,
  answers: Answers,
  get: (key: VerificationKey) => Verification | null,
) {
  const charge = createCharge(database)
  const end = createEnd(database)
  const resend = database.prepare<VerificationRow, Resend>(`
    update verifications
    set resends_spent = resends_spent + 1, resend_at = $now + $resendAfterMs,
      delivery_id = $deliveryId, delivery_status = 'queued', delivery_detail = null
    ${isThis} and ${isPending} and resends_spent < resends_max
      and (resend_at <= $now or resend_at > $now + $resendAfterMs)
    returning ${verificationColumns}`)
  const cancel = database.prepare<{ id: string }, VerificationKey & { now: number }>(`
    update verifications set status = 'canceled' ${isThis} and ${isPending} returning id`)

  return {
    charge(command: AttemptCommand): AttemptResult {
      const { now, idempotency, events, appId, id: verificationId } = command
      const kept = idempotency && answers.find(idempotency)
      if (kept) return kept
      const charged = charge(command)
      if (!charged) return { outcome: 'refused', verification: get(command) }

      const isRight = charged.status === 'approved'
      const verification = isRight ? end(command) : charged
      const { attemptsSpent, attemptsMax } = verification
      const type = isRight ? events.approved : events.exhausted
      if (isRight || attemptsSpent >= attemptsMax) {
        const data = { attempts_spent: attemptsSpent }
        addEvent({ at: now, appId, type, verificationId, data })
      }
      if (idempotency) answers.keep(idempotency, verification, now)
      counters.count(appId, 'checks', now)
      counters.count(appId, isRight ? 'approvals' : 'failures', now)
      return { outcome: 'judged', verification }
    },
    resend({ delivery, ...command }: ResendCommand): Verification | null {
      const row = resend.get({ ...command, deliveryId: delivery.id })
      if (!row) return null
      const verification = toVerification(row)
      enqueue(verification, delivery)
      counters.count(command.appId, 'resends', command.now)
      return verification
    },
    cancel(command: VerificationKey & { now: number; event: EventType }): Verification | null {
      if (!cancel.get(command)) return null
      const { appId, id: verificationId, now: at, event: type } = command
      const verification = end(command)
      addEvent({ at, appId, type, verificationId, data: {} })
      counters.count(appId, 'cancels', at)
      return verification
    },
  }
}

/**
 * One statement that spends an attempt and judges it, under the condition that `isRight` says. Its
 * columns are in no index: a wrong code changes one row and nothing else.
 */
export function chargeStatement({ isKnown, isRight }: Keys): string {
  return `
    update verifications
    set attempts_spent = attempts_spent + 1,
      status = case when ${isRight} then 'approved' else status end
    where id = $id and app_id = $appId and mode = $mode and ${isPending}
      and code_length = $length and code_format = $format and ${isKnown}
    returning ${verificationColumns}`
}

/** SQL conditions: the row's key is in use, and the code is right under it. */
type Keys = { isKnown: string; isRight: string }

/** With one key, the usual case. */
export const oneKey: Keys = { isKnown: 'code_key_id = $keyId', isRight: 'code_digest = $digest' }
/** With any number of keys: `$digests` is JSON, hex by key id. */
const manyKeys: Keys = {
  isKnown: '$digests ->> code_key_id is not null',
  isRight: 'code_digest = unhex($digests ->> code_key_id)',
}

type Attempt = VerificationKey & Pick<AttemptCommand, 'format' | 'length' | 'now'>

/** Null when there is nothing to charge. */
function createCharge(database: Database): (command: AttemptCommand) => Verification | null {
  const one = database.prepare<VerificationRow, Attempt & { keyId: string; digest: Uint8Array }>(
    chargeStatement(oneKey),
  )
  const many = database.prepare<VerificationRow, Attempt & { digests: string }>(
    chargeStatement(manyKeys),
  )

  return ({ digests, ...attempt }) => {
    const [first, ...others] = digests
    const row =
      first && others.length === 0
        ? one.get({ ...attempt, ...first })
        : many.get({ ...attempt, digests: toJson(digests) })
    return row ? toVerification(row) : null
  }
}

function toJson(digests: AttemptCommand['digests']): string {
  return JSON.stringify(
    Object.fromEntries(
      digests.map(({ keyId, digest }) => [keyId, Buffer.from(digest).toString('hex')]),
    ),
  )
}

type Resend = Omit<ResendCommand, 'delivery'> & { deliveryId: string }

/** The status of a delivery that ends together with its verification or code. */
const endedStatus = `case when delivery_status in ('queued', 'deferred') then 'undeliverable'
  else delivery_status end`

/** Clears digest and address of an ended verification, and ends its deliveries. */
function createEnd(database: Database): (key: VerificationKey) => Verification {
  const forget = database.prepare<VerificationRow, VerificationKey>(`
    update verifications
    set ${forgotten}, delivery_status = ${endedStatus} ${isThis} returning ${verificationColumns}`)
  const endDeliveries = database.prepare<null, { id: string }>(`
    update deliveries set status = 'undeliverable', due_at = null, leased_by = ''
    where verification_id = $id and due_at is not null`)

  return (key) => {
    endDeliveries.run(key)
    const row = forget.get(key)
    if (!row) throw new Error('a verification ended that is not there')
    return toVerification(row)
  }
}

/** Clears every digest and address, and ends every delivery; how many were pending. */
function createExpiry(database: Database): (now: number) => number {
  const count = database.prepare<{ pending: number }, { now: number }>(
    `select count(*) as pending from verifications where ${isPending}`,
  )
  const forget = database.prepare<null, []>(`
    update verifications
    set ${forgotten}, delivery_status = ${endedStatus}
    where code_digest is not null`)
  const endDeliveries = database.prepare<null, []>(`
    update deliveries set status = 'undeliverable', due_at = null, leased_by = ''
    where due_at is not null`)

  return (now) => {
    const pending = count.get({ now })?.pending ?? 0
    forget.run()
    endDeliveries.run()
    return pending
  }
}
