import type { Handover } from '../../src/domain/delivery/delivery.ts'
import { type Ledger, mayBeDeleted, mayBeExpired, mayLackKey, seenOf } from './ledger.ts'
import type { MailObserver, Session } from './mail-server.ts'
import { type Ask, addressOf, isRouted, peopleOf, type Seen, violation } from './model.ts'

export type MailJudge = MailObserver & {
  /** A message of a test key was put into the inbox. */
  inInbox(handover: Handover): void
  /** `/otp` has answered that the mail was not sent. */
  toldNotSent(ask: Ask): void
  /** The disk fails, or the process is killed or stopped: unstored outcomes may be lost. */
  troubled(): void
  /** No task is due: outcomes that are older than a second are stored. */
  quiet(): void
}

/** The least wait before a mail whose reply is missing is sent again, in ms. */
const ambiguousWaitMs = 60_000
/** The same after greylisting without a Retry-After, in ms. */
const greylistedWaitMs = 15_000
/** A mail begins within this time of calm after the one before it on its connection, in ms. */
const laneMs = 1_000
/** So long after a disk fault a message may be sent whose stop was stored, but not answered. */
const doubtMs = 10_000
/** The next process sends a killed process's waiting mail within this time, in ms. */
const waitMaxMs = 4_000

/** Checks every message when its hand-over begins, when it is sent, and when it is accepted. */
export function createMailJudge(ledger: Ledger): MailJudge {
  const byDelivery = new Map<string, Session[]>()
  const unstored = new Set<Session>()
  const forgiven = new Set<Session>()
  const notSent = new Set<string>()
  const byRecipient = new Map<string, Session[]>()
  const byVerification = new Map<string, Session[]>()
  const takenTo = new Set<string>()

  function begins(session: Session): void {
    const { handover } = session
    const facts = factsOf(session)
    if (handover.mode !== 'live') violation('a test key mails', facts)
    const seen = judgeHandover(ledger, handover)
    if (notSent.has(handover.recipient.address)) violation('mail after "was not sent"', facts)
    const { endpoint, app } = handover
    if (endpoint && endpoint.appId !== app.id) violation('a foreign endpoint', facts)
    const others = byDelivery.get(handover.deliveryId) ?? []
    if (others.some((other) => other.life === session.life && other.outcome === null)) {
      violation('a delivery is handed over twice at once', facts)
    }
    // The process itself knows what it has sent, even if the disk did not store it.
    const isKnown = (other: Session) => other.life === session.life || !forgiven.has(other)
    const sent = others.find((other) => other.outcome?.status === 'sent' && isKnown(other))
    if (sent) violation('a sent mail is sent again', { sent: sent.number, ...facts })
    const last = others.at(-1)
    if (last && isTooEarly(ledger, last) && !forgiven.has(last)) {
      violation('a mail is tried again too early', { last: last.outcome, ...facts })
    }
    const recipient = recipientOf(handover.app, handover.recipient.address)
    const earlier = byRecipient.get(recipient) ?? []
    const isStored = (other: Session) => !unstored.has(other) && !forgiven.has(other)
    if (earlier.some((other) => isStored(other) && isSuppressing(ledger, other))) {
      violation('a mail to a suppressed address', facts)
    }
    byRecipient.set(recipient, [...earlier, session])
    byDelivery.set(handover.deliveryId, [...others, session])
    unstored.add(session)
    if (ledger.isTrouble) forgiven.add(session)
    const named = addressOf(seen, handover.channel)
    if (seen.start && named !== handover.recipient.address) {
      violation('mail to somebody else', { to: named, ...facts })
    }
    judgeRoute(session, seen)
  }

  /** Checks that the channel is one that remains, and that no other was used after this message. */
  function judgeRoute(session: Session, seen: Seen): void {
    const { handover } = session
    const { channel, createdAt } = handover
    const kept: { channel: string }[] = seen.start?.answer?.json?.route ?? []
    if (kept.length > 0 && !kept.some((stop) => stop.channel === channel)) {
      violation('a message through a channel that lost its recipient', factsOf(session))
    }
    const sessions = byVerification.get(seen.id) ?? []
    byVerification.set(seen.id, [...sessions, session])
    const isDoubtful = ledger.time.elapsed() - ledger.troubleElapsed < doubtMs
    if (ledger.jumped || isDoubtful || seen.resends.size > 0) return
    const newer = sessions.find(({ handover: other }) => {
      return other.channel !== channel && other.createdAt > createdAt
    })
    if (newer) violation('a stopped message is sent', { newer: newer.number, ...factsOf(session) })
  }

  function sends(session: Session): void {
    const { approvedAt, canceledAt } = judgeRecipient(ledger, session.handover)
    // Data that a killed process had written to its socket may still arrive.
    if (session.life.isOver || (approvedAt === null && canceledAt === null)) return
    violation('mail leaves after an approval or a cancel', factsOf(session))
  }

  function taken(session: Session): void {
    const { handover } = session
    const seen = judgeRecipient(ledger, handover)
    seen.copies++
    takenTo.add(handover.recipient.address)
    if (notSent.has(handover.recipient.address)) {
      violation('mail taken after "was not sent"', factsOf(session))
    }
    const copies = (byDelivery.get(handover.deliveryId) ?? []).filter(({ isTaken }) => isTaken)
    const counted = copies.filter((other) => !forgiven.has(other))
    const facts = { copies: copies.map(({ number, outcome }) => [number, outcome]) }
    if (counted.length > 2) violation('more than two copies', { ...facts, ...factsOf(session) })
  }

  return {
    begins,
    sends,
    taken,
    inInbox(handover) {
      if (handover.mode !== 'test') violation('live mail in the inbox', { id: handover.deliveryId })
      judgeHandover(ledger, handover)
    },
    toldNotSent({ to, number }) {
      if (to === null || to === undefined) return
      if (takenTo.has(to)) violation('"was not sent" of a mail that was taken', { request: number })
      notSent.add(to)
    },
    troubled() {
      for (const session of unstored) forgiven.add(session)
    },
    quiet() {
      if (ledger.isTrouble) return
      if ((ledger.calmMs ?? 0) >= waitMaxMs) judgeWaiting(ledger, { byDelivery, byRecipient })
      const since = ledger.time.elapsed() - 1000
      for (const session of unstored) {
        const { answeredElapsed, life } = session
        const isStored = answeredElapsed !== null && answeredElapsed <= since
        if (isStored || life.isOver) unstored.delete(session)
      }
    },
  }
}

