import type { DeliveryOutcome } from '../../domain/delivery/delivery.ts'
import { type Lease, mayBegin } from '../../domain/delivery/lease.ts'
import { lifeLeft } from '../../domain/delivery/life.ts'
import { traceOf } from '../../domain/delivery/trace.ts'
import type { Clock, Turn } from '../../domain/ports.ts'
import { failure } from '../connect.ts'
import { createQueue } from '../queue.ts'
import { createComposer } from './compose.ts'
import { type Connections, createConnections } from './connections.ts'
import type { MailNetwork } from './dial.ts'
import { createDkim } from './dkim.ts'
import { type Mailer, type MailJob, stopOf } from './mail-job.ts'
import type { Session } from './session.ts'
import { outcomeOf, type SmtpFailure, sentOutcome } from './smtp-outcome.ts'

/** The longest time of a whole try, in ms. */
const tryMaxMs = 40_000

type MailerPorts = MailNetwork & { clock: Clock; connectionsMax: number }

/** Composes mails and hands them over in this thread. */
export function createMailer(network: MailerPorts): Mailer {
  const composer = createComposer()
  const dkim = createDkim()
  const connections = createConnections(network)
  const queue = createQueue(network)

  const send = async (job: MailJob, { signal, lease }: Sending, begun?: () => void) => {
    const refused = connections.loginRefused(job.server)
    if (refused !== null) return refused
    const life = lifeLeft(job.mail.expiresAt, network.clock.now())
    const composed = await composer.compose(job.mail, job.server.settings, life)
    const raw = job.dkim ? await dkim.sign(composed, job.dkim, job.mail.createdAt) : composed
    const outcome = await handOver({ job, raw, lease, begun }, { connections, network, signal })
    if (outcome.status === 'refused' && outcome.cause === 'login') {
      connections.refuseLogin(job.server, outcome)
    }
    return outcome
  }
  return {
    send: (job, signal, begun) => send(job, { signal }, begun),
    queue(job, turn, begun) {
      const { server, mail } = job
      const place = { endpointId: server.endpointId, expiresAt: mail.expiresAt }
      return queue.run(place, turn, () => send(job, turn, begun))
    },
    close: connections.close,
  }
}

type Context = { connections: Connections; network: MailNetwork; signal: AbortSignal }
type Sending = Omit<Turn, 'width'>
type Work = {
  job: MailJob
  raw: string
  lease: Lease | undefined
  begun: (() => void) | undefined
}

async function handOver(work: Work, context: Context): Promise<DeliveryOutcome> {
  const { server, mail } = work.job
  const secrets = { recipient: mail.recipient, code: mail.code }
  const state = { begun: false }
  const begun = () => {
    state.begun = true
    work.begun?.()
  }
  const stop = stopping(context, () => state.begun)
  try {
    const { accepted, response } = await transfer({ ...work, begun }, context, stop)
    if (accepted.length === 1 && accepted[0] === mail.recipient) {
      return sentOutcome(response, server.registeredBy, secrets)
    }
    const detail = 'the mail server accepted another recipient than the one it was given'
    return { status: 'refused', cause: 'message', code: null, detail }
  } catch (error) {
    return outcomeOf(stop.failure ?? (error as SmtpFailure), server, { secrets, ...state })
  } finally {
    stop.end()
  }
}

/** Sends over a connection that is open already, or opens one. */
async function transfer(
  { job, raw, lease, begun }: Work & { begun(): void },
  { connections, network }: Context,
  stop: Stopping,
): Promise<{ accepted: string[]; response: string }> {
  const { server, mail } = job
  let hasBegun = false
  const outgoing = {
    from: server.settings.from,
    // The recipient is in the envelope, independent of the headers.
    to: mail.recipient,
    envid: traceOf(mail.deliveryId),
    raw,
    mayBegin() {
      const may = mayBegin(lease, network.timers.monotonic())
      return may === true || may.then((isHeld) => isHeld || stop.lose())
    },
    begun: () => {
      hasBegun = true
      begun()
    },
  }
  const kept = connections.take(server)
  if (kept) {
    try {
      return await over(kept, stop, () => kept.send(outgoing), connections.keep(server))
    } catch (error) {
      // The server has ended the session since the last mail, so this mail was not sent yet.
      if (hasBegun || !isSessionOver(error as SmtpFailure) || stop.failure) throw error
    }
  }
  const session = await connections.open(server, stop.signal)
  return over(session, stop, () => session.send(outgoing), connections.keep(server))
}

/** Runs an exchange on a session, which is kept for the next mail or closed. */
async function over<Result>(
  session: Session,
  stop: Stopping,
  exchange: () => Promise<Result>,
  keep: (session: Session) => void,
): Promise<Result> {
  stop.close = session.close
  if (stop.failure) session.close()
  try {
    return await exchange()
  } finally {
    stop.close = null
    keep(session)
  }
}

/** No reply, or 421: the server ends the session whatever is sent. */
function isSessionOver({ response }: SmtpFailure): boolean {
  return !response || response.startsWith('421')
}

type Stopping = {
  /** Ends the opening of a session. */
  signal: AbortSignal
  /** Closes the session that is in use. */
  close: (() => void) | null
  /** Why it was stopped. */
  failure: SmtpFailure | null
  /** Ends it because another node has taken the message over; false. */
  lose(): false
  end(): void
}

/** Ends a try when its time is over or the signal drops it; a cancel ends it until it has begun. */
function stopping({ network, signal }: Context, hasBegun: () => boolean): Stopping {
  const controller = new AbortController()
  const stop = (code: string) => {
    stopping.failure ??= failure(code)
    controller.abort()
    stopping.close?.()
  }
  const onAbort = () => {
    if (stopOf(signal) === 'drop' || !hasBegun()) stop('EABORT')
  }
  const cancelLate = network.timers.after(tryMaxMs, () => stop('ETIMEDOUT'))
  signal.addEventListener('abort', onAbort)
  const stopping: Stopping = {
    signal: controller.signal,
    close: null,
    failure: null,
    lose() {
      stop('EABORT')
      return false
    },
    end: () => {
      cancelLate()
      signal.removeEventListener('abort', onAbort)
    },
  }
  if (signal.aborted) onAbort()
  return stopping
}
