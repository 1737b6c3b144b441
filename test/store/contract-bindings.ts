import { expect, test } from 'bun:test'
import { newTimedId } from '../../src/domain/id.ts'
import type { Stores } from '../../src/domain/stores.ts'
import type { Binding } from '../../src/domain/telegram/binding.ts'
import type { AnswerCommand, AskCommand, NewBinding } from '../../src/domain/telegram/store.ts'
import { systemRandom } from '../../src/system.ts'
import {
  addPlainApp,
  bytes,
  minuteMs,
  noon,
  sweepCommand,
  times,
  withAudit,
} from '../support/commands.ts'
import type { OpenStores } from './contract.ts'

const tenMinutes = 10 * minuteMs
const keyId = '00000000'

function newBinding(appId: string, change: Partial<Binding> = {}, waitingMax = 100) {
  const { createdAt: now = noon } = change
  const binding: Binding = {
    id: newTimedId(systemRandom, now),
    ...{ appId, mode: 'live', bot: '42', status: 'waiting', name: null, chatSealed: null },
    ...{ createdAt: now, expiresAt: now + tenMinutes },
    ...change,
  }
  return { binding, linkHash: bytes(32), waitingMax, now } satisfies NewBinding
}

const keyOf = ({ appId, mode, id }: Binding) => ({ appId, mode, id })

function askOf(binding: Binding, change: Partial<AskCommand> = {}): AskCommand {
  const chat = { chatIndex: bytes(16), chatSealed: bytes(40), keyId, name: 'A***' }
  const at = { updateId: 7, now: noon, expiresAt: noon + 2 * tenMinutes }
  return { ...keyOf(binding), ...chat, ...at, perChatMax: 10, ...change }
}

function answerOf(command: AskCommand, change: Partial<AnswerCommand> = {}): AnswerCommand {
  const { appId, id, chatIndex } = command
  const at = { now: noon, expiresAt: noon + 3 * tenMinutes }
  return { ...{ appId, id, bot: '42', chatIndex, status: 'answered' }, ...at, ...change }
}

type Given = Pick<Stores, 'apps' | 'audit' | 'bindings'>

async function added(stores: Given, change: Partial<Binding> = {}, appId?: string) {
  const app = appId ?? (await addPlainApp(stores)).id
  const command = newBinding(app, change)
  expect(await stores.bindings.add(command)).toEqual({ added: true })
  return command
}

/** A binding whose chat has been asked. */
async function asked(stores: Given, change: Partial<AskCommand> = {}, appId?: string) {
  const { binding } = await added(stores, {}, appId)
  const command = askOf(binding, change)
  expect(await stores.bindings.ask(command)).toBe('asked')
  return command
}

async function activated(stores: Given, change: Partial<AskCommand> = {}, appId?: string) {
  const command = await asked(stores, change, appId)
  await stores.bindings.answer(answerOf(command))
  await stores.bindings.confirm({ ...command, now: noon, expiresAt: null })
  return command
}

/** Tests the rules of bindings to Telegram chats that every store follows. */
export function bindingContract(open: OpenStores): void {
  links(open)
  answers(open)
  ends(open)
  keys(open)
  updates(open)
}

