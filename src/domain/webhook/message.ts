import type { Event } from '../event.ts'
import { base62Digits, newTimedId } from '../id.ts'
import type { Ports } from '../ports.ts'
import { dayMs } from '../verification/limits.ts'
import {
  attemptsLeft,
  type Mode,
  statusOf,
  type Verification,
} from '../verification/verification.ts'
import { toldAs, type Webhook, type WebhookType } from './webhook.ts'

export const messageStatuses = ['waiting', 'delivered', 'dead'] as const
/** `dead`: given up; it is sent again only by a replay. */
export type MessageStatus = (typeof messageStatuses)[number]

/** What one webhook is told of one event. */
export type Message = {
  /** The same in every try, and for every webhook of the app. */
  id: string
  webhookId: string
  type: WebhookType
  verificationId: string | null
  status: MessageStatus
  /** How many tries were made since it was written or replayed. */
  tries: number
  /** When it is tried next; null once it has ended. */
  nextAt: number | null
  /** The status of the latest answer; null without one. */
  code: number | null
  /** Why the latest try failed, or why there was none. */
  detail: string | null
  createdAt: number
}

/** A message with its body, to be sent. */
export type DueMessage = Pick<Message, 'id' | 'type' | 'tries'> & { body: string }

/** How long messages are kept, whether or not they arrived. */
export const messagesKeptMs = 7 * dayMs
/** The most messages that wait for one webhook; later ones are dead at once. */
export const waitingMax = 50_000
export const tooManyWait = `${waitingMax.toLocaleString('en')} messages were waiting already`

/** The id of the messages of an event: its time, then its number, so that ids sort by time. */
export function messageId(at: number, eventId: number): string {
  return `msg_${base62Digits(Math.max(0, at), 8)}${base62Digits(eventId, 8)}`
}

export function isMessageId(text: string): boolean {
  return /^msg_[0-9A-Za-z]{16}$/.test(text)
}

/** What an event is told as: the body of its messages, with what is known of its verification. */
export type Told = { type: WebhookType; mode: Mode | null; body: string }

/** Null for an event that is not told. `verification` as it is after the event. */
export function toldOf(event: Omit<Event, 'id'>, verification: Verification | null): Told | null {
  const type = toldAs[event.type]
  if (type === null || event.appId === null) return null
  if (type === 'app.alarm') return { type, mode: null, body: bodyOf(event, type, alarmData(event)) }
  if (verification === null) return null
  const data = { mode: verification.mode, ...verificationData(event, verification) }
  return { type, mode: verification.mode, body: bodyOf(event, type, data) }
}

/** Whether a webhook is told of it. What concerns no verification is told in either mode. */
export function isToldOf(
  { types, testEvents }: Pick<Webhook, 'types' | 'testEvents'>,
  { type, mode }: Pick<Told, 'type' | 'mode'>,
): boolean {
  return types.includes(type) && (testEvents || mode !== 'test')
}

/** The body as Standard Webhooks has it: `type`, `timestamp`, `data`. */
export function bodyOf(
  { at, appId }: Pick<Event, 'at' | 'appId'>,
  type: string,
  data: Record<string, unknown>,
): string {
  return JSON.stringify({ type, timestamp: timeOf(at), data: { app: appId, ...data } })
}

/** A message that tests a webhook: of a type of its own, and in no list. */
export function testMessage(
  { clock, random }: Pick<Ports, 'clock' | 'random'>,
  appId: string,
  webhookId: string,
): { id: string; body: string } {
  const at = clock.now()
  const body = bodyOf({ at, appId }, 'webhook.test', { webhook: webhookId })
  return { id: `msg_${newTimedId(random, at)}`, body }
}

function alarmData({ type, data }: Omit<Event, 'id'>) {
  return { alarm: { state: type === 'alarm.raised' ? 'raised' : 'cleared', ...data } }
}

function verificationData({ type, at, data }: Omit<Event, 'id'>, verification: Verification) {
  const [noun, status] = type.split('.')
  return {
    verification: {
      id: verification.id,
      status: statusOf(verification, at),
      to: verification.to,
      channel: verification.channel,
      purpose: verification.purpose,
      locale: verification.locale,
      metadata: verification.metadata,
      reference: verification.reference,
      attempts_left: attemptsLeft(verification),
      created_at: timeOf(verification.createdAt),
      expires_at: timeOf(verification.expiresAt),
    },
    ...(noun === 'delivery' && { delivery: { status, ...data } }),
  }
}

function timeOf(at: number): string {
  return new Date(at).toISOString()
}
