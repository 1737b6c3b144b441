import { clearAlarm, raiseAlarm } from '../../domain/alarm.ts'
import type { Log, Ports } from '../../domain/ports.ts'
import { nameOf } from '../../domain/problem.ts'
import type { Bot, BotReader, ReaderFault, ReadUpdate } from '../../domain/telegram/bot.ts'
import { handleUpdate } from '../../domain/telegram/updates.ts'
import { hourMs } from '../../domain/verification/limits.ts'
import { pause } from './pause.ts'

export type PollPorts = Pick<
  Ports,
  | ('apps' | 'bindings' | 'bots' | 'limits' | 'alarms' | 'maintenance')
  | ('keyring' | 'clock' | 'timers' | 'node')
> & { log: Log; reader: BotReader }

/** How long a node has the turn of a bot, in ms: longer than one reading takes. */
export const turnMs = 90_000
/** The turn is renewed before it is this close to its end, in ms. */
const renewBeforeMs = 60_000
/** The wait of a node that has no turn, in ms. */
const standByMs = 5_000
/** Updates of one reading. An answer of so many is rarely too long; one that is, is read one by one. */
const readMax = 20
/** How often an update is handled again before it is passed over. */
const triesMax = 5
/** Waits after a fault in ms: doubled each time, and the longest that Telegram may ask for. */
const backOffMs = { first: 1_000, most: 60_000, asked: 900_000 }
/**
 * An id that is older is not asked for: after a week of silence Telegram counts on from a random
 * number, which may be lower.
 */
const idMs = hourMs

/** What a bot's reader knows between two readings. */
type Reading = {
  max: number
  faults: number
  last: ReaderFault['fault'] | null
  skip: boolean
  /** Whose turn this node has. */
  held: Bot | null
}

/**
 * Reads and handles a bot's updates on one node at a time until the signal, or until `current`
 * has no bot any more. An update counts as read only after it was handled.
 */
export async function pollBot(
  ports: PollPorts,
  current: () => Promise<Bot | null>,
  signal: AbortSignal,
): Promise<void> {
  const reading: Reading = { max: readMax, faults: 0, last: null, skip: false, held: null }
  while (!signal.aborted) {
    const bot = await current().catch(() => 'unknown' as const)
    if (bot === null) break
    const waitMs = bot === 'unknown' ? standByMs : await step(ports, { bot, reading, signal })
    if (waitMs > 0) await pause(ports.timers, waitMs, signal)
  }
  // Another node need not wait for the end of the turn.
  if (reading.held) await takeTurn(ports, reading.held, 0).catch(() => {})
}

type Step = { bot: Bot; reading: Reading; signal: AbortSignal }

/** One reading; the wait before the next one. */
async function step(ports: PollPorts, { bot, reading, signal }: Step): Promise<number> {
  try {
    reading.held = (await takeTurn(ports, bot)) ? bot : null
    if (reading.held === null) return standByMs
    const from = await firstOf(ports, bot, reading)
    if (signal.aborted) return 0
    const read = await ports.reader.read(bot, { from, max: reading.max }, signal)
    if (signal.aborted) return 0
    if ('fault' in read) return await afterFault(ports, { bot, reading, signal }, { read, from })
    await recovered(ports, bot, reading)
    await handleAll(ports, { bot, reading, signal }, read)
    return 0
  } catch (error) {
    // The database cannot be used: nothing counts as read.
    const detail = nameOf(error)
    ports.log.warn('bot_failed', { ...placeOf(bot), detail })
    return standByMs
  }
}

/** True for the one node that reads this bot, for `ms` from now. */
export function takeTurn(
  { maintenance, clock, node }: Pick<PollPorts, 'maintenance' | 'clock' | 'node'>,
  { endpoint }: Bot,
  ms = turnMs,
): Promise<boolean> {
  const now = clock.now()
  return maintenance.takeTurn({ job: `bot ${endpoint.id}`, node, now, until: now + ms })
}

