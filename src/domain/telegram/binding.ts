import type { SealPlace } from '../keyring.ts'
import { dayMs, hourMs } from '../verification/limits.ts'
import type { Mode } from '../verification/verification.ts'

/** Identifies a binding in every operation; another app's or mode's is unknown. */
export type BindingKey = { appId: string; mode: Mode; id: string }

/**
 * What binds a Telegram chat to an app: the id that the app names the person by, and the consent of
 * that person to be written to by one bot.
 */
export type Binding = BindingKey & {
  /** The number of the bot that the person started: only that bot may write to the chat. */
  bot: string
  status: StoredBindingStatus
  /** The person's name in Telegram, masked; null before the link was followed. */
  name: string | null
  /** The chat id; null before the link was followed. */
  chatSealed: Uint8Array | null
  createdAt: number
  /** When the next step is too late, or a test binding ends; null for an active one of live mode. */
  expiresAt: number | null
}

/** asked: the link was followed, and the bot has asked the person. */
export type StoredBindingStatus = 'waiting' | 'asked' | 'answered' | 'active' | 'declined'

/**
 * waiting: for the person. answered: the person agrees, and the app is to confirm. active: codes may
 * be sent. declined: the person said no. expired: the next step came too late.
 */
export const bindingStatuses = ['waiting', 'answered', 'active', 'declined', 'expired'] as const
export type BindingStatus = (typeof bindingStatuses)[number]

/** The status; expiry is derived from time. */
export function bindingStatusOf({ status, expiresAt }: Binding, now: number): BindingStatus {
  if (status === 'declined') return 'declined'
  if (expiresAt !== null && expiresAt <= now) return 'expired'
  return status === 'asked' ? 'waiting' : status
}

/** The time for each step: following the link, answering the bot, confirming. */
export const stepMs = 600_000
/** A test binding needs no person, so it ends by itself. */
export const testBindingMs = hourMs
/** Bindings of an app and mode that have an end: those that wait, and those of test mode. */
export const waitingMax = 500
/** Links that an app may make in a minute. */
export const linksPerMinute = 60
/** Bindings of one chat with one app and mode. */
export const bindingsPerChat = 10
/** How long after its end a binding can still be read. */
export const endedKeptMs = dayMs

/** The place that a sealed chat id is bound to. */
export function chatPlace(bindingId: string): SealPlace {
  return { table: 'bindings', row: bindingId, column: 'chat_sealed' }
}

/** A person, as Telegram names them. Anybody may choose any name. */
export type Person = {
  firstName: string
  lastName: string | null
  username: string | null
  /** An IETF tag; null where Telegram gives none. */
  language: string | null
}

/** The name without revealing it: `A*** L*** (@a***)`. */
export function maskPerson({ firstName, lastName, username }: Person): string {
  const names = [firstName, lastName].filter((name) => name !== null).map(maskWord)
  return names.join(' ') + (username === null ? '' : ` (@${maskWord(username)})`)
}

/** The first letter or digit: no control, bidi or combining character reaches a screen. */
function maskWord(word: string): string {
  return `${/[\p{L}\p{N}]/u.exec(word.normalize('NFC'))?.[0] ?? ''}***`
}
