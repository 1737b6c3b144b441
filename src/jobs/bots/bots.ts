import type { App } from '../../domain/app/app.ts'
import { botOf } from '../../domain/telegram/bindings.ts'
import { type Bot, webhookOf, webhookSecret } from '../../domain/telegram/bot.ts'
import { hourMs } from '../../domain/verification/limits.ts'
import { type Gate, type Job, periodic } from '../periodic.ts'
import { type PollPorts, pollBot, takeTurn } from './poll.ts'

type BotPorts = PollPorts &
  Gate & {
    /** Where Telegram reaches this server; without one every bot is polled. */
    publicUrl: string | null
  }

const everyMs = 2_000
/** Apps whose bots one node looks after. */
const botsMax = 500
/** A webhook is set again after this time, because somebody else may have changed it. */
const webhookMs = hourMs
/** The wait after a webhook could not be set, in ms. */
const againMs = 60_000
/** The longest wait for an update that is being handled, at a stop; it is handled again later. */
const stopMs = 5_000

/** Reads the updates of every app's bot, by long polling or by webhook, as its endpoint says. */
export function createBotJob(ports: BotPorts): Job {
  const { apps, log, timers } = ports
  const stopped = new AbortController()
  const pollers = new Map<string, Promise<void>>()
  const webhooks = createWebhooks(ports)
  let isFull = false

  const current = (appId: string) => async (): Promise<Bot | null> => {
    const app = await apps.get(appId)
    const bot = app && botOf(ports, app)
    return bot && webhookOf(ports, bot) === null ? bot : null
  }
  const poll = (appId: string) => {
    const running = pollBot(ports, current(appId), stopped.signal)
      .catch(() => log.warn('bot_failed', { appId }))
      .finally(() => pollers.delete(appId))
    pollers.set(appId, running)
  }
  const look = async (app: App) => {
    const bot = botOf(ports, app)
    if (bot === null) return
    const url = webhookOf(ports, bot)
    if (url !== null) await webhooks.keep(bot, url)
    else if (!pollers.has(app.id)) poll(app.id)
  }

  const job = periodic(ports, { everyMs, event: 'bots' }, async () => {
    const found = await apps.withEndpoints('telegram', botsMax + 1)
    if (found.length > botsMax && !isFull) log.warn('too_many_bots', { count: botsMax })
    isFull = found.length > botsMax
    for (const app of found.slice(0, botsMax)) await look(app)
  })
  return {
    start: job.start,
    async stop() {
      stopped.abort()
      await job.stop()
      await Promise.race([Promise.all(pollers.values()), timers.sleep(stopMs)])
    },
  }
}

/** Sets webhooks, each by one node, and again after a while. */
function createWebhooks(ports: BotPorts) {
  const { reader, timers, keyring, log } = ports
  // By endpoint: what was set, and when it is due again.
  const known = new Map<string, { for: string; dueAt: number }>()

  return {
    async keep(bot: Bot, url: string): Promise<void> {
      const { app, endpoint } = bot
      const now = timers.monotonic()
      const wanted = `${url} ${endpoint.updatedAt}`
      const before = known.get(endpoint.id)
      if (before?.for === wanted && before.dueAt > now) return
      if (!(await takeTurn(ports, bot))) return
      const isSet = await reader.setWebhook(bot, { url, secret: webhookSecret(keyring, endpoint) })
      const place = { appId: app.id, endpointId: endpoint.id }
      if (isSet) log.info('bot_webhook_set', place)
      else log.warn('bot_webhook_not_set', place)
      known.delete(endpoint.id)
      known.set(endpoint.id, { for: wanted, dueAt: now + (isSet ? webhookMs : againMs) })
      const [oldest] = known.keys()
      if (known.size > botsMax && oldest !== undefined) known.delete(oldest)
    },
  }
}
