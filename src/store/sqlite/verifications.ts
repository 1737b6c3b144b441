import type { Database } from 'bun:sqlite'
import type { EventType } from '../../domain/event.ts'
import { lateMs, type Timers } from '../../domain/ports.ts'
import type {
  AttemptCommand,
  AttemptResult,
  Sealed,
  VerificationStore,
} from '../../domain/verification/stores.ts'
import type { Verification, VerificationKey } from '../../domain/verification/verification.ts'
import { createList } from '../verification-list.ts'
import {
  isPending,
  isThis,
  toVerification,
  type VerificationRow,
  verificationColumns,
} from '../verification-row.ts'
import { type Answers, createAnswers } from './answers.ts'
import type { Enqueue } from './deliveries.ts'
import { createEndings } from './endings.ts'
import type { AddEvent } from './events.ts'
import type { LimitRows } from './limits.ts'
import type { Moves } from './moves.ts'
import type { Parts } from './parts.ts'
import { firstNumber } from './recipient-number.ts'
import { createStart } from './start.ts'
import type { Counters } from './stats.ts'

type Deps = Parts & {
  timers: Pick<Timers, 'soon'>
  limits: LimitRows
  enqueue: Enqueue
  addEvent: AddEvent
  counters: Pick<Counters, 'count'>
  moves: Moves
}

export function createVerificationStore(deps: Deps): VerificationStore {
  const { database, read, write, moves } = deps
  const answers = createAnswers(database)
  const reads = createReads(database)
  const list = createList({
    read: (text, values) => read(() => database.query<never, typeof values>(text).all(values)),
    otherWork: () => new Promise<void>((resolve) => deps.timers.soon(resolve)),
  })
  const endings = createEndings(deps)
  const change = createChanges(deps, { answers, end: endings.end, get: reads.get })

  return {
    start: createStart({ ...deps, answers }),
    chargeAttempt: (command) => write(() => change.charge(command), 'check'),
    claimResend: (command) => write(() => moves.resend(command), 'start'),
    dueFallBacks: (query) => read(() => moves.due(query)),
    fallBack: (command) => write(() => moves.fallBack(command), 'start'),
    cancel: (command) => write(() => change.cancel(command), 'start'),
    get: (key) => read(() => reads.get(key)),
    findShareable: (id) => read(() => reads.shareable(id)),
    list,
    sealed: (query) => read(() => reads.sealed(query)),
    expirePending: (command) => write(() => endings.expirePending(command)),
  }
}

type OfRecipient = VerificationKey & { recipient: number }

function createReads(database: Database) {
  const get = database.prepare<VerificationRow, VerificationKey>(
    `select ${verificationColumns} from verifications ${isThis}`,
  )
  const sealed = database.prepare<Sealed, OfRecipient>(`
    select recipient_sealed as recipient, variables_sealed as variables
    from verifications ${isThis} and ${firstNumber} = $recipient and recipient_sealed is not null`)
  const furtherSealed = database.prepare<Sealed, OfRecipient>(`
    select further.recipient_sealed as recipient, variables_sealed as variables
    from verifications join verification_recipients as further on verification_id = id
    ${isThis} and number = $recipient and further.recipient_sealed is not null`)
  const shareable = database.prepare<VerificationKey, { id: string }>(`
    select app_id as appId, mode, id from verifications
    where id = $id and started_by = 'original'`)

  return {
    get(key: VerificationKey): Verification | null {
      const row = get.get(key)
      return row ? toVerification(row) : null
    },
    sealed: (query: OfRecipient) => sealed.get(query) ?? furtherSealed.get(query),
    shareable: (id: string) => shareable.get({ id }),
  }
}

type ChangeDeps = {
  answers: Answers
  end(key: VerificationKey): Verification
  get(key: VerificationKey): Verification | null
}

function createChanges({ database, addEvent, counters }: Deps, { answers, end, get }: ChangeDeps) {
  const charge = createCharge(database)
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
      status = case when ${isRight} then 'approved' else status end,
      check_at = $now + (check_delays ->> (attempts_spent + 1)),
      checked_at = ifnull(checked_at || ',', '') || $now
    where id = $id and app_id = $appId and mode = $mode and ${isPending}
      and code_length = $length and code_format = $format and ${isKnown} and ${mayCheck}
    returning ${verificationColumns}`
}

/**
 * No wait before this check lasts. One that is longer than the verification says was written by a
 * wrong clock.
 */
const mayCheck = `(check_at is null or check_at <= $now
  or check_at > $now + (check_delays ->> attempts_spent) + ${lateMs})`

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
