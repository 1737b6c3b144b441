import type { App } from '../app/app.ts'
import type { Endpoint } from '../app/endpoint.ts'
import type { Keyring } from '../keyring.ts'
import type { Person } from './binding.ts'

/** The bot of an app: what its endpoint says, and the token, opened. */
export type Bot = {
  app: App
  endpoint: Endpoint
  /** The part of the token before its colon, which stays when the token is replaced. */
  number: string
  token: string
}

/** What bots say; the words are in messages/. */
export type BotSentence = 'question' | 'thanks' | 'declined' | 'stopped' | 'unknown'

/** `gone`: the person has blocked the bot, or the chat is none. `later`: it may succeed later. */
export type BotOutcome = 'said' | 'gone' | 'later'

/** The Bot API of Telegram. Never rejects, and tells nobody a token. */
export type Bots = {
  /** The name that links are made of; or why there is none, as a sentence. */
  username(bot: Bot): Promise<{ username: string } | { fault: string }>
  /** Writes to a chat; `question` with a button for each answer. */
  say(
    bot: Bot,
    message: {
      chat: string
      sentence: BotSentence
      language: string | null
      /** The binding that the buttons name. */
      binding?: string
    },
  ): Promise<BotOutcome>
  /** Puts a sentence in the place of a question, and its buttons away. */
  replace(
    bot: Bot,
    press: Press & { chat: string; sentence: BotSentence; language: string | null },
  ): Promise<void>
}

/** A pressed button: its own id, and the message that it belongs to. */
export type Press = { callback: string; message: number | null }

/** What somebody did in the private chat with a bot. Ids count up. */
export type BotUpdate = { id: number; chat: string } & (
  | { kind: 'start'; payload: string; person: Person }
  | ({ kind: 'answer'; binding: string; agrees: boolean; person: Person } & Press)
  | { kind: 'stop'; person: Person }
  /** The bot was blocked. */
  | { kind: 'left' }
)

/** An update of any kind; null for one that asks for nothing here. */
export type ReadUpdate = { id: number; update: BotUpdate | null }

/**
 * Why there are no updates. webhook: they are sent to one. other_reader: another program reads this
 * bot. token: it is refused. too_long: an answer of that many is too long.
 */
export type ReaderFault = {
  fault: 'webhook' | 'other_reader' | 'token' | 'too_long' | 'unreachable'
  /** The wait that was asked for. */
  waitMs: number | null
}

/** Reads the updates of bots. Never rejects. */
export type BotReader = {
  /**
   * Waits some seconds for updates from the one with this id on; without an id for those that were
   * not confirmed. Confirms every earlier one.
   */
  read(
    bot: Bot,
    query: { from: number | null; max: number },
    signal: AbortSignal,
  ): Promise<ReadUpdate[] | ReaderFault>
  /** Has updates sent to a URL, signed with a secret; null for no more. False if it failed. */
  setWebhook(bot: Bot, to: { url: string; secret: string } | null): Promise<boolean>
}

/** Where Telegram is to send a bot's updates; null for a bot that is polled. */
export function webhookOf(
  { publicUrl }: { publicUrl: string | null },
  { endpoint }: Pick<Bot, 'endpoint'>,
): string | null {
  const { settings } = endpoint
  if (publicUrl === null || settings.kind !== 'telegram' || settings.updates !== 'webhook')
    return null
  return `${publicUrl.replace(/\/$/, '')}/v1/inbound/${endpoint.id}`
}

/**
 * The secret that Telegram shows with each update, derived, so that it need not be kept: 43 of the
 * letters that Telegram allows.
 */
export function webhookSecret(
  keyring: Pick<Keyring, 'fingerprint'>,
  { id, appId }: Pick<Endpoint, 'id' | 'appId'>,
): string {
  return Buffer.from(keyring.fingerprint(appId, `telegram webhook\0${id}`)).toString('base64url')
}
