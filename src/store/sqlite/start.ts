import type { Database } from 'bun:sqlite'
import type {
  CodeVariant,
  StartCommand,
  StartResult,
  VerificationStore,
} from '../../domain/stores.ts'
import { fitsBudget, type LimitRow, takeRates } from '../../domain/verification/limits.ts'
import type { Verification } from '../../domain/verification/verification.ts'
import type { Answers } from './answers.ts'
import { type Budgets, createBudgets } from './budget.ts'
import type { Enqueue } from './deliveries.ts'
import type { AddEvent } from './events.ts'
import type { LimitRows, StoredLimit } from './limits.ts'
import type { Parts } from './parts.ts'
import type { Counters } from './stats.ts'

type Deps = Pick<Parts, 'database' | 'write'> & {
  limits: LimitRows
  answers: Answers
  enqueue: Enqueue
  addEvent: AddEvent
  counters: Pick<Counters, 'count'>
}

/** Reads and decides before any write, so that a refusal needs no rollback. */
export function createStart(deps: Deps): VerificationStore['start'] {
  const { write, limits, answers, enqueue, addEvent, counters } = deps
  const insert = prepareInsert(deps.database)
  const budgets = createBudgets(deps.database)

  const start = (command: StartCommand): StartResult => {
    const { verification, delivery, idempotency, recipientKeptMs } = command
    const { appId, createdAt: now } = verification
    const kept = idempotency && answers.find(idempotency)
    if (kept) return kept.outcome === 'replayed' ? replay(kept.verification) : kept
    const taken = takeAll(limits, command.limits, now)
    if ('outcome' in taken) return taken

    const [recipient] = taken
    if (!recipient) throw new Error('a start names the recipient’s limits first')
    const earlierId = recipient.latestId
    const fits = fitsRecipient(budgets, command, recipient)
    const code = fits ? command.short : command.long
    if (code === 'ask') return { outcome: 'long_needed' }
    for (const row of taken) {
      const isRecipient = row === recipient
      const latestId = isRecipient && code ? verification.id : row.latestId
      const keptUntil = Math.max(...row.arrivals, isRecipient ? now + recipientKeptMs : now)
      limits.set(row.key, { arrivals: row.arrivals, latestId }, keptUntil)
    }
    if (!fits) {
      const verificationId = code ? verification.id : null
      addEvent({ ...command.budgetEvent, at: now, appId, verificationId })
    }
    if (!code) return { outcome: 'budget_exhausted' }

    const started = asStarted(verification, code)
    insert(command, { started, code, earlierId, recipientKey: recipient.key })
    enqueue(started, delivery)
    if (idempotency) answers.keep(idempotency, started, now)
    counters.count(appId, 'starts', now)
    return { outcome: 'started', verification: started }
  }
  return (command) => write(() => start(command), 'start')
}

function replay(verification: Verification): StartResult {
  return { outcome: 'replayed', verification }
}

type Taken = StoredLimit & { key: Uint8Array; arrivals: number[] }

/** Every row after one take from each of its rates, or the rate that refuses. */
function takeAll(
  limits: LimitRows,
  rows: LimitRow[],
  now: number,
): Taken[] | Extract<StartResult, { outcome: 'limited' }> {
  const taken: Taken[] = []
  for (const { key, rates } of rows) {
    const stored = limits.find(key)
    const decision = takeRates(rates, stored.arrivals, now)
    if (!decision.taken) {
      return { outcome: 'limited', limit: decision.name, retryAt: decision.retryAt }
    }
    taken.push({ key, arrivals: decision.arrivals, latestId: stored.latestId })
  }
  return taken
}

function fitsRecipient(
  budgets: Budgets,
  { verification, budget, recipientKeptMs }: StartCommand,
  { key, latestId }: Taken,
): boolean {
  const { createdAt: now, attemptsMax } = verification
  const spent = budgets.spent({ key, latestId, now }, budget, recipientKeptMs)
  return fitsBudget(budget, spent, attemptsMax)
}

/** The inserted row as a verification; `returning` would take a quarter of the insert's time. */
function asStarted(
  verification: StartCommand['verification'],
  { format, length, generation }: CodeVariant,
): Verification {
  return {
    ...verification,
    status: 'pending',
    forgotten: false,
    codeFormat: format,
    codeLength: length,
    generation,
    attemptsSpent: 0,
    resendsSpent: 0,
    delivery: { status: 'queued', detail: null },
  }
}

type Started = {
  started: Verification
  code: CodeVariant
  earlierId: string | null
  recipientKey: Uint8Array
}

function prepareInsert(database: Database) {
  const statement = database.prepare<null, Values>(`
    insert into verifications (
      id, app_id, mode, started_by, recipient_key, recipient_index, recipient_masked,
      recipient_sealed, variables_sealed, earlier_id, channel, purpose, locale, metadata, status, code_key_id,
      code_format, code_length, code_generation, code_digest, reference, attempts_max,
      resends_max, created_at, expires_at, resend_at, delivery_id, delivery_status)
    values (
      $id, $appId, $mode, $startedBy, $recipientKey, $recipientIndex, $to,
      $recipientSealed, $variablesSealed, $earlierId, $channel, $purpose, $locale, $metadata, 'pending', $codeKeyId,
      $codeFormat, $codeLength, $generation, $digest, $reference, $attemptsMax,
      $resendsMax, $createdAt, $expiresAt, $resendAt, $deliveryId, 'queued')`)

  return (command: StartCommand, { started, code, earlierId, recipientKey }: Started): void => {
    const { recipientIndex, recipientSealed, variablesSealed } = command
    statement.run({
      ...started,
      metadata: started.metadata && JSON.stringify(started.metadata),
      ...{ recipientKey, recipientIndex, recipientSealed, variablesSealed, earlierId },
      digest: code.digest,
      deliveryId: command.delivery.id,
    })
  }
}

type Values = Omit<Verification, 'metadata' | 'delivery' | 'forgotten'> & {
  metadata: string | null
  recipientKey: Uint8Array
  recipientIndex: Uint8Array
  recipientSealed: Uint8Array
  variablesSealed: Uint8Array | null
  earlierId: string | null
  digest: Uint8Array
  deliveryId: string
}
