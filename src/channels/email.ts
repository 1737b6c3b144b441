import type { EmailChannel } from '../domain/app.ts'
import type { DeliveryOutcome, Handover } from '../domain/delivery.ts'
import type { Channel, Ports } from '../domain/ports.ts'
import { createComposer } from './compose.ts'
import { createPools, type MailPool } from './mail-pools.ts'
import type { MailNetwork } from './smtp-options.ts'
import { outcomeOf, wordsOf } from './smtp-outcome.ts'

const sendTimeoutMs = 40_000

/**
 * Mail through each app's own server. What one app's server does (blackhole, refused login) is felt
 * by that app only.
 */
export function createEmailChannel({
  keyring,
  clock,
  ...network
}: Pick<Ports, 'keyring' | 'clock'> & MailNetwork): Channel {
  const composer = createComposer()
  const pools = createPools({ keyring, clock, network })

  return {
    async deliver(handover, signal) {
      const { email } = handover.app
      if (!email) return refusedForNow('this app has no mail server')
      if (!oneAddress.test(handover.recipient)) return notAnAddress
      const pool = pools.of(handover.app, email)
      if (pool === null) return refusedForNow('the password of the mail server cannot be opened')
      const refused = pool.loginRefused()
      if (refused !== null) return { status: 'refused', detail: refused, cause: 'login' }

      const raw = await composer.compose(handover, email)
      const outcome = await send(pool, handover, email, raw, signal)
      if (outcome.status === 'refused' && outcome.cause === 'login') {
        pool.refuseLogin(outcome.detail)
      }
      return outcome
    },
    close: pools.close,
  }
}

/** The domain lets nothing else through; what reaches a server must not depend on that alone. */
const oneAddress = /^[^\p{C}\p{Z},;:<>()[\]"\\@]+@[^\p{C}\p{Z},;:<>()[\]"\\@]+$/u
const notAnAddress: DeliveryOutcome = {
  status: 'refused',
  detail: 'the recipient is not one address',
  cause: 'recipient',
}

function refusedForNow(detail: string): DeliveryOutcome {
  return { status: 'refused', detail, cause: 'server' }
}

async function send(
  pool: MailPool,
  handover: Handover,
  email: EmailChannel,
  raw: string,
  signal: AbortSignal,
): Promise<DeliveryOutcome> {
  const { recipient } = handover
  const deadline = withDeadline(signal)
  // The envelope says who gets it, whatever the headers say.
  const envelope = { from: email.from, to: [recipient] }
  const handed = await pool.send({ envelope, raw, signal: deadline.signal })
  deadline.end()

  if (!handed.taken) {
    // Others waited for a connection when the first login was refused.
    const refused = handed.dataBegun ? null : pool.loginRefused()
    if (refused !== null) return { status: 'refused', detail: refused, cause: 'login' }
    return outcomeOf(handed.failure, handover, handed.dataBegun)
  }
  if (handed.accepted.length !== 1 || handed.accepted[0] !== recipient) {
    const detail = 'the mail server accepted another recipient than the one it was given'
    return { status: 'refused', detail, cause: 'message' }
  }
  return { status: 'sent', detail: wordsOf(handed.response, handover) }
}

/** Ends with the caller's signal, or after the time that a whole send may take. */
function withDeadline(signal: AbortSignal): { signal: AbortSignal; end(): void } {
  const controller = new AbortController()
  const abort = () => controller.abort()
  const late = setTimeout(abort, sendTimeoutMs)
  signal.addEventListener('abort', abort)
  if (signal.aborted) abort()
  return {
    signal: controller.signal,
    end: () => {
      clearTimeout(late)
      signal.removeEventListener('abort', abort)
    },
  }
}
