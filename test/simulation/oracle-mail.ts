import type { Handover } from '../../src/domain/delivery/delivery.ts'
import { type Ledger, seenOf } from './ledger.ts'
import type { MailObserver, Session } from './mail-server.ts'
import { type Ask, type Seen, violation } from './model.ts'

export type MailJudge = MailObserver & {
  /** A test key's message was put into the inbox. */
  inInbox(handover: Handover): void
  /** `/otp` has answered that this mail was not sent. */
  toldNotSent(ask: Ask): void
  /** The disk fails, or the process dies or stops: what was not stored yet may never be. */
  troubled(): void
  /** Nothing is left to do: what was answered a second ago is stored. */
  quiet(): void
}

/** Judges every message when it begins to leave and when it is taken. */
export function createMailJudge(ledger: Ledger): MailJudge {
  const byDelivery = new Map<string, Session[]>()
  const unstored = new Set<Session>()
  const forgiven = new Set<Session>()
  const notSent = new Set<string>()
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
    const sent = others.find((other) => other.outcome?.status === 'sent' && !forgiven.has(other))
    if (sent) violation('a sent mail is sent again', { sent: sent.number, ...facts })
    byDelivery.set(handover.deliveryId, [...others, session])
    unstored.add(session)
    if (ledger.isTrouble) forgiven.add(session)
    if (seen.start && seen.start.to !== handover.recipient.address) {
      violation('mail to somebody else', { to: seen.start.to, ...facts })
    }
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
      const since = ledger.time.elapsed() - 1000
      for (const session of unstored) {
        const { answeredElapsed, life } = session
        const isStored = answeredElapsed !== null && answeredElapsed <= since
        if (isStored || life.isOver) unstored.delete(session)
      }
    },
  }
}

/** What holds whenever a message leaves, through any channel. */
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
  // What waits in a lane is read again after 5 s.
  if (ledger.time.elapsed() > seen.app.goneElapsed + 5_000)
    violation('mail of a deleted app', facts)
  if (now >= handover.expiresAt) violation('mail with a code whose life is over', { now, ...facts })
  return seen
}

/** Only to whom somebody asked to mail: this app, in this mode. */
function judgeRecipient(ledger: Ledger, handover: Handover): Seen {
  const { app, mode, recipient, verificationId } = handover
  const known = ledger.apps.find(({ id }) => id === app.id)
  if (!known) violation('mail of an unknown app', { app: app.id })
  const seen = seenOf(ledger, verificationId, { app: known, mode })
  if (seen.app !== known || seen.mode !== mode) violation('mail of a foreign verification', {})
  const isAsked = ledger.asks.some((ask) => {
    const isStart = ask.kind === 'start' || ask.kind === 'otp'
    const isSame = ask.app === known && (ask.key?.mode ?? 'live') === mode
    return isStart && isSame && ask.to === recipient.address
  })
  if (!isAsked) violation('mail that nobody asked for', { verificationId })
  return seen
}

function factsOf({ number, handover, mood, life }: Session): object {
  const { deliveryId: delivery, verificationId: verification } = handover
  return { mail: number, delivery, verification, mood, life: life.number }
}
