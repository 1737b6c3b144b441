import type { Database } from 'bun:sqlite'
import { type Admission, admit, fitsEvery } from '../../domain/verification/admission.ts'
import type { LimitRow } from '../../domain/verification/limits.ts'
import type {
  CodeVariant,
  NewRecipient,
  NewStop,
  StartCommand,
  StartResult,
  VerificationStore,
} from '../../domain/verification/stores.ts'
import type { Verification } from '../../domain/verification/verification.ts'
import { asStarted, firstDelivery, startedColumns } from '../started.ts'
import type { Answers } from './answers.ts'
import { createBudgets } from './budget.ts'
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
    const { verification, idempotency, budget, recipientKeptMs } = command
    const { appId, createdAt: now, attemptsMax } = verification
    const kept = idempotency && answers.find(idempotency)
    if (kept) return kept.outcome === 'replayed' ? replay(kept.verification) : kept
    const stored = readRows(limits, command)
    const arrivals = (row: LimitRow) => stored.get(row)?.arrivals ?? []
    const admitted = admit(command, arrivals, now)
    if (admitted.outcome === 'limited') return admitted

    const recipients = recipientsOf(command, admitted, stored)
    const spent = recipients.map((one) => budgets.spent({ ...one, now }, budget, recipientKeptMs))
    const fits = fitsEvery(budget, spent, attemptsMax)
    const code = fits ? command.short : command.long
    if (code === 'ask') return { outcome: 'long_needed' }
    const latestIds = new Map(recipients.map(({ row }) => [row, code ? verification.id : null]))
    for (const { row, arrivals } of takenBy(admitted)) {
      const latestId = latestIds.get(row) ?? stored.get(row)?.latestId ?? null
      const keptUntil = Math.max(...arrivals, latestIds.has(row) ? now + recipientKeptMs : now)
      limits.set(row.key, { arrivals, latestId }, keptUntil)
    }
    if (!fits) {
      const verificationId = code ? verification.id : null
      addEvent({ ...command.budgetEvent, at: now, appId, verificationId })
    }
    if (!code) return { outcome: 'budget_exhausted' }

    const started = asStarted(command, { code, recipients, route: admitted.route })
    insert(command, { started, code, recipients })
    enqueue(started, firstDelivery(command, admitted.route))
    if (idempotency) answers.keep(idempotency, started, now)
    counters.count(appId, 'starts', now)
    return { outcome: 'started', verification: started }
  }
  return (command) => write(() => start(command), 'start')
}

function replay(verification: Verification): StartResult {
  return { outcome: 'replayed', verification }
}

type Admitted = Extract<Admission<NewStop>, { outcome: 'admitted' }>

function readRows(
  limits: LimitRows,
  { recipients, limits: ofApp }: StartCommand,
): Map<LimitRow, StoredLimit> {
  const rows = [...recipients.flatMap((recipient) => recipient.limits), ...ofApp]
  return new Map(rows.map((row) => [row, limits.find(row.key)]))
}

function takenBy({ recipients, app }: Admitted) {
  return [...recipients.flatMap(({ taken }) => taken), ...app]
}

/** A recipient with the row that names their latest verification. */
type Known = NewRecipient & {
  number: number
  row: LimitRow
  key: Uint8Array
  latestId: string | null
}

function recipientsOf(
  { recipients }: StartCommand,
  admitted: Admitted,
  stored: Map<LimitRow, StoredLimit>,
): Known[] {
  return admitted.recipients.map(({ number }) => {
    const recipient = recipients[number]
    const row = recipient?.limits[0]
    if (!recipient || !row) throw new Error('a recipient has no row')
    const { key } = row
    return { ...recipient, number, row, key, latestId: stored.get(row)?.latestId ?? null }
  })
}

type Started = { started: Verification; code: CodeVariant; recipients: Known[] }

function prepareInsert(database: Database) {
  const statement = database.prepare<null, Values>(`
    insert into verifications (
      id, app_id, mode, started_by, recipient_key, recipient_index, recipient_masked,
      recipient_sealed, variables_sealed, earlier_id, channel, purpose, locale, metadata, status,
      code_key_id, code_format, code_length, code_generation, code_digest, reference, attempts_max,
      resends_max, created_at, expires_at, resend_at, route, fall_back_at, fall_back_ms,
      check_delays, check_at, delivery_id, delivery_status)
    values (
      $id, $appId, $mode, $startedBy, $key, $index, $masked,
      $sealed, $variablesSealed, $latestId, $channel, $purpose, $locale, $metadata, 'pending',
      $codeKeyId, $codeFormat, $codeLength, $generation, $digest, $reference, $attemptsMax,
      $resendsMax, $createdAt, $expiresAt, $resendAt, $route, $fallBackAt, $fallBackMs,
      $checkDelays, $checkAt, $deliveryId, 'queued')`)
  const further = database.prepare<null, Further>(`
    insert into verification_recipients (verification_id, number, recipient_key, recipient_index,
      recipient_masked, recipient_sealed, earlier_id)
    values ($id, $number, $key, $index, $masked, $sealed, $latestId)`)

  return (command: StartCommand, { started, code, recipients }: Started): void => {
    const [first, ...others] = recipients
    if (!first) throw new Error('a start has a recipient')
    statement.run({
      ...started,
      ...first,
      ...startedColumns(command, started, recipients),
      variablesSealed: command.variablesSealed,
      digest: code.digest,
      deliveryId: command.delivery.id,
    })
    for (const recipient of others) further.run({ ...recipient, id: started.id })
  }
}

type Person = Pick<Known, 'key' | 'index' | 'masked' | 'sealed' | 'latestId'>
type Further = Person & { id: string; number: number }
type Values = Omit<
  Verification,
  'metadata' | 'delivery' | 'forgotten' | 'route' | 'to' | 'checkedAt'
> &
  Person & {
    metadata: string | null
    variablesSealed: Uint8Array | null
    route: string | null
    fallBackMs: number | null
    checkDelays: string | null
    digest: Uint8Array
    deliveryId: string
  }
