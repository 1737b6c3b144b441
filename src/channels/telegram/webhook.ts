import { timingSafeEqual } from 'node:crypto'
import { hashKey } from '../../domain/app/api-key.ts'
import type { CallbackResult } from '../../domain/delivery/callback.ts'
import { openBot } from '../../domain/telegram/bindings.ts'
import { webhookSecret } from '../../domain/telegram/bot.ts'
import { handleUpdate } from '../../domain/telegram/updates.ts'
import type { TakeCallback } from '../callbacks.ts'
import { readUpdate } from './update.ts'

const secretHeader = 'x-telegram-bot-api-secret-token'
const taken: CallbackResult = { outcome: 'taken' }
const unsigned: CallbackResult = { outcome: 'unsigned' }

/** Takes an update that Telegram sends to the webhook of a bot, signed with the bot's secret. */
export const takeTelegramUpdate: TakeCallback = async (ports, { app, endpoint, headers, body }) => {
  const { settings } = endpoint
  if (settings.kind !== 'telegram' || settings.updates !== 'webhook') return unsigned
  const shown = headers.get(secretHeader) ?? ''
  if (!isSame(shown, webhookSecret(ports.keyring, endpoint))) return unsigned

  const bot = openBot(ports, app, endpoint)
  const update = readUpdate(parse(body))?.update
  if (!bot || !update) return taken
  const result = await handleUpdate(ports, bot, update)
  return result.outcome === 'handled' ? taken : result
}

/** Compares in a time that tells nothing. */
function isSame(shown: string, right: string): boolean {
  return timingSafeEqual(hashKey(shown), hashKey(right))
}

function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body).toString())
  } catch {
    return null
  }
}
