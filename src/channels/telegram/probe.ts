import type { App } from '../../domain/app/app.ts'
import type { Endpoint } from '../../domain/app/endpoint.ts'
import type { HttpOut } from '../../domain/http-out.ts'
import type { Ports } from '../../domain/ports.ts'
import { openBot } from '../../domain/telegram/bindings.ts'
import type { Bot } from '../../domain/telegram/bot.ts'
import { callBot, type Json, plainWords } from './api.ts'
import { faultOf } from './bots.ts'

/** One step of a test; `detail` is a sentence. */
export type BotStep = { name: string; ok: boolean; detail: string }

type ProbePorts = Pick<Ports, 'keyring' | 'httpOut'>

/** Asks the Bot API who the bot is, and how its updates come; changes nothing. */
export async function probeBot(
  ports: ProbePorts,
  app: App,
  endpoint: Endpoint,
): Promise<BotStep[]> {
  const bot = openBot(ports, app, endpoint)
  if (!bot) return [{ name: 'bot', ok: false, detail: 'The token of the bot cannot be opened.' }]
  const who = await ask(ports.httpOut, bot, 'getMe')
  if ('fault' in who) return [{ name: 'bot', ok: false, detail: who.fault }]
  const detail = `It is @${plainWords(String(who.result['username']))}.`
  const info = await ask(ports.httpOut, bot, 'getWebhookInfo')
  const updates =
    'fault' in info ? { ok: false, detail: info.fault } : updatesStep(bot, info.result)
  return [
    { name: 'bot', ok: true, detail },
    { name: 'updates', ...updates },
  ]
}

type Asked = { result: Json } | { fault: string }

async function ask(httpOut: HttpOut, bot: Bot, method: string): Promise<Asked> {
  const answer = await callBot(httpOut, bot, { method })
  if ('ok' in answer && answer.ok) return { result: answer.result }
  return { fault: `${faultOf(answer)}.` }
}

function updatesStep({ endpoint }: Bot, info: Json): Omit<BotStep, 'name'> {
  const { url, last_error_message: error } = info
  const isPolled = endpoint.settings.kind === 'telegram' && endpoint.settings.updates === 'polling'
  if (isPolled || url === '') {
    const detail = isPolled ? 'They are polled.' : 'They are polled: no webhook is set.'
    return { ok: true, detail: url === '' ? detail : 'A webhook is set: a running server ends it.' }
  }
  if (!String(url).endsWith(`/v1/inbound/${endpoint.id}`)) {
    return {
      ok: false,
      detail: 'They go to the webhook of somebody else; a running server sets its own.',
    }
  }
  return typeof error === 'string'
    ? { ok: false, detail: `The webhook fails: ${plainWords(error)}` }
    : { ok: true, detail: 'They come by webhook.' }
}
