import { dayMs } from '../../domain/limit.ts'
import type { CodeVariant, StartCommand, StartResult } from '../../domain/stores.ts'
import type { Verification } from '../../domain/verification.ts'
import type { Undo } from './group-commit.ts'
import type { Journal } from './journal.ts'
import type { Limits } from './limits.ts'
import type { VerificationStatements } from './verification-statements.ts'

type Parts = { limits: Limits; journal: Journal; statements: VerificationStatements }

/** The start of a verification: limits, budget, code, delivery and Idempotency-Key in one. */
export function createStart({ limits, journal, statements }: Parts) {
  function earlier({ verification, idempotency }: StartCommand): StartResult | null {
    if (!idempotency) return null
    const kept = statements.kept.get({
      key: idempotency.key,
      since: verification.createdAt - dayMs,
    })
    if (!kept) return null
    if (Buffer.compare(kept.fingerprint, idempotency.fingerprint) !== 0) {
      return { outcome: 'key_reused' }
    }
    const { verification_id: verificationId, answer, kept_at: keptAt } = kept
    return { outcome: 'replayed', verificationId, answer, keptAt }
  }

  function start(command: StartCommand, undo: Undo<StartResult>): StartResult {
    const { verification, idempotency, budget, delivery } = command
    const { appId, attemptsMax, createdAt: now } = verification
    const replay = earlier(command)
    if (replay) return replay

    for (const limit of command.limits) {
      const retryAt = limits.take(limit, now)
      if (retryAt !== null) return undo({ outcome: 'limited', limit: limit.name, retryAt })
    }
    const earlierSeq = limits.latest(budget.key)
    const fits = limits.fits(budget, earlierSeq, attemptsMax, now)
    if (!fits) journal.event(budgetEvent(command, now))
    const code = fits ? command.short : command.long?.()
    if (!code) return { outcome: 'budget_exhausted' }

    const { lastInsertRowid } = statements.insert.run({
      ...verification,
      metadata: verification.metadata && JSON.stringify(verification.metadata),
      recipientIndex: command.recipientIndex,
      recipientSealed: command.recipientSealed,
      budgetKey: budget.key,
      earlierSeq,
      codeFormat: code.format,
      codeLength: code.length,
      codeGeneration: code.generation,
      codeDigest: code.digest,
      deliveryId: delivery.id,
    })
    limits.setLatest(budget.key, Number(lastInsertRowid), now)
    const started = asStored(verification, code)
    queueDelivery(statements, started, delivery, now)
    if (idempotency) {
      statements.keep.run({ ...idempotency, appId, verificationId: verification.id, now })
    }
    journal.count(appId, 'starts', now)
    return { outcome: 'started', verification: started }
  }

  return start
}

/** What was inserted; having SQLite give it back would take a quarter of the insert's time. */
function asStored(
  verification: StartCommand['verification'],
  { format, length, generation }: CodeVariant,
): Verification {
  return {
    ...verification,
    status: 'pending',
    codeFormat: format,
    codeLength: length,
    generation,
    attemptsSpent: 0,
    resendsSpent: 0,
    delivery: { status: 'queued', detail: null },
  }
}

function budgetEvent({ verification, long }: StartCommand, now: number) {
  const { appId, id: verificationId } = verification
  const data = { answer: long ? 'long_code' : 'refused' }
  return { at: now, appId, type: 'budget.exhausted' as const, verificationId, data }
}

/** The outbox's row, in the transaction of what it delivers. */
export function queueDelivery(
  statements: VerificationStatements,
  { id, appId, channel, expiresAt }: Verification,
  delivery: StartCommand['delivery'],
  now: number,
): void {
  const { id: deliveryId, leaseUntil: dueAt } = delivery
  const values = { deliveryId, appId, verificationId: id, channel, dueAt, now, expiresAt }
  statements.insertDelivery.run(values)
}