/** The update to read from; after one that is too long, and of unknown id, the latest. */
async function firstOf(
  { bindings, clock }: PollPorts,
  bot: Bot,
  { skip }: Reading,
): Promise<number | null> {
  const next = await bindings.nextUpdate({ appId: bot.app.id, bot: bot.number })
  const isFresh = next !== null && Math.abs(clock.now() - next.at) < idMs
  if (isFresh) return next.id
  return skip ? -1 : null
}

async function handleAll(
  ports: PollPorts,
  { bot, signal }: Step,
  updates: ReadUpdate[],
): Promise<void> {
  const { clock, bindings } = ports
  let turnUntil = clock.now() + renewBeforeMs
  for (const read of updates) {
    if (clock.now() > turnUntil) {
      if (!(await takeTurn(ports, bot))) return
      turnUntil = clock.now() + renewBeforeMs
    }
    if (!(await handleOne(ports, { bot, signal }, read))) return
    const place = { appId: bot.app.id, bot: bot.number }
    await bindings.setNextUpdate({ ...place, id: read.id + 1, at: clock.now() })
  }
}

/** False when it was stopped before the update was handled. */
async function handleOne(
  ports: PollPorts,
  { bot, signal }: Pick<Step, 'bot' | 'signal'>,
  { update }: ReadUpdate,
): Promise<boolean> {
  for (let tries = 1; update !== null; tries++) {
    if (signal.aborted) return false
    const result = await handleUpdate(ports, bot, update)
    if (result.outcome === 'handled') return true
    if (tries === triesMax) {
      ports.log.warn('bot_update_passed_over', placeOf(bot))
      return true
    }
    const waitMs = Math.max(result.at - ports.clock.now(), 0)
    await pause(ports.timers, Math.min(waitMs, backOffMs.most), signal)
  }
  return true
}

type Failure = { read: ReaderFault; from: number | null }

async function afterFault(
  ports: PollPorts,
  { bot, reading }: Step,
  { read: { fault, waitMs }, from }: Failure,
): Promise<number> {
  if (fault === 'too_long') {
    await afterTooLong(ports, bot, { reading, from })
    return backOffMs.first
  }
  reading.faults++
  if (reading.last !== fault) ports.log.warn('bot_not_read', { ...placeOf(bot), cause: fault })
  reading.last = fault
  if (fault === 'token') await raiseAlarm(ports, alarmOf(bot))
  // The first time it may be one that was set just now, so that this bot is not polled any more.
  if (fault === 'webhook' && reading.faults > 1) await ports.reader.setWebhook(bot, null)
  if (waitMs !== null) return Math.min(waitMs, backOffMs.asked)
  return Math.min(backOffMs.first * 2 ** (reading.faults - 1), backOffMs.most)
}

/** Reads one by one; one that is too long by itself is passed over. */
async function afterTooLong(
  { bindings, clock, log }: PollPorts,
  bot: Bot,
  { reading, from }: { reading: Reading; from: number | null },
): Promise<void> {
  if (reading.max > 1) {
    reading.max = 1
    return
  }
  log.warn('bot_update_passed_over', placeOf(bot))
  reading.skip = true
  if (from === null || from < 0) return
  const place = { appId: bot.app.id, bot: bot.number }
  await bindings.setNextUpdate({ ...place, id: from + 1, at: clock.now() })
}

async function recovered(ports: PollPorts, bot: Bot, reading: Reading): Promise<void> {
  if (reading.last !== null) ports.log.info('bot_read', placeOf(bot))
  if (reading.last === 'token') await clearAlarm(ports, alarmOf(bot))
  Object.assign(reading, { max: readMax, faults: 0, last: null, skip: false })
}

function alarmOf({ app, endpoint }: Bot) {
  return { kind: 'login_refused', appId: app.id, endpointId: endpoint.id } as const
}

function placeOf({ app, endpoint }: Bot) {
  return { appId: app.id, endpointId: endpoint.id }
}
