import { expect, test } from 'bun:test'
import { newTimedId } from '../../src/domain/id.ts'
import { lateMs } from '../../src/domain/ports.ts'
import type { Stores } from '../../src/domain/stores.ts'
import { dayMs, hourMs } from '../../src/domain/verification/limits.ts'
import type { StartCommand } from '../../src/domain/verification/stores.ts'
import { systemRandom } from '../../src/system.ts'
import {
  addPlainApp,
  bytes,
  minuteMs,
  noon,
  plainApp,
  type StartOptions,
  settleCommand,
  startCommand,
  sweepCommand,
  times,
  tryOf,
  withAudit,
} from '../support/commands.ts'
import type { OpenStores } from './contract.ts'

type Given = Pick<Stores, 'verifications' | 'deliveries'>

/** A start whose recipient the endpoint then refuses for good. */
export async function refused(stores: Given, options: StartOptions = {}): Promise<StartCommand> {
  const command = startCommand(options)
  await stores.verifications.start(command)
  await stores.deliveries.settle(refusal(command))
  return command
}

function refusal(command: StartCommand) {
  const { createdAt: now } = command.verification
  const endpointId = command.route[0]?.endpointId ?? null
  const suppression = { id: newTimedId(systemRandom, now), endpointId, code: '550 5.1.1' }
  return settleCommand(command, {
    made: tryOf({ status: 'refused', cause: 'recipient', code: '550 5.1.1', endpointId }),
    ...{ status: 'refused', event: 'delivery.refused', now },
    counted: { endpointId: endpointId ?? '', isRefusal: true },
    suppress: { ...suppression, cause: 'refused' },
  })
}

/** Tries of an endpoint that were not refused. */
async function accepted(stores: Given, count: number, endpointId = 'endpoint', now = noon) {
  const commands = times(count, () => startCommand({ endpointId, now }))
  await Promise.all(commands.map(stores.verifications.start))
  const counted = { endpointId, isRefusal: false }
  await Promise.all(
    commands.map((command) => stores.deliveries.settle(settleCommand(command, { counted, now }))),
  )
}

const indexOf = ({ recipients }: StartCommand) => recipients[0]?.index ?? bytes(0)
const of = (command: StartCommand, now: number) => {
  const { appId } = command.verification
  const recipientIndex = indexOf(command)
  return { appId, recipientIndex, now }
}

async function all({ suppressions }: Pick<Stores, 'suppressions'>, now = noon, appId = 'app') {
  const { items } = await suppressions.list({ appId, now, limit: 100, cursor: null })
  return items
}

/** Tests the rules of suppressed addresses that every store follows. */
export function suppressionContract(open: OpenStores): void {
  spans(open)
  removal(open)
  tooMany(open)
}

function spans(open: OpenStores): void {
  test('a refused address is suppressed for its app only, from then until its end', async () => {
    const stores = await open()
    const { suppressions } = stores
    const command = await refused(stores)
    const other = startCommand()

    expect(await suppressions.has(of(command, noon))).toBe(true)
    expect(await suppressions.has(of(command, noon + dayMs - 1))).toBe(true)
    expect(await suppressions.has(of(command, noon + dayMs))).toBe(false)
    // Of an operation that read the clock a little earlier.
    expect(await suppressions.has(of(command, noon - lateMs))).toBe(true)
    // Written by a clock that was ahead.
    expect(await suppressions.has(of(command, noon - lateMs - 1))).toBe(false)
    expect(await suppressions.has(of(other, noon))).toBe(false)
    expect(await suppressions.has({ ...of(command, noon), appId: 'other' })).toBe(false)
    expect(await all(stores)).toEqual([
      {
        id: expect.any(String),
        ...{ appId: 'app', to: 'a***@example.com', cause: 'refused', code: '550 5.1.1' },
        ...{ since: noon, until: noon + dayMs },
      },
    ])
    expect(await all(stores, noon + dayMs)).toEqual([])
  })

  test('a second refusal within the time is remembered for longer, one during it changes nothing', async () => {
    const stores = await open()
    const recipientIndex = indexOf(await refused(stores))
    const again = async (now: number) => {
      await refused(stores, { recipientIndex, now })
      return (await all(stores, now)).map(({ since, until }) => [since, until])
    }

    expect(await again(noon + hourMs)).toEqual([[noon, noon + dayMs]])
    const later = noon + 2 * dayMs
    expect(await again(later)).toEqual([[later, later + 30 * dayMs]])
    // Its time was read a little before that of the one that is stored.
    expect(await again(later - lateMs)).toEqual([[later, later + 30 * dayMs]])
    const muchLater = later + 61 * dayMs
    expect(await again(muchLater)).toEqual([[muchLater, muchLater + dayMs]])
  })

  test('parallel refusals of one address make one suppression', async () => {
    const stores = await open()
    const recipientIndex = bytes(32)
    await Promise.all(times(15, () => refused(stores, { recipientIndex })))

    expect(await all(stores)).toHaveLength(1)
  })

  test('a delivery that ended before its try suppresses nobody', async () => {
    const stores = await open()
    const command = startCommand()
    await stores.verifications.start(command)
    await stores.deliveries.settle(settleCommand(command))
    await stores.deliveries.settle(refusal(command))

    expect(await all(stores)).toEqual([])
  })

  test('they are listed in pages, the newest first, each once', async () => {
    const stores = await open()
    const { suppressions } = stores
    for (const index of times(5, (index) => index)) await refused(stores, { now: noon + index })
    await refused(stores, { appId: 'other' })

    const seen: number[] = []
    let cursor: string | null = null
    do {
      const page: Awaited<ReturnType<typeof suppressions.list>> = await suppressions.list({
        ...{ appId: 'app', now: noon + hourMs, limit: 2, cursor },
      })
      seen.push(...page.items.map(({ since }) => since - noon))
      cursor = page.nextCursor
    } while (cursor !== null)
    expect(seen).toEqual([4, 3, 2, 1, 0])
  })

  test('an app shows whether it has any, and its removal removes them', async () => {
    const stores = await open()
    const app = await addPlainApp(stores, plainApp())
    const has = async () => (await stores.apps.get(app.id))?.hasSuppressions
    expect(await has()).toBe(false)
    const command = await refused(stores, { appId: app.id })
    expect(await has()).toBe(true)

    await withAudit(stores, (append) => stores.apps.remove(app.id, append))
    expect(await stores.suppressions.has(of(command, noon))).toBe(false)
    expect(await stores.suppressions.refusals({ since: noon - hourMs })).toEqual([])
  })
}