/** True while the wait after a missing or a greylisting reply lasts, if the clock never jumped. */
function isTooEarly({ time, jumped }: Ledger, { outcome, answeredElapsed }: Session): boolean {
  if (outcome?.status !== 'deferred' || jumped) return false
  const isGreylisted = outcome.cause === 'greylisted'
  const greyMs = isGreylisted ? (outcome.retryAfterMs ?? greylistedWaitMs) : 0
  const waitMs = outcome.ambiguous ? ambiguousWaitMs : greyMs
  return time.elapsed() < (answeredElapsed ?? 0) + waitMs
}

function recipientOf(app: { id: string }, address: string): string {
  return `${app.id} ${address}`
}

/** True for the refusal of a recipient, which suppresses the address. */
function isRefusedRecipient({ outcome }: Session): boolean {
  return outcome?.status === 'refused' && outcome.cause === 'recipient'
}

const suppressedMs = 86_400_000

/** True while the refusal suppresses its address for certain, if the clock never jumped. */
function isSuppressing({ time, jumped, seen }: Ledger, session: Session): boolean {
  if (jumped || !isRefusedRecipient(session)) return false
  // The refusal of a mail whose code was used or canceled meanwhile is not stored.
  const about = seen.get(session.handover.verificationId)
  const sinceMs = time.elapsed() - (session.answeredElapsed ?? 0)
  const isExpired = time.clock.now() - sinceMs >= session.handover.expiresAt
  // Where another channel follows, nothing is suppressed.
  const isKnown = about !== undefined && !isRouted(about)
  return isKnown && !isUsed(about) && !isExpired && sinceMs < suppressedMs
}

type Sessions = Record<'byDelivery' | 'byRecipient', Map<string, Session[]>>

/** Checks that acknowledged mail and that of earlier processes is sent, if no fault delays it. */
function judgeWaiting(ledger: Ledger, { byDelivery, byRecipient }: Sessions): void {
  const mayBeSuppressed = ({ app, start }: Seen) =>
    (start ? peopleOf(start) : []).some((address) =>
      (byRecipient.get(recipientOf(app, address)) ?? []).some(isRefusedRecipient),
    )
  const all = [...byDelivery.values()].flat()
  const begun = new Map<string, number>()
  const used = new Map<string, Set<string>>()
  for (const [delivery, sessions] of byDelivery) {
    const { life, outcome, handover } = sessions.at(-1) as Session
    const verification = handover.verificationId
    begun.set(verification, (begun.get(verification) ?? 0) + 1)
    used.set(verification, (used.get(verification) ?? new Set()).add(handover.channel))
    const seen = ledger.seen.get(verification)
    // Another channel may be used in its place.
    if (!seen || isRouted(seen) || !life.isOver || outcome !== null || mayBeSuppressed(seen))
      continue
    if (!mustBeSent(ledger, seen)) continue
    violation('a mail that a dead process began is not sent again', { delivery, verification })
  }
  for (const seen of ledger.seen.values()) {
    if (seen.mode !== 'live' || mayBeSuppressed(seen) || !mustBeSent(ledger, seen)) continue
    const due = [seen.start, ...seen.resends].filter((ask) => ask && isDue(ledger, ask))
    judgeFallBack(ledger, seen, used.get(seen.id) ?? new Set())
    // What is moved on to another channel is stopped, also before it has begun.
    const least = isRouted(seen) ? Math.min(1, due.length) : due.length
    if (least <= (begun.get(seen.id) ?? 0) || isBusy(ledger, due.at(-1), all)) continue
    const requests = due.map((ask) => ask?.number)
    violation('an acknowledged mail is not sent', { verification: seen.id, requests })
  }
}

