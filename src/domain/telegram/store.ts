import type { AuditAppend, HeadMoved } from '../audit.ts'
import type { Page } from '../stores.ts'
import type { Binding, BindingKey } from './binding.ts'

/** The bindings of apps to Telegram chats, and how far each bot's updates were handled. */
export type BindingStore = {
  /** Unless `waitingMax` of the app and mode have an end ahead; then when the first of them ends. */
  add(command: NewBinding): Promise<{ added: true } | { added: false; retryAt: number }>
  get(key: BindingKey): Promise<Binding | null>
  /** The binding of a link, whatever became of it. */
  findByLink(query: { appId: string; bot: string; linkHash: Uint8Array }): Promise<Binding | null>
  /**
   * Uses a link up: `asked` for the first update that follows it in time, and again for that same
   * update, which may be read twice; `done` when its person has answered by then. `too_many`: the
   * chat has too many bindings of this app and mode. `rekeyed`: the chat was sealed with another data
   * key than the app has now.
   */
  ask(command: AskCommand): Promise<'asked' | 'done' | 'refused' | 'too_many' | 'rekeyed'>
  /** Writes the answer of the asked chat, in time; null otherwise. The same answer may come again. */
  answer(command: AnswerCommand): Promise<Binding | null>
  /** Activates an answered binding, in time; null otherwise. An active one stays as it is. */
  confirm(command: BindingKey & { now: number; expiresAt: number | null }): Promise<Binding | null>
  remove(key: BindingKey): Promise<boolean>
  /** Removes one of any mode. */
  removeAudited(
    command: { appId: string; id: string },
    audit: AuditAppend,
  ): Promise<boolean | HeadMoved>
  /** Removes every binding of the chat; how many. */
  leave(command: { appId: string; bot: string; chatIndex: Uint8Array }): Promise<number>
  /** An app's of both modes, newest first; the cursor is the last id. */
  list(query: { appId: string; limit: number; cursor: string | null }): Promise<Page<Binding>>
  /** Those whose chat was sealed with a data key of another id, for a key rotation. */
  sealedOtherwise(keyId: string, limit: number): Promise<Binding[]>
  /** Replaces sealed chats that are still as they were; null removes the binding. */
  reseal(renewals: BindingRenewal[]): Promise<void>
  /** The first update of a bot that was not handled; null where none was. */
  nextUpdate(bot: BotKey): Promise<{ id: number; at: number } | null>
  setNextUpdate(command: BotKey & { id: number; at: number }): Promise<void>
}

export type BotKey = { appId: string; bot: string }

export type NewBinding = {
  binding: Binding
  /** SHA-256 of the payload; null for a test binding, which has no link. */
  linkHash: Uint8Array | null
  waitingMax: number
  now: number
}

export type AskCommand = BindingKey & {
  updateId: number
  /** Keyed hash of the chat id. */
  chatIndex: Uint8Array
  chatSealed: Uint8Array
  /** The id of the app's data key that `chatSealed` was made with. */
  keyId: string
  name: string
  perChatMax: number
  now: number
  expiresAt: number
}

export type AnswerCommand = { appId: string; id: string; bot: string } & {
  chatIndex: Uint8Array
  status: 'answered' | 'declined'
  now: number
  expiresAt: number
}

export type BindingRenewal = Pick<Binding, 'id' | 'appId'> & {
  from: Uint8Array
  to: Uint8Array | null
  keyId: string
}
