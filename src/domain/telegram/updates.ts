import { hashKey } from '../app/api-key.ts'
import type { Ports } from '../ports.ts'
import { type Binding, bindingsPerChat, chatPlace, maskPerson, stepMs } from './binding.ts'
import { chatIndexOf, leaveChat } from './bindings.ts'
import type { Bot, BotOutcome, BotSentence, BotUpdate } from './bot.ts'

/** Updates of one bot that are handled in a second. */
export const updatesPerSecond = 30
/** Updates of one chat that are handled in a minute; more are ignored. */
const perChatMinute = 20
/** The wait before an update is handled again that could not be, in ms. */
const laterMs = 1_000

type UpdatePorts = Pick<Ports, 'bindings' | 'bots' | 'limits' | 'keyring' | 'clock'>

/** `later`: nothing is lost when the same update comes again at that time. */
export type UpdateResult = { outcome: 'handled' } | { outcome: 'later'; at: number }

const handled: UpdateResult = { outcome: 'handled' }

/**
 * Does what an update asks for. The same one may come again, for a bot is read at least once: its
 * effects do not double, and what the bot says is said again only where it was not known to arrive.
 */
export async function handleUpdate(
  ports: UpdatePorts,
  bot: Bot,
  update: BotUpdate,
): Promise<UpdateResult> {
  const now = ports.clock.now()
  const busyUntil = await takeUpdate(ports, bot, now)
  if (busyUntil !== null) return { outcome: 'later', at: busyUntil }
  if (await isFlooding(ports, { bot, update, now })) return handled

  const outcome = await act(ports, bot, update)
  return outcome === 'later' ? { outcome, at: now + laterMs } : handled
}

async function act(ports: UpdatePorts, bot: Bot, update: BotUpdate): Promise<BotOutcome> {
  if (update.kind === 'start') return follow(ports, bot, update)
  if (update.kind === 'answer') return answer(ports, bot, update)
  await leaveChat(ports, bot, update.chat)
  if (update.kind === 'left') return 'gone'
  return say(ports, { bot, update, sentence: 'stopped' })
}

/** Asks the person who has followed a link. A link that was used, or is none, is refused. */
async function follow(
  ports: UpdatePorts,
  bot: Bot,
  update: Extract<BotUpdate, { kind: 'start' }>,
): Promise<BotOutcome> {
  const place = { appId: bot.app.id, bot: bot.number }
  const linkHash = hashKey(update.payload)
  const binding = await ports.bindings.findByLink({ ...place, linkHash })
  const asked = binding ? await ask(ports, bot, { binding, update }) : 'refused'
  if (asked === 'done') return 'said'
  // The app was read before its keys were renewed.
  if (asked === 'rekeyed') return 'later'
  if (asked !== 'asked') return say(ports, { bot, update, sentence: 'unknown' })
  return say(ports, { bot, update, sentence: 'question', binding: binding?.id ?? '' })
}

function ask(
  { bindings, keyring, clock }: UpdatePorts,
  bot: Bot,
  { binding, update }: { binding: Binding; update: Extract<BotUpdate, { kind: 'start' }> },
) {
  const { app } = bot
  const { appId, mode, id } = binding
  const now = clock.now()
  return bindings.ask({
    ...{ appId, mode, id, updateId: update.id, now, expiresAt: now + stepMs },
    chatIndex: chatIndexOf(keyring, bot, update.chat),
    chatSealed: keyring.seal(appId, app.dataKey, chatPlace(id), update.chat),
    keyId: app.dataKey.keyId,
    name: maskPerson(update.person),
    perChatMax: bindingsPerChat,
  })
}

async function answer(
  { bindings, bots, keyring, clock }: UpdatePorts,
  bot: Bot,
  update: Extract<BotUpdate, { kind: 'answer' }>,
): Promise<BotOutcome> {
  const now = clock.now()
  const { chat, callback, message, person, agrees } = update
  const answered = await bindings.answer({
    ...{ appId: bot.app.id, bot: bot.number, id: update.binding },
    chatIndex: chatIndexOf(keyring, bot, chat),
    ...{ status: agrees ? 'answered' : 'declined', now, expiresAt: now + stepMs },
  })
  const sentence = answered === null ? 'unknown' : agrees ? 'thanks' : 'declined'
  const { language } = person
  await bots.replace(bot, { chat, callback, message, sentence, language })
  return 'said'
}

type Saying = {
  bot: Bot
  update: Extract<BotUpdate, { person: unknown }>
  sentence: BotSentence
  binding?: string
}

/** A person who has blocked the bot before it answers is forgotten. */
async function say(ports: UpdatePorts, { bot, update, ...said }: Saying): Promise<BotOutcome> {
  const { chat, person } = update
  const outcome = await ports.bots.say(bot, { ...said, chat, language: person.language })
  if (outcome === 'gone') await leaveChat(ports, bot, chat)
  return outcome
}

/** When the bot's next update may be handled; null for now. */
async function takeUpdate(
  { limits, keyring }: UpdatePorts,
  { endpoint }: Bot,
  now: number,
): Promise<number | null> {
  const key = keyring.limitIndex('bot_updates', endpoint.id)
  const rate = { name: 'bot_updates', max: updatesPerSecond, windowMs: 1_000 } as const
  const taken = await limits.take({ key, rates: [rate] }, now)
  return taken.taken ? null : taken.retryAt
}

async function isFlooding(
  { limits, keyring }: UpdatePorts,
  { bot, update, now }: { bot: Bot; update: BotUpdate; now: number },
): Promise<boolean> {
  const key = keyring.limitIndex('chat_updates', `${bot.endpoint.id}\0${update.chat}`)
  const rate = { name: 'bot_updates', max: perChatMinute, windowMs: 60_000 } as const
  return !(await limits.take({ key, rates: [rate] }, now)).taken
}
