import type { Ports, Timers } from '../../domain/ports.ts'
import type { BotReader, Bots, ReaderFault, ReadUpdate } from '../../domain/telegram/bot.ts'
import { botWords } from '../../messages/bot.ts'
import type { BotWords } from '../../messages/bot-words.ts'
import { wordsOfFault } from '../http-outcome.ts'
import { type ApiAnswer, callBot, isGone, isTokenRefused } from './api.ts'
import { buttonsOf, readUpdate } from './update.ts'

export type BotPorts = Pick<Ports, 'httpOut'> & { timers: Pick<Timers, 'monotonic'> }

/** How long the name of a bot is used, in ms, and of how many bots. */
const nameMs = 3_600_000
const namesMax = 1_000
/** How long Telegram waits for updates, in seconds, and how long that request may take, in ms. */
const pollSeconds = 25
const pollMs = 35_000
/** The updates that are asked for; others are of no use here. */
const allowed = ['message', 'callback_query', 'my_chat_member']

/** Speaks to persons through the Bot API. */
export function createBots({ httpOut, timers }: BotPorts): Bots {
  const names = new Map<string, { username: string; at: number }>()

  return {
    async username(bot) {
      const place = `${bot.endpoint.id} ${bot.endpoint.updatedAt}`
      const known = names.get(place)
      if (known && timers.monotonic() - known.at < nameMs) return known
      const answer = await callBot(httpOut, bot, { method: 'getMe' })
      if (!('ok' in answer) || !answer.ok) return { fault: faultOf(answer) }
      const { username } = answer.result
      if (typeof username !== 'string' || !/^\w{1,64}$/.test(username)) {
        return { fault: 'the Bot API does not say the name of the bot' }
      }
      names.delete(place)
      names.set(place, { username, at: timers.monotonic() })
      const [oldest] = names.keys()
      if (names.size > namesMax && oldest !== undefined) names.delete(oldest)
      return { username }
    },
    async say(bot, { chat, sentence, language, binding }) {
      const words = botWords(bot.app, language)
      const params = {
        ...{ chat_id: Number(chat), text: words[sentence] },
        ...(binding !== undefined && { reply_markup: keyboard(words, binding) }),
      }
      const answer = await callBot(httpOut, bot, { method: 'sendMessage', params })
      if (!('ok' in answer)) return 'later'
      if (answer.ok) return 'said'
      if (isGone(answer)) return 'gone'
      const isOver = answer.code >= 400 && answer.code < 500 && answer.code !== 429
      return isOver && !isTokenRefused(answer) ? 'said' : 'later'
    },
    async replace(bot, { chat, callback, message, sentence, language }) {
      const text = botWords(bot.app, language)[sentence]
      const place = { chat_id: Number(chat), ...(message !== null && { message_id: message }) }
      await Promise.all([
        callBot(httpOut, bot, {
          method: 'answerCallbackQuery',
          params: { callback_query_id: callback },
        }),
        callBot(httpOut, bot, {
          method: message === null ? 'sendMessage' : 'editMessageText',
          params: { ...place, text },
        }),
      ])
    },
  }
}

/** Reads updates by long polling, and sets webhooks. */
export function createBotReader({ httpOut }: Pick<BotPorts, 'httpOut'>): BotReader {
  return {
    async read(bot, { from, max }, signal) {
      const params = {
        ...{ timeout: pollSeconds, limit: max, allowed_updates: allowed },
        ...(from !== null && { offset: from }),
      }
      const answer = await callBot(httpOut, bot, {
        method: 'getUpdates',
        params,
        signal,
        maxMs: pollMs,
      })
      if (!('ok' in answer) || !answer.ok) return readerFault(answer)
      const updates = Object.values(answer.result).map(readUpdate)
      return updates.filter((each): each is ReadUpdate => each !== null)
    },
    async setWebhook(bot, to) {
      const answer = to
        ? await callBot(httpOut, bot, {
            method: 'setWebhook',
            params: { url: to.url, secret_token: to.secret, allowed_updates: allowed },
          })
        : await callBot(httpOut, bot, { method: 'deleteWebhook' })
      return 'ok' in answer && answer.ok
    },
  }
}

function keyboard(words: BotWords, binding: string) {
  const { yes, no } = buttonsOf(binding)
  const buttons = [
    { text: words.yes, callback_data: yes },
    { text: words.no, callback_data: no },
  ]
  return { inline_keyboard: [buttons] }
}

/** Why a call failed, as a sentence for the admin. */
export function faultOf(answer: Exclude<ApiAnswer, { ok: true }>): string {
  if ('fault' in answer) return `the Bot API ${wordsOfFault(answer)}`
  if (isTokenRefused(answer)) return 'the Bot API refuses the token of the bot'
  return `the Bot API answers ${answer.code}: ${answer.description}`
}

function readerFault(answer: Exclude<ApiAnswer, { ok: true }>): ReaderFault {
  if ('fault' in answer) {
    return { fault: answer.fault === 'too_long' ? 'too_long' : 'unreachable', waitMs: null }
  }
  const { code, description, retryAfterMs: waitMs } = answer
  if (isTokenRefused(answer)) return { fault: 'token', waitMs }
  if (code !== 409) return { fault: 'unreachable', waitMs }
  return { fault: /webhook/i.test(description) ? 'webhook' : 'other_reader', waitMs }
}
