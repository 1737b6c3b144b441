import { triesKeptMs } from '../domain/account/tries.ts'
import { auditHead, cutAudit } from '../domain/audit.ts'
import { spendingKeptMs } from '../domain/delivery/spending.ts'
import { refusalWindowMs, rememberedMs } from '../domain/delivery/suppression.ts'
import { spans } from '../domain/figures/count.ts'
import { countedDaysKept, learnedDaysKept } from '../domain/learning/scores.ts'
import type { Log, Metrics, Ports } from '../domain/ports.ts'
import { endedKeptMs } from '../domain/telegram/binding.ts'
import { dayMs } from '../domain/verification/limits.ts'
import { idempotencyMs } from '../domain/verification/start.ts'
import { messagesKeptMs } from '../domain/webhook/message.ts'
import { type Gate, type Job, periodic } from './periodic.ts'

/** Keeping times, in ms. */
export type Retention = {
  verificationsMs: number
  /** Failures of swept verifications: longer than the longest window that counts them. */
  limitsMs: number
  eventsMs: number
  auditMs: number
}

type SweepPorts = Pick<
  Ports,
  'maintenance' | 'deliveries' | 'audit' | 'keyring' | 'clock' | 'timers' | 'node'
> & { metrics: Metrics; log: Log } & Gate

/** Rows that a commit may delete, and the pause after it, so that other writes wait little. */
const batchRows = 500
const pauseMs = 10
const everyMs = 60_000
/** The most batches of one run that only read limits and delete nothing. */
const idleBatchesMax = 100
/** How long the sweeping node has the turn of the job. */
const turnMs = 5 * everyMs

/**
 * Deletes every minute the rows whose keeping time is over, ends deliveries whose code has expired,
 * and logs the head of the audit log when it has moved; on one node at a time.
 */
export function createSweeper(ports: SweepPorts, retention: Retention): Job {
  const { maintenance, clock, node } = ports
  const cursor = { limitsAfter: new Uint8Array(0) }
  let toldHead = ''
  return periodic(ports, { everyMs, event: 'sweep' }, async (signal) => {
    const now = clock.now()
    if (!(await maintenance.takeTurn({ job: 'sweep', node, now, until: now + turnMs }))) return
    await sweepOnce(ports, { retention, signal, cursor })
    const state = await ports.audit.state()
    const head = state ? auditHead(state) : ''
    // A copy of it that is kept elsewhere shows that the database was put back (--expect-head).
    if (head !== toldHead) ports.log.info('audit_head', { detail: head })
    toldHead = head
  })
}

/** `cursor` is the position in the limits, from one run to the next. */
export async function sweepOnce(
  ports: SweepPorts,
  {
    retention,
    signal,
    cursor,
  }: { retention: Retention; signal: AbortSignal; cursor: { limitsAfter: Uint8Array } },
): Promise<void> {
  const { deliveries, clock, metrics, log } = ports
  await inBatches(ports, signal, async () => {
    const ended = await deliveries.expire({
      now: clock.now(),
      limit: batchRows,
      event: 'delivery.undeliverable',
    })
    return { rows: ended, more: ended > 0 }
  })
  const rows = await inBatches(ports, signal, rowSweep(ports, { retention, cursor }))
  const records = await inBatches(ports, signal, async () => {
    const cut = await cutAuditBefore(ports, clock.now() - retention.auditMs)
    return { rows: cut, more: cut > 0 }
  })
  metrics.count('otpmint_swept_rows_total', 'rows', rows)
  metrics.count('otpmint_swept_rows_total', 'audit', records)
  if (rows + records > 0) log.debug('swept', { count: rows + records })
}

/** Reads the clock for each batch, because a wrong clock may have been corrected. */
function rowSweep(
  { maintenance, clock }: SweepPorts,
  { retention, cursor }: { retention: Retention; cursor: { limitsAfter: Uint8Array } },
) {
  let idle = 0
  return async () => {
    const now = clock.now()
    const { rows, limitsAfter } = await maintenance.sweep({
      now,
      expiredEvent: 'verification.expired',
      verificationsBefore: now - retention.verificationsMs,
      eventsBefore: now - retention.eventsMs,
      messagesBefore: now - messagesKeptMs,
      failuresBefore: now - retention.limitsMs,
      idempotencyBefore: now - idempotencyMs,
      suppressionsBefore: now - rememberedMs,
      bindingsBefore: now - endedKeptMs,
      pagesBefore: now,
      reportsBefore: now - Math.max(retention.verificationsMs, retention.eventsMs),
      learnedDaysBefore: Math.floor(now / dayMs) - learnedDaysKept,
      learnedRecipientsBefore: Math.floor(now / dayMs) - countedDaysKept,
      figuresBefore: spans.map(({ spanMs, keptMs }) => ({ spanMs, before: now - keptMs })),
      refusalsBefore: now - refusalWindowMs,
      spendingBefore: now - spendingKeptMs,
      accountsBefore: now - retention.auditMs,
      triesBefore: now - triesKeptMs,
      limitsAfter: cursor.limitsAfter,
      limit: batchRows,
    })
    cursor.limitsAfter = limitsAfter
    if (rows === 0) idle++
    return { rows, more: rows > 0 || (limitsAfter.length > 0 && idle < idleBatchesMax) }
  }
}

/** Deletes one batch of the oldest audit records and seals the new state; how many. */
async function cutAuditBefore(
  { audit, keyring }: Pick<SweepPorts, 'audit' | 'keyring'>,
  before: number,
): Promise<number> {
  const state = await audit.state()
  if (!state) return 0
  const oldest = await audit.after(state.cutId, batchRows)
  const kept = oldest.findIndex(({ at }) => at >= before)
  const last = (kept < 0 ? oldest : oldest.slice(0, kept)).at(-1)
  if (!last) return 0
  const cut = await audit.cut({ expected: state.id, state: cutAudit(keyring, state, last) })
  // Another record was added first: the next run deletes.
  return cut === 'head_moved' ? 0 : cut
}

async function inBatches(
  { timers }: Pick<SweepPorts, 'timers'>,
  signal: AbortSignal,
  batch: () => Promise<{ rows: number; more: boolean }>,
): Promise<number> {
  let total = 0
  while (!signal.aborted) {
    const { rows, more } = await batch()
    total += rows
    if (!more) break
    await timers.sleep(pauseMs)
  }
  return total
}
