import { hashKey } from '../app/api-key.ts'
import { type App, usedEndpoints } from '../app/app.ts'
import { openSecrets } from '../app/endpoint.ts'
import { entry, findApp } from '../app/manage.ts'
import { effectivePolicy } from '../app/policy.ts'
import type { TelegramSecret } from '../app/telegram-fields.ts'
import { type Actor, audited } from '../audit.ts'
import { newTimedId } from '../id.ts'
import type { Ports } from '../ports.ts'
import { Problem, secondsUntil } from '../problem.ts'
import type { Page } from '../stores.ts'
import type { Mode } from '../verification/verification.ts'
import {
  type Binding,
  type BindingKey,
  bindingStatusOf,
  chatPlace,
  linksPerMinute,
  maskPerson,
  stepMs,
  testBindingMs,
  waitingMax,
} from './binding.ts'
import type { Bot } from './bot.ts'

/** `link` is for one person, once; null in test mode, where nobody is asked. */
export type StartedBinding = { binding: Binding; link: string | null }

type StartPorts = Pick<
  Ports,
  'bindings' | 'bots' | 'limits' | 'keyring' | 'clock' | 'random' | 'settings'
>

/**
 * Makes a link through which one person lets the app write to them. In test mode a made-up person
 * has agreed at once. Throws `app_paused`, `channel_not_configured` without a bot, `rate_limited`,
 * `bot_unavailable`.
 */
export async function startBinding(
  ports: StartPorts,
  { app, mode }: { app: App; mode: Mode },
): Promise<StartedBinding> {
  const { clock, random } = ports
  if (effectivePolicy(app.policy, ports.settings).paused) throw new Problem('app_paused')
  const bot = mode === 'live' ? botOf(ports, app) : null
  if (mode === 'live' && bot === null) throw new Problem('channel_not_configured')
  const now = clock.now()
  await takeLink(ports, { app, mode, now })
  const found = bot && (await ports.bots.username(bot))
  if (found && 'fault' in found) throw new Problem('bot_unavailable', { detail: found.fault })

  // 192 bits as 32 letters of those that Telegram allows.
  const payload = found && Buffer.from(random.bytes(24)).toString('base64url')
  const binding: Binding = {
    ...{ id: newTimedId(random, now), appId: app.id, mode, bot: bot?.number ?? testBot },
    ...(bot ? { status: 'waiting', name: null } : { status: 'answered', name: testName }),
    ...{ chatSealed: null, createdAt: now, expiresAt: now + stepMs },
  }
  const linkHash = payload === null ? null : hashKey(payload)
  const added = await ports.bindings.add({ binding, linkHash, waitingMax, now })
  if (!added.added) throw tooMany(added.retryAt, now)
  return { binding, link: found && `https://t.me/${found.username}?start=${payload}` }
}

/** Throws `recipient_not_found`. */
export async function getBinding(
  { bindings }: Pick<Ports, 'bindings'>,
  key: BindingKey,
): Promise<Binding> {
  const binding = await bindings.get(key)
  if (!binding) throw new Problem('recipient_not_found')
  return binding
}

/**
 * Lets codes be sent to an answered binding. Does nothing to an active one. Throws
 * `recipient_not_found`, `recipient_not_answered`.
 */
export async function confirmBinding(
  { bindings, clock }: Pick<Ports, 'bindings' | 'clock'>,
  key: BindingKey,
): Promise<Binding> {
  const now = clock.now()
  const expiresAt = key.mode === 'test' ? now + testBindingMs : null
  const confirmed = await bindings.confirm({ ...key, now, expiresAt })
  if (confirmed) return confirmed
  const status = bindingStatusOf(await getBinding({ bindings }, key), now)
  const detail = status === 'answered' ? notAnswered.waiting : notAnswered[status]
  throw new Problem('recipient_not_answered', { detail })
}

const notAnswered = {
  waiting: 'The person has not answered yet',
  active: 'The person has not answered yet',
  declined: 'The person has declined',
  expired: 'The time for this step is over',
}

/** Throws `recipient_not_found`. */
export async function removeBinding(
  { bindings }: Pick<Ports, 'bindings'>,
  key: BindingKey,
): Promise<void> {
  if (!(await bindings.remove(key))) throw new Problem('recipient_not_found')
}

/** An app's bindings of both modes, the newest first. Throws `app_not_found`. */
export async function listBindings(
  ports: Pick<Ports, 'apps' | 'bindings'>,
  { appId, ...paging }: { appId: string; limit: number; cursor: string | null },
): Promise<Page<Binding>> {
  await findApp(ports, appId)
  return ports.bindings.list({ appId, ...paging })
}

