import type { App } from '../../src/domain/app/app.ts'
import { addEndpoint } from '../../src/domain/app/endpoints.ts'
import type { ManagePorts } from '../../src/domain/app/manage.ts'
import type { Person } from '../../src/domain/telegram/binding.ts'
import { botOf } from '../../src/domain/telegram/bindings.ts'
import type { Bot } from '../../src/domain/telegram/bot.ts'

export const botToken = '7001:AAtokenOfTheBotOfTheTests_0123456789'
/** The same bot after its token was replaced, and another bot. */
export const newToken = '7001:AAanotherTokenOfTheSameBot_123456789'
export const otherToken = '7002:AAtokenOfAnotherBotOfTheTests_012345'

export const adaPerson: Person = {
  ...{ firstName: 'Ada', lastName: 'Lovelace', username: 'ada_l', language: 'en' },
}

/** Adds a bot to an app, and opens it. */
export async function addBot(
  ports: Parameters<typeof addEndpoint>[0],
  app: App,
  input: Record<string, unknown> = {},
): Promise<Bot> {
  const actor = { who: 'cli', requestId: null }
  const place = { appId: app.id, kind: 'telegram', input: { token: botToken, ...input } } as const
  await addEndpoint(ports, actor, place)
  return openedBot(ports, app.id)
}

export async function openedBot(
  ports: Pick<ManagePorts, 'apps' | 'keyring'>,
  appId: string,
): Promise<Bot> {
  const app = await ports.apps.get(appId)
  const bot = app && botOf(ports, app)
  if (!bot) throw new Error('the app has no bot')
  return bot
}

/** The payload of a link. */
export function payloadOf(link: string | null): string {
  return new URL(link ?? '').searchParams.get('start') ?? ''
}
