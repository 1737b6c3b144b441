import type { Log, Timers } from '../../domain/ports.ts'
import { nameOf } from '../../domain/problem.ts'
import type { SettledWebhook, WebhookPlace, WebhookStore } from '../../domain/webhook/stores.ts'

/** The result of one try, with what follows for its webhook. */
export type Settled = WebhookPlace & {
  result: SettledWebhook['results'][number]
  failingSince: number | null
  off: SettledWebhook['off']
  onDisk(): void
}

/** Writes results in groups, and again when the database refuses them. */
export type Ledger = {
  add(settled: Settled): void
  /** Resolves when every result is on disk, or was tried once more. */
  drain(): Promise<void>
}

/**
 * Results that come within this time, in ms, are written in one commit, because a commit costs as
 * much as many posts. A crash in between sends those messages once more, with the same ids.
 */
const gatherMs = 50
/** The most results of one write, so that no commit is long. */
const batchMax = 200
const retryMs = 1_000

type LedgerPorts = {
  webhooks: Pick<WebhookStore, 'settle'>
  clock: { now(): number }
  timers: Pick<Timers, 'after'>
  log: Log
}

export function createLedger({ webhooks, clock, timers, log }: LedgerPorts): Ledger {
  let waiting: Settled[] = []
  let cancel: (() => void) | null = null
  let isDraining = false
  let writing: Promise<void> = Promise.resolve()

  /** False when the database refused a batch; it and the rest wait. */
  async function writeAll(): Promise<boolean> {
    while (waiting.length > 0) {
      const batch = waiting.slice(0, batchMax)
      try {
        await webhooks.settle({ now: clock.now(), webhooks: byWebhook(batch) })
      } catch (error) {
        const detail = nameOf(error)
        log.warn('webhook_results_not_written', { count: waiting.length, detail })
        return false
      }
      waiting = waiting.slice(batch.length)
      for (const { onDisk } of batch) onDisk()
    }
    return true
  }
  function schedule(afterMs: number): void {
    if (cancel || isDraining) return
    cancel = timers.after(afterMs, () => {
      writing = writeAll().then((isWritten) => {
        cancel = null
        if (waiting.length > 0) schedule(isWritten ? gatherMs : retryMs)
      })
    })
  }
  return {
    add(settled) {
      waiting.push(settled)
      schedule(gatherMs)
    },
    async drain() {
      isDraining = true
      cancel?.()
      await writing
      await writeAll()
    },
  }
}

/** One entry for each webhook; the latest result says how it stands. */
function byWebhook(batch: Settled[]): SettledWebhook[] {
  const found = new Map<string, SettledWebhook>()
  for (const { appId, webhookId, result, failingSince, off } of batch) {
    const entry = found.get(webhookId)
    if (!entry) found.set(webhookId, { appId, webhookId, results: [result], failingSince, off })
    else Object.assign(entry, { failingSince, off: entry.off ?? off }).results.push(result)
  }
  return [...found.values()]
}