function links(open: OpenStores): void {
  test('a binding is known to its app and mode only, and its link to its bot only', async () => {
    const stores = await open()
    const { binding, linkHash } = await added(stores)
    const { bindings } = stores
    const { appId, bot } = binding

    expect(await bindings.get(keyOf(binding))).toEqual(binding)
    expect(await bindings.get({ ...keyOf(binding), appId: 'other' })).toBe(null)
    expect(await bindings.get({ ...keyOf(binding), mode: 'test' })).toBe(null)
    expect(await bindings.findByLink({ appId, bot, linkHash })).toEqual(binding)
    expect(await bindings.findByLink({ appId, bot: '43', linkHash })).toBe(null)
    expect(await bindings.findByLink({ appId: 'other', bot, linkHash })).toBe(null)
    expect(await bindings.findByLink({ appId, bot, linkHash: bytes(32) })).toBe(null)
  })

  test('an app and mode have at most so many with an end ahead, also when they come at once', async () => {
    const stores = await open()
    const { bindings } = stores
    const { id } = await addPlainApp(stores)
    const one = (change: Partial<Binding> = {}) => newBinding(id, change, 3)
    const first = one({ expiresAt: noon + minuteMs })
    await bindings.add(first)
    const all = await Promise.all(times(5, () => bindings.add(one())))

    expect(all.filter((each) => each.added)).toHaveLength(2)
    expect(await bindings.add(one())).toEqual({ added: false, retryAt: noon + minuteMs })
    expect(await bindings.add(one({ mode: 'test' }))).toEqual({ added: true })
    expect(await bindings.add(newBinding('other', {}, 1))).toEqual({ added: true })
    expect(await bindings.add(one({ createdAt: noon + minuteMs }))).toEqual({ added: true })
  })

  test('a link is used up by the first update that follows it, even of many at once', async () => {
    const stores = await open()
    const { binding } = await added(stores)
    const outcomes = await Promise.all(
      times(20, (updateId) => stores.bindings.ask(askOf(binding, { updateId }))),
    )

    expect(outcomes.filter((outcome) => outcome === 'asked')).toHaveLength(1)
    expect(outcomes.filter((outcome) => outcome === 'refused')).toHaveLength(19)
    expect(await stores.bindings.get(keyOf(binding))).toMatchObject({
      ...{ status: 'asked', name: 'A***', expiresAt: noon + 2 * tenMinutes },
    })
  })

  test('the same update of the same chat may come again, and after an answer asks nothing', async () => {
    const stores = await open()
    const command = await asked(stores)
    const { bindings } = stores

    expect(await bindings.ask(command)).toBe('asked')
    expect(await bindings.ask({ ...command, chatIndex: bytes(16) })).toBe('refused')
    await bindings.answer(answerOf(command))
    expect(await bindings.ask(command)).toBe('done')
    expect((await bindings.get(command))?.status).toBe('answered')
  })

  test('a link that has expired, or is of another app or mode, is refused', async () => {
    const stores = await open()
    const { binding } = await added(stores)
    const other = await addPlainApp(stores)
    const ask = (change: Partial<AskCommand>) => stores.bindings.ask(askOf(binding, change))

    expect(await ask({ now: noon + tenMinutes })).toBe('refused')
    expect(await ask({ appId: other.id })).toBe('refused')
    expect(await ask({ mode: 'test' })).toBe('refused')
    expect(await ask({ now: noon + tenMinutes - 1 })).toBe('asked')
  })

  test('a chat has at most so many bindings of an app; those that have ended do not count', async () => {
    const stores = await open()
    const chatIndex = bytes(16)
    const { appId } = await activated(stores, { chatIndex })
    const second = await asked(stores, { chatIndex }, appId)
    const ask = async (change: Partial<AskCommand> = {}) => {
      const { binding } = await added(stores, {}, appId)
      return stores.bindings.ask(askOf(binding, { chatIndex, perChatMax: 2, ...change }))
    }

    expect(await ask()).toBe('too_many')
    expect(await ask({ chatIndex: bytes(16) })).toBe('asked')
    const later = second.expiresAt
    const { binding } = await added(stores, { createdAt: later }, appId)
    const late = askOf(binding, { chatIndex, perChatMax: 2, now: later, updateId: 8 })
    expect(await stores.bindings.ask(late)).toBe('asked')
  })

  test('a chat that follows many links at once gets no more bindings than it may have', async () => {
    const stores = await open()
    const { id } = await addPlainApp(stores)
    const links = await Promise.all(times(20, () => added(stores, {}, id)))
    const chatIndex = bytes(16)

    const outcomes = await Promise.all(
      links.map(({ binding }, updateId) => {
        return stores.bindings.ask(askOf(binding, { chatIndex, updateId, perChatMax: 3 }))
      }),
    )

    expect(outcomes.filter((outcome) => outcome === 'asked')).toHaveLength(3)
    expect(outcomes.filter((outcome) => outcome === 'too_many')).toHaveLength(17)
  })
}