/** Removes a binding for the admin. Throws `app_not_found`, `recipient_not_found`. */
export async function removeBindingOf(
  ports: Pick<Ports, 'apps' | 'bindings' | 'audit' | 'keyring' | 'clock'>,
  actor: Actor,
  { appId, id }: { appId: string; id: string },
): Promise<void> {
  await findApp(ports, appId)
  const record = entry(ports, actor, 'binding.remove', appId, `binding ${id}`)
  const removed = await audited(ports, record, (append) =>
    ports.bindings.removeAudited({ appId, id }, append),
  )
  if (!removed) throw new Problem('recipient_not_found')
}

/** The app's bot: its first one, because a chat belongs to the bot that its person started. */
export function botOf({ keyring }: Pick<Ports, 'keyring'>, app: App): Bot | null {
  const [endpoint] = usedEndpoints(app, 'telegram')
  return endpoint ? openBot({ keyring }, app, endpoint) : null
}

/** Null where the endpoint is no bot, or its token cannot be opened. */
export function openBot(
  { keyring }: Pick<Ports, 'keyring'>,
  app: App,
  endpoint: Bot['endpoint'],
): Bot | null {
  if (endpoint.settings.kind !== 'telegram') return null
  const secrets = openSecrets<TelegramSecret>({ keyring }, app, endpoint)
  if (!secrets) return null
  const { token } = secrets
  const [number = ''] = token.split(':')
  return { app, endpoint, number, token }
}

/** Why a message cannot be sent to a binding, as the end of a sentence. */
export type Unreachable = { reason: string }

/** The chat that a binding names for a bot; a reason where no code may be sent to it. */
export async function chatOf(
  { bindings, keyring, clock }: Pick<Ports, 'bindings' | 'keyring' | 'clock'>,
  { app, number }: Pick<Bot, 'app' | 'number'>,
  key: BindingKey,
): Promise<{ chat: string } | Unreachable> {
  const binding = await bindings.get(key)
  if (!binding) return { reason: 'the app has no such Telegram recipient' }
  if (bindingStatusOf(binding, clock.now()) !== 'active' || binding.chatSealed === null) {
    return { reason: 'the Telegram recipient is not active' }
  }
  if (binding.bot !== number) return { reason: 'the Telegram recipient belongs to another bot' }
  try {
    return { chat: keyring.open(app.id, app.dataKey, chatPlace(binding.id), binding.chatSealed) }
  } catch {
    return { reason: 'the Telegram recipient cannot be opened' }
  }
}

/** True for a test binding that messages of test mode may be for. */
export async function isActive(
  { bindings, clock }: Pick<Ports, 'bindings' | 'clock'>,
  key: BindingKey,
): Promise<boolean> {
  const binding = await bindings.get(key)
  return binding !== null && bindingStatusOf(binding, clock.now()) === 'active'
}

/** Ends every binding of a chat with the app, because its person left or blocked the bot. */
export async function leaveChat(
  { bindings, keyring }: Pick<Ports, 'bindings' | 'keyring'>,
  bot: Bot,
  chat: string,
): Promise<void> {
  const { app, number } = bot
  await bindings.leave({ appId: app.id, bot: number, chatIndex: chatIndexOf(keyring, bot, chat) })
}

/** The keyed hash that the bindings of one chat are found by. */
export function chatIndexOf(
  keyring: Pick<Ports['keyring'], 'recipientIndex'>,
  { app, number }: Pick<Bot, 'app' | 'number'>,
  chat: string,
): Uint8Array {
  return keyring.recipientIndex(app.id, `telegram ${number} ${chat}`)
}

const testBot = '0'
const testName = maskPerson({
  ...{ firstName: 'Test', lastName: 'Person', username: 'test_person', language: null },
})

async function takeLink(
  { limits, keyring }: Pick<Ports, 'limits' | 'keyring'>,
  { app, mode, now }: { app: App; mode: Mode; now: number },
): Promise<void> {
  const key = keyring.limitIndex('app_bindings', `${app.id}\0${mode}`)
  const rate = { name: 'app_bindings', max: linksPerMinute, windowMs: 60_000 } as const
  const taken = await limits.take({ key, rates: [rate] }, now)
  if (!taken.taken) throw tooMany(taken.retryAt, now)
}

function tooMany(retryAt: number, now: number): Problem {
  const retryAfterSeconds = secondsUntil(retryAt, now)
  return new Problem('rate_limited', { limit: 'app_bindings', retryAfterSeconds })
}
