import type { Log, Metrics, Ports } from '../domain/ports.ts'
import { every, type Job } from './every.ts'

/** How long things are kept, in ms (security.md G2). */
export type Retention = {
  verificationsMs: number
  limitsMs: number
  eventsMs: number
  auditMs: number
}

type SweepPorts = Pick<Ports, 'records' | 'deliveries' | 'clock'> & { metrics: Metrics; log: Log }

/** Rows a commit may delete, and the pause after it: nobody waits long behind a sweep. */
const batchRows = 500
const pauseMs = 10
const intervalMs = 60_000

/** Deletes every minute what is past its keeping time, and ends deliveries whose code is dead. */
export function createSweeper(ports: SweepPorts, retention: Retention): Job {
  return every(intervalMs, 'sweep', ports.log, (signal) => sweepOnce(ports, retention, signal))
}

export async function sweepOnce(
  { records, deliveries, clock, metrics, log }: SweepPorts,
  retention: Retention,
  signal: AbortSignal,
): Promise<void> {
  const now = clock.now()
  await inBatches(signal, () => deliveries.expire({ now, limit: batchRows }))
  const swept = await inBatches(signal, () =>
    records.sweep({
      now,
      verificationsBefore: now - retention.verificationsMs,
      limitsBefore: now - retention.limitsMs,
      eventsBefore: now - retention.eventsMs,
      auditBefore: now - retention.auditMs,
      limit: batchRows,
    }),
  )
  metrics.count('otpmint_swept_rows_total', 'rows', swept)
  if (swept > 0) log.debug('swept', { count: swept })
}

async function inBatches(signal: AbortSignal, batch: () => Promise<number>): Promise<number> {
  let total = 0
  while (!signal.aborted) {
    const rows = await batch()
    if (rows === 0) break
    total += rows
    await Bun.sleep(pauseMs)
  }
  return total
}