function removal(open: OpenStores): void {
  test('one is removed by its id or its address, with an audit record, and then forgotten', async () => {
    const stores = await open()
    const { suppressions, audit } = stores
    const [first, second] = [await refused(stores), await refused(stores, { now: noon + 1 })]
    const [newest, oldest] = await all(stores, noon + 1)
    const remove = (command: Parameters<typeof suppressions.remove>[0]) =>
      withAudit(stores, (append) => suppressions.remove(command, append))
    const recipientIndex = indexOf(second)

    expect(await remove({ appId: 'other', id: oldest?.id ?? '' })).toBe(false)
    expect(await remove({ appId: 'other', recipientIndex })).toBe(false)
    expect(await audit.after(0, 9)).toHaveLength(0)
    expect(await remove({ appId: 'app', id: oldest?.id ?? '' })).toBe(true)
    expect(await suppressions.has(of(first, noon))).toBe(false)
    expect((await all(stores, noon + 1)).map(({ id }) => id)).toEqual([newest?.id ?? ''])
    expect(await remove({ appId: 'app', recipientIndex })).toBe(true)
    expect(await remove({ appId: 'app', recipientIndex })).toBe(false)
    expect(await audit.after(0, 9)).toHaveLength(2)

    await refused(stores, { recipientIndex, now: noon + 3 * dayMs })
    expect(await all(stores, noon + 3 * dayMs)).toMatchObject([{ until: noon + 4 * dayMs }])
  })

  test('a removal with another head of the audit log changes nothing', async () => {
    const stores = await open()
    const command = await refused(stores)
    await withAudit(stores, (append) => stores.audit.append(append))
    const stale = { expected: 0, record: {}, state: { cutId: 0 } } as never

    const result = await stores.suppressions.remove(of(command, noon), stale)

    expect(result).toBe('head_moved')
    expect(await all(stores)).toHaveLength(1)
  })

  test('a sweep deletes those that ended before a time, in batches', async () => {
    const stores = await open()
    await Promise.all(times(5, (index) => refused(stores, { now: noon + index })))
    const sweep = (suppressionsBefore: number, limit = 100) =>
      stores.maintenance.sweep(sweepCommand(noon, { suppressionsBefore, limit }))

    await sweep(noon + dayMs + 5, 2)
    expect(await all(stores, noon + 4)).toHaveLength(3)
    await sweep(noon + dayMs + 4)
    expect(await all(stores, noon + 4)).toHaveLength(1)
  })
}

function tooMany(open: OpenStores): void {
  test('an endpoint that refuses more than twenty recipients suppresses no more', async () => {
    const stores = await open()
    await Promise.all(times(30, () => refused(stores)))
    expect(await all(stores)).toHaveLength(20)
    await refused(stores, { endpointId: 'second' })
    expect(await all(stores)).toHaveLength(21)

    // An hour later its refusals are over.
    const later = noon + hourMs + minuteMs
    await refused(stores, { now: later })
    expect(await all(stores, later)).toHaveLength(22)
  })

  test('an endpoint suppresses while its refusals are at most a tenth of its tries', async () => {
    const stores = await open()
    await accepted(stores, 300)
    await accepted(stores, 500, 'second')
    await Promise.all(times(40, () => refused(stores)))

    // 33 of 333 tries are not more than a tenth, 34 of 334 are.
    expect(await all(stores)).toHaveLength(33)
  })

  test('tries and refusals are listed by endpoint, also of one whose alarm is on', async () => {
    const stores = await open()
    await accepted(stores, 3)
    await accepted(stores, 2, 'fine')
    await refused(stores)
    await refused(stores, { endpointId: 'old', now: noon - 2 * hourMs })
    const alarm = { appId: 'app', endpointId: 'alarmed', now: noon, data: {} }
    for (const kind of ['recipients_refused', 'login_refused'] as const) {
      const endpointId = kind === 'login_refused' ? 'other' : 'alarmed'
      await stores.alarms.raise({ ...alarm, kind, endpointId, event: 'alarm.raised' })
    }

    const found = await stores.suppressions.refusals({ since: noon - hourMs })
    expect(found.toSorted((a, b) => (a.endpointId < b.endpointId ? -1 : 1))).toEqual([
      { appId: 'app', endpointId: 'alarmed', tries: 0, refusals: 0, alarmed: true },
      { appId: 'app', endpointId: 'endpoint', tries: 4, refusals: 1, alarmed: false },
    ])
    const swept = sweepCommand(noon, { refusalsBefore: noon + minuteMs })
    await stores.maintenance.sweep(swept)
    expect(await stores.suppressions.refusals({ since: noon - 3 * hourMs })).toMatchObject([
      { endpointId: 'alarmed' },
    ])
  })
}
