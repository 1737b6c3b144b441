import type { Cause, DeliveryOutcome, RefusalCause } from '../../domain/delivery/delivery.ts'
import { deferredBy } from '../../domain/delivery/delivery.ts'
import type { Report } from '../../domain/delivery/report.ts'
import type { HttpAnswer, HttpRequest } from '../../domain/http-out.ts'
import type { CodeFormat } from '../../domain/verification/code.ts'
import { wordsOf } from '../email/smtp-words.ts'

/** A message as a gateway takes it. */
export type Message = {
  deliveryId: string
  /** E.164. */
  to: string
  text: string
  code: string
  codeFormat: CodeFormat
  /** How long the code is still valid. */
  lifeMs: number
  /** Where the gateway reports what became of it; null without a public URL. */
  callbackUrl: string | null
  now: number
}

/** The API of one gateway: plain functions from messages to requests and from answers to outcomes. */
export type Gateway<Settings, Secrets> = {
  /** As it is called in details. */
  name: string
  /** The request that hands the message over; `unsupported` for a code that it cannot carry. */
  send(message: Message, settings: Settings, secrets: Secrets): HttpRequest | 'unsupported'
  outcome(answer: HttpAnswer, message: Message): DeliveryOutcome
  /** A request that shows whether the settings are right, sends nothing and costs nothing. */
  probe(settings: Settings, secrets: Secrets, now: number): HttpRequest
  /** What is wrong by the answer to it; null when nothing is. */
  probeFault(answer: HttpAnswer): string | null
  /** Null for a gateway that reports nothing. */
  callbacks: Callbacks<Settings, Secrets> | null
}

/** A request of a gateway to `/v1/inbound/{endpoint}`. */
export type Posted = {
  /** The public URL with this request's path and query, as the gateway has called it. */
  url: string
  headers: Headers
  body: string
  now: number
}

export type Callbacks<Settings, Secrets> = {
  /** True when the gateway has signed the request, and not long ago where it says when. */
  isGenuine(callback: Posted, settings: Settings, secrets: Secrets): boolean
  /** What it reports as final; other states are left out. */
  read(callback: Posted, settings: Settings): Report[]
  /** The answer to the request that checks the address (GET); null where it is wrong. */
  challenge?(query: URLSearchParams, secrets: Secrets): string | null
}

/** A reply in words, without the code and without any telephone number. */
export function sayings(words: unknown, { to, code }: Pick<Message, 'to' | 'code'>): string {
  const text = typeof words === 'string' ? words : ''
  const unnumbered = text.slice(0, longestWords).replace(/\+?\d[\d ().-]{5,}\d/g, '<number>')
  return wordsOf(unnumbered, { recipient: to, code })
}

const longestWords = 1_000

export function taken(code: string, remoteId: unknown): DeliveryOutcome {
  const id = typeof remoteId === 'string' ? remoteId.slice(0, longestId) : null
  return { status: 'sent', code, detail: null, remoteId: id }
}

const longestId = 128

export function refused(cause: RefusalCause, code: string, detail: string): DeliveryOutcome {
  return { status: 'refused', cause, code, detail }
}

/** Busy, or broken. `ambiguous`: it may have taken the message before it broke. */
export function busy(
  code: string,
  detail: string,
  { retryAfterMs, ambiguous = false }: { retryAfterMs: number | null; ambiguous?: boolean },
): DeliveryOutcome {
  return { ...deferredBy('busy', detail, { ambiguous }), code, retryAfterMs }
}

/**
 * The outcome of an answer by its status alone. 429 and 503 say that nothing was done; behind any
 * other 5xx the message may have been taken.
 */
export function byStatus(name: string, { status, retryAfterMs }: HttpAnswer): DeliveryOutcome {
  const [code, detail] = [String(status), `${name} answered ${status}`]
  if (status === 429 || status === 503) return busy(code, detail, { retryAfterMs })
  if (status >= 500) return busy(code, detail, { retryAfterMs, ambiguous: true })
  return refused(status === 401 || status === 403 ? 'login' : 'server', code, detail)
}

type Coded = { cause: RefusalCause | 'busy' | undefined; code: string; words: unknown }

/** The outcome by the code in the body, with the gateway's words; by the status for an unknown code. */
export function byCause(
  name: string,
  answer: HttpAnswer,
  { cause, code, words }: Coded,
  message: Message,
): DeliveryOutcome {
  if (cause === undefined) return byStatus(name, answer)
  const detail = `${name}: ${sayings(words, message)}`
  if (cause !== 'busy') return refused(cause, code, detail)
  return busy(code, detail, { retryAfterMs: answer.retryAfterMs })
}

/** The cause for each code, from lists of codes by cause. */
export function causesOf<Of extends Cause | 'busy'>(
  lists: Partial<Record<Of, string>>,
): Map<string, Of> {
  const entries = Object.entries(lists) as [Of, string][]
  return new Map(entries.flatMap(([cause, codes]) => codes.split(' ').map((code) => [code, cause])))
}

/** A JSON object, or an empty one for anything else. */
export function jsonOf(text: string): Record<string, unknown> {
  try {
    return objectOf(JSON.parse(text))
  } catch {
    return {}
  }
}

export function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {}
}

export function listOf(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.slice(0, itemsMax).map(objectOf) : []
}

/** The most items of one callback that are read. */
const itemsMax = 1_000

/** A text or a number as text; empty for anything else. */
export function textOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
}

export function form(fields: Record<string, string | null>): string {
  const given = Object.entries(fields).filter((field): field is [string, string] => {
    return field[1] !== null
  })
  return new URLSearchParams(given).toString()
}

export const formHeaders = {
  'content-type': 'application/x-www-form-urlencoded',
  accept: 'application/json',
}

export function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
}
