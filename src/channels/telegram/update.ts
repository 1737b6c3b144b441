import { readLocale } from '../../domain/language.ts'
import type { Person } from '../../domain/telegram/binding.ts'
import type { BotUpdate, ReadUpdate } from '../../domain/telegram/bot.ts'
import { type Json, objectOf } from './api.ts'

/**
 * Reads an update of the Bot API; null for what is none. Of messages only what a person typed in
 * their own private chat counts: nothing that was forwarded, or that a bot or a group wrote.
 */
export function readUpdate(value: unknown): ReadUpdate | null {
  const json = objectOf({ value }, 'value')
  const id = json['update_id']
  if (!Number.isSafeInteger(id) || Number(id) < 0) return null
  return { id: Number(id), update: contentOf(Number(id), json) }
}

function contentOf(id: number, json: Json): BotUpdate | null {
  if ('message' in json) return fromMessage(id, objectOf(json, 'message'))
  if ('callback_query' in json) return fromPress(id, objectOf(json, 'callback_query'))
  if ('my_chat_member' in json) return fromMember(id, objectOf(json, 'my_chat_member'))
  return null
}

const startPattern = /^\/start(?: ([A-Za-z0-9_-]{1,64}))?$/

function fromMessage(id: number, message: Json): BotUpdate | null {
  const place = privateChat(objectOf(message, 'chat'), objectOf(message, 'from'))
  if (place === null || isForwarded(message)) return null
  const text = message['text']
  if (typeof text !== 'string') return null
  if (text === '/stop') return { id, kind: 'stop', ...place }
  const start = startPattern.exec(text)
  return start && { id, kind: 'start', ...place, payload: start[1] ?? '' }
}

/** A start that was forwarded was not meant by the one who forwards it. */
function isForwarded(message: Json): boolean {
  return Object.keys(message).some((name) => name.startsWith('forward_') || name === 'via_bot')
}

function fromPress(id: number, query: Json): BotUpdate | null {
  const message = objectOf(query, 'message')
  const place = privateChat(objectOf(message, 'chat'), objectOf(query, 'from'))
  const { id: callback, data } = query
  if (place === null || typeof callback !== 'string' || typeof data !== 'string') return null
  const [, letter, binding] = buttonPattern.exec(data) ?? []
  if (letter === undefined || binding === undefined) return null
  const number = message['message_id']
  const press = { callback, message: Number.isSafeInteger(number) ? Number(number) : null }
  return { id, kind: 'answer', ...place, ...press, binding, agrees: letter === 'y' }
}

function fromMember(id: number, change: Json): BotUpdate | null {
  const place = privateChat(objectOf(change, 'chat'), objectOf(change, 'from'))
  const isBlocked = objectOf(change, 'new_chat_member')['status'] === 'kicked'
  return place !== null && isBlocked ? { id, kind: 'left', chat: place.chat } : null
}

const buttonPattern = /^([yn])([0-9A-Za-z]{30})$/

/** What the buttons of a question carry. */
export function buttonsOf(binding: string) {
  return { yes: `y${binding}`, no: `n${binding}` }
}

/** The chat and its person, which have the same id; null for a group, a channel or a bot. */
function privateChat(chat: Json, from: Json): { chat: string; person: Person } | null {
  const { id, type } = chat
  if (type !== 'private' || !Number.isSafeInteger(id)) return null
  if (from['id'] !== id || from['is_bot'] !== false) return null
  return { chat: String(id), person: personOf(from) }
}

function personOf(from: Json): Person {
  const text = (name: string) => {
    const value = from[name]
    return typeof value === 'string' ? value.slice(0, 64) : null
  }
  return {
    firstName: text('first_name') ?? '',
    lastName: text('last_name'),
    username: text('username'),
    language: languageOf(text('language_code')),
  }
}

function languageOf(tag: string | null): string | null {
  try {
    return tag === null ? null : readLocale(tag)
  } catch {
    return null
  }
}
