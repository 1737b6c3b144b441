import type { Log, Ports } from '../domain/ports.ts'
import { fallBack } from '../domain/verification/fall-back.ts'
import { type Gate, type Job, periodic } from './periodic.ts'

type FallBackPorts = Parameters<typeof fallBack>[0] & Pick<Ports, 'timers'> & { log: Log } & Gate

const everyMs = 1_000
/** Verifications that are moved on before the store is asked for more. */
const atOnce = 100
/** The most of one run, so that a stopping server does not wait for it. */
const most = 10_000

/**
 * Moves verifications on to their next channels once they are due. It may run on several nodes: the
 * store gives each fall-back to one of them.
 */
export function createFallBacks(ports: FallBackPorts): Job {
  const { verifications, clock, log } = ports
  return periodic(ports, { everyMs, event: 'fall_backs' }, async (signal) => {
    for (let done = 0; done < most && !signal.aborted; done += atOnce) {
      const due = await verifications.dueFallBacks({ now: clock.now(), limit: atOnce })
      const moved = await Promise.all(due.map((verification) => fallBack(ports, verification)))
      for (const verification of moved) {
        if (!verification) continue
        const { id: verificationId, appId, channel } = verification
        log.info('fell_back', { verificationId, appId, outcome: channel })
      }
      if (due.length < atOnce) break
    }
  })
}