function answers(open: OpenStores): void {
  test('only the chat that was asked answers, once and in time', async () => {
    const stores = await open()
    const command = await asked(stores)
    const { bindings } = stores
    const answer = (change: Partial<AnswerCommand>) => bindings.answer(answerOf(command, change))

    expect(await answer({ chatIndex: bytes(16) })).toBe(null)
    expect(await answer({ appId: 'other' })).toBe(null)
    expect(await answer({ bot: '43' })).toBe(null)
    expect(await answer({ now: command.expiresAt })).toBe(null)
    expect(await answer({})).toMatchObject({
      ...{ status: 'answered', expiresAt: noon + 3 * tenMinutes },
    })
    // The same answer read twice changes nothing; another one is too late.
    expect(await answer({ now: noon + 1, expiresAt: noon + 9 * tenMinutes })).toMatchObject({
      ...{ status: 'answered', expiresAt: noon + 3 * tenMinutes },
    })
    expect(await answer({ status: 'declined' })).toBe(null)
  })

  test('a binding that was never asked, or that was declined, is not activated', async () => {
    const stores = await open()
    const { bindings } = stores
    const { binding } = await added(stores)
    const command = await asked(stores)
    const confirm = (key: Binding | AskCommand) => {
      const { appId, mode, id } = key
      return bindings.confirm({ appId, mode, id, now: noon, expiresAt: null })
    }

    expect(await confirm(binding)).toBe(null)
    expect(await confirm(command)).toBe(null)
    expect(await bindings.answer(answerOf(command, { status: 'declined' }))).toMatchObject({
      status: 'declined',
    })
    expect(await confirm(command)).toBe(null)
  })

  test('an answered binding is activated in time by its app, and stays active', async () => {
    const stores = await open()
    const { bindings } = stores
    const command = await asked(stores)
    await bindings.answer(answerOf(command))
    const { appId, mode, id } = command
    const key = { appId, mode, id }
    const confirm = (change: object) => {
      return bindings.confirm({ ...key, now: noon, expiresAt: null, ...change })
    }

    expect(await confirm({ appId: 'other' })).toBe(null)
    expect(await confirm({ mode: 'test' })).toBe(null)
    expect(await confirm({ now: noon + 3 * tenMinutes })).toBe(null)
    expect(await confirm({})).toMatchObject({ status: 'active', expiresAt: null, name: 'A***' })
    expect(await confirm({ expiresAt: noon + 1, now: noon + 9 * tenMinutes })).toMatchObject({
      ...{ status: 'active', expiresAt: null },
    })
    expect(await bindings.answer(answerOf(command))).toMatchObject({ status: 'active' })
  })
}

function ends(open: OpenStores): void {
  test('a binding is removed by its app and mode only, or by the admin with a record', async () => {
    const stores = await open()
    const { bindings, audit } = stores
    const first = await activated(stores)
    const second = await activated(stores)
    const { length } = await audit.after(0, 99)
    const remove = (command: { appId: string; id: string }) =>
      withAudit(stores, (append) => bindings.removeAudited(command, append))

    expect(await bindings.remove({ ...first, appId: 'other' })).toBe(false)
    expect(await bindings.remove({ ...first, mode: 'test' })).toBe(false)
    expect(await bindings.remove(first)).toBe(true)
    expect(await bindings.remove(first)).toBe(false)
    expect(await remove({ appId: 'other', id: second.id })).toBe(false)
    expect(await audit.after(0, 99)).toHaveLength(length)
    const stale = { expected: 0, record: {}, state: { cutId: 0 } } as never
    expect(await bindings.removeAudited(second, stale)).toBe('head_moved')
    expect(await remove(second)).toBe(true)
    expect(await bindings.get(second)).toBe(null)
    expect(await audit.after(0, 99)).toHaveLength(length + 1)
  })

  test('a chat that leaves loses every binding of that bot and app, and no other', async () => {
    const stores = await open()
    const chatIndex = bytes(16)
    const first = await activated(stores, { chatIndex })
    const { appId } = first
    const second = await asked(stores, { chatIndex, updateId: 8 }, appId)
    const others = [await activated(stores, {}, appId), await activated(stores, { chatIndex })]
    const leave = () => stores.bindings.leave({ appId, bot: '42', chatIndex })

    expect(await stores.bindings.leave({ appId, bot: '43', chatIndex })).toBe(0)
    expect(await leave()).toBe(2)
    expect(await leave()).toBe(0)
    for (const gone of [first, second]) expect(await stores.bindings.get(gone)).toBe(null)
    for (const kept of others) expect(await stores.bindings.get(kept)).not.toBe(null)
  })

  test('they are listed in pages, the newest first, each once, of both modes', async () => {
    const stores = await open()
    const { id: appId } = await addPlainApp(stores)
    for (const index of times(5, (index) => index)) {
      const mode = index === 2 ? 'test' : 'live'
      await added(stores, { createdAt: noon + index, mode }, appId)
    }
    await added(stores)

    const seen: number[] = []
    let cursor: string | null = null
    do {
      const query: Parameters<typeof stores.bindings.list>[0] = { appId, limit: 2, cursor }
      const page = await stores.bindings.list(query)
      seen.push(...page.items.map(({ createdAt }) => createdAt - noon))
      cursor = page.nextCursor
    } while (cursor !== null)
    expect(seen).toEqual([4, 3, 2, 1, 0])
  })

  test('the removal of an app removes its bindings and how far its bots were read', async () => {
    const stores = await open()
    const command = await activated(stores)
    const { appId } = command
    await stores.bindings.setNextUpdate({ appId, bot: '42', id: 8, at: noon })

    await withAudit(stores, (append) => stores.apps.remove(appId, append))

    expect(await stores.bindings.get(command)).toBe(null)
    expect(await stores.bindings.nextUpdate({ appId, bot: '42' })).toBe(null)
  })

  test('a sweep deletes those that ended before a time, in batches, and no active one', async () => {
    const stores = await open()
    const kept = await activated(stores)
    const { appId } = kept
    for (const index of times(5, (index) => index)) {
      await added(stores, { createdAt: noon + index }, appId)
    }
    const sweep = (bindingsBefore: number, limit = 100) =>
      stores.maintenance.sweep(sweepCommand(noon, { bindingsBefore, limit }))
    const count = async () => {
      return (await stores.bindings.list({ appId, limit: 100, cursor: null })).items.length
    }

    await sweep(noon + tenMinutes)
    expect(await count()).toBe(6)
    await sweep(noon + tenMinutes + 5, 2)
    expect(await count()).toBe(4)
    await sweep(noon + tenMinutes + 4)
    expect(await count()).toBe(2)
    await sweep(noon + 1_000 * tenMinutes)
    expect(await stores.bindings.get(kept)).toMatchObject({ status: 'active' })
    expect(await count()).toBe(1)
  })
}

