import { type BotApi, botApi, failure } from '../support/bot-api.ts'
import { eventually } from '../support/executable.ts'
import { payloadOf } from '../support/telegram.ts'
import type { Ask, Stage } from './canary-scenario.ts'

const chat = 987_654_321
const place = '/v1/recipients/telegram'

/** Binds a person to a bot whose Bot API quotes the token, and sends a code that it refuses so. */
export async function useBot(
  { canary, token }: Stage,
  ask: Ask,
  { app, live }: { app: string; live: string },
): Promise<void> {
  const api = botApi({ token: '987001:canary-bot-token_AAAAAAAAAAAAAAAAAAAAAAAA' })
  canary.guard('bot token', api.token)
  canary.guard('chat id', String(chat))
  canary.guard('name in Telegram', 'Featherstonehaugh')
  const path = `/v1/apps/${app}/endpoints`
  const telegram = { token: api.token, base_url: `http://127.0.0.1:${api.port}` }
  await ask(path, { channel: 'telegram', telegram: { token: [api.token] } }, { token })
  const added = await ask(path, { channel: 'telegram', telegram }, { token })
  if (added.status !== 201) throw new Error(added.text)
  await quoteToken(api, 'getMe')
  await ask(place, undefined, { token: live, method: 'POST' })

  const made = await ask(place, undefined, { token: live, method: 'POST', allowed: ['link'] })
  const [id, payload] = [String(made.json.id), payloadOf(String(made.json['link']))]
  canary.guard('link', payload)
  await quoteToken(api, 'getUpdates')
  api.write(chat, `/start ${payload}`)
  await eventually(() => api.question(chat) !== undefined)
  api.press(chat, 'yes')
  await eventually(async () =>
    (await ask(`${place}/${id}`, undefined, { token: live })).text.includes('answered'),
  )
  await ask(`${place}/${id}/confirm`, undefined, { token: live, method: 'POST' })
  await quoteToken(api, 'sendMessage')
  const body = { to: id, channel: 'telegram' }
  const options = { token: live, headers: { prefer: 'wait=5' } }
  const refused = await ask('/v1/verifications', body, options)
  if (refused.json.delivery?.status !== 'refused') throw new Error(refused.text)
  const sent = api.calls.findLast(({ method }) => method === 'sendMessage')
  canary.guard('code in Telegram', /^\d+/.exec(String(sent?.params['text']))?.[0] ?? '')
  await ask(`/v1/verifications/${refused.json.id}`, undefined, { token: live })
  await ask(`/v1/apps/${app}/recipients/telegram`, undefined, { token })
  await ask(`/v1/apps/${app}/test-delivery`, { endpoint: added.json.id }, { token })
  await ask(`${path}/${added.json.id}`, undefined, { token, method: 'DELETE' })
  await api.stop()
}

/** Lets the next call of a method fail with words that have the token in them. */
async function quoteToken(api: BotApi, method: string): Promise<void> {
  const words = `Bad Request: strange bot${api.token}`
  api.script(method, { status: 400, body: await failure(400, words).json() })
}
