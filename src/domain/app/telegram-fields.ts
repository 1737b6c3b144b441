import { type FieldTable, type Pace, paceFields } from './endpoint-fields.ts'
import { readUrl } from './webhook-fields.ts'

/** How a bot hears of persons: it asks Telegram, or Telegram calls this server. */
export type BotUpdates = 'polling' | 'webhook'

/** A Telegram bot of the app. */
export type TelegramSettings = Pace & { kind: 'telegram'; baseUrl: string; updates: BotUpdates }

/** What is sealed, as JSON. */
export type TelegramSecret = { token: string }

export const telegramFields = {
  token: {
    type: 'text',
    min: 1,
    max: 128,
    must: 'the token of a bot, such as 123456789:AAE-...',
    wire: 'token',
    required: true,
    secret: true,
    asks: 'Token of the bot',
    file: true,
    read: readToken,
    says: 'Write-only. What BotFather gave for the bot.',
  },
  baseUrl: {
    type: 'text',
    min: 1,
    max: 512,
    must: 'an https URL without user, password, query and fragment',
    wire: 'base_url',
    destination: true,
    leads: true,
    usual: 'https://api.telegram.org',
    read: readBaseUrl,
    says: 'The Bot API, for a server of your own; the token is sent to it.',
  },
  updates: {
    type: 'choice',
    of: ['polling', 'webhook'],
    wire: 'updates',
    usual: 'polling',
    says: 'How updates come: by long polling, or by webhook, which needs OTPMINT_PUBLIC_URL.',
  },
  ...paceFields,
} as const satisfies FieldTable

/** The bot's number, a colon, and its secret. */
function readToken(text: string): string | null {
  return /^[1-9]\d{0,19}:[A-Za-z0-9_-]{20,100}$/.test(text) ? text : null
}

/** The part of a URL before `/bot`. */
function readBaseUrl(text: string): string | null {
  const url = readUrl(text)
  return url === null || url.includes('?') ? null : url.replace(/\/+$/, '')
}