/**
 * True while other mails of the app go before the one of this request: a process begins with one
 * connection, and a mail that is on it may end in a step of time of its own.
 */
function isBusy({ calmMs }: Ledger, ask: Ask | null | undefined, all: Session[]): boolean {
  const { answer, app, life } = ask ?? {}
  if (!answer || life?.isOver) return false
  const others = all.filter(({ handover, begunElapsed }) => {
    return handover.app.id === app?.id && begunElapsed > answer.elapsed
  })
  return (calmMs ?? 0) - (answer.calmMs ?? 0) < waitMaxMs + others.length * laneMs
}

/** Checks that the next channel was used once the wait was over. */
function judgeFallBack({ time, calmMs }: Ledger, seen: Seen, used: Set<string>): void {
  const { start, resends } = seen
  const stops: { channel: string }[] = start?.answer?.json?.route ?? []
  if (!start?.answer || !start.fallBackSeconds || stops.length < 2 || resends.size > 0) return
  const sinceMs = time.elapsed() - start.answer.elapsed
  // The server does nothing while the time leaps, so what is due in it follows the leap.
  const before = start.answer.calmMs ?? 0
  const calmSince = (calmMs ?? 0) >= before ? (calmMs ?? 0) - before : (calmMs ?? 0)
  if (sinceMs < start.fallBackSeconds * 1000 + waitMaxMs || calmSince < waitMaxMs * 2) return
  // The first message may be stopped before it has begun.
  if ([...used].some((channel) => channel !== stops[0]?.channel)) return
  violation('a fall-back that is due does not happen', { request: start.number, id: seen.id })
}

/** True if the request has queued a mail, which should have been sent by now. */
function isDue({ calmMs }: Ledger, { answer, life }: Ask): boolean {
  if (!answer || answer.status >= 300) return false
  return life.isOver || (calmMs ?? 0) - (answer.calmMs ?? 0) >= waitMaxMs
}

function mustBeSent(ledger: Ledger, seen: Seen): boolean {
  const isOver = mayBeExpired(seen) || mayBeDeleted(seen) || mayLackKey(ledger, seen)
  return !isOver && !isUsed(seen) && !seen.app.isLeaving && !ledger.jumpedBack.ever
}

/** True if the code may have been used, used up or canceled. */
function isUsed({ approvers, cancelers, spends, begun }: Seen): boolean {
  return approvers.size + cancelers.size > 0 || spends.size >= (begun?.attemptsMax ?? 0)
}

/** Checks a message of any channel when its hand-over begins. */
function judgeHandover(ledger: Ledger, handover: Handover): Seen {
  const seen = judgeRecipient(ledger, handover)
  const facts = { verification: seen.id, delivery: handover.deliveryId }
  const now = ledger.time.clock.now()
  seen.begun ??= {
    ...{ createdAt: handover.createdAt, expiresAt: handover.expiresAt, attemptsMax: null },
    ...{ codeLength: handover.code.length, codeFormat: handover.codeFormat, fixed: null },
  }
  if (seen.code !== null && seen.code !== handover.code) violation('another code is sent', facts)
  seen.code = handover.code
  if (seen.approvedAt !== null) violation('mail begins after an approval', facts)
  if (seen.canceledAt !== null) violation('mail begins after a cancel', facts)
  // A message that waits in a lane is read from the store again after 5 s.
  if (ledger.time.elapsed() > seen.app.goneElapsed + 5_000)
    violation('mail of a deleted app', facts)
  if (now >= handover.expiresAt) violation('mail with a code whose life is over', { now, ...facts })
  return seen
}

/** Checks that a start of this app and mode names the recipient. */
function judgeRecipient(ledger: Ledger, handover: Handover): Seen {
  const { app, mode, recipient, verificationId } = handover
  const known = ledger.apps.find(({ id }) => id === app.id)
  if (!known) violation('mail of an unknown app', { app: app.id })
  const seen = seenOf(ledger, verificationId, { app: known, mode })
  if (seen.app !== known || seen.mode !== mode) violation('mail of a foreign verification', {})
  const isAsked = ledger.asks.some((ask) => {
    const isStart = ask.kind === 'start' || ask.kind === 'otp'
    const isSame = ask.app === known && (ask.key?.mode ?? 'live') === mode
    return isStart && isSame && peopleOf(ask).includes(recipient.address)
  })
  if (!isAsked) violation('mail that nobody asked for', { verificationId })
  return seen
}

function factsOf({ number, handover, mood, life }: Session): object {
  const { deliveryId: delivery, verificationId: verification } = handover
  return { mail: number, delivery, verification, mood, life: life.number }
}