function keys(open: OpenStores): void {
  test('a chat that was sealed with another data key than the app’s is not written', async () => {
    const stores = await open()
    const { binding } = await added(stores)

    expect(await stores.bindings.ask(askOf(binding, { keyId: '11111111' }))).toBe('rekeyed')
    expect((await stores.bindings.get(keyOf(binding)))?.status).toBe('waiting')
  })

  test('chats of another data key are listed for a rotation, and resealed unless they changed', async () => {
    const stores = await open()
    const { bindings } = stores
    const first = await activated(stores)
    const second = await activated(stores)
    const third = await activated(stores)
    await added(stores)
    const otherwise = async (id: string) => (await bindings.sealedOtherwise(id, 100)).length
    expect([await otherwise(keyId), await otherwise('11111111')]).toEqual([0, 3])
    expect(await bindings.sealedOtherwise('11111111', 2)).toHaveLength(2)

    const to = bytes(40)
    const renewal = ({ id, appId, chatSealed }: AskCommand) => {
      return { id, appId, from: chatSealed, to, keyId: '11111111' }
    }
    await bindings.reseal([
      renewal(first),
      { ...renewal(second), from: bytes(40) },
      { ...renewal(third), to: null },
    ])

    expect((await bindings.get(first))?.chatSealed).toEqual(to)
    expect((await bindings.get(second))?.chatSealed).toEqual(second.chatSealed)
    expect(await bindings.get(third)).toBe(null)
    expect(await otherwise('11111111')).toBe(1)
  })
}

function updates(open: OpenStores): void {
  test('the next update is kept for each bot of an app, until a sweep after its time', async () => {
    const { bindings, maintenance } = await open()
    const bot = { appId: 'app', bot: '42' }
    expect(await bindings.nextUpdate(bot)).toBe(null)

    await bindings.setNextUpdate({ ...bot, id: 8, at: noon })
    await bindings.setNextUpdate({ ...bot, id: 3, at: noon + 1 })
    await bindings.setNextUpdate({ ...bot, bot: '43', id: 9, at: noon })

    expect(await bindings.nextUpdate(bot)).toEqual({ id: 3, at: noon + 1 })
    expect(await bindings.nextUpdate({ ...bot, appId: 'other' })).toBe(null)
    await maintenance.sweep(sweepCommand(noon, { bindingsBefore: noon + 1 }))
    expect(await bindings.nextUpdate({ ...bot, bot: '43' })).toBe(null)
    expect(await bindings.nextUpdate(bot)).toEqual({ id: 3, at: noon + 1 })
  })
}
