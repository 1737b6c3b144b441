import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { updateEndpoint } from '../../src/domain/app/endpoints.ts'
import { updateApp } from '../../src/domain/app/manage.ts'
import { Problem } from '../../src/domain/problem.ts'
import {
  bindingStatusOf,
  linksPerMinute,
  maskPerson,
  stepMs,
  waitingMax,
} from '../../src/domain/telegram/binding.ts'
import {
  chatOf,
  confirmBinding,
  getBinding,
  listBindings,
  removeBinding,
  removeBindingOf,
  startBinding,
} from '../../src/domain/telegram/bindings.ts'
import type { Bot, BotUpdate } from '../../src/domain/telegram/bot.ts'
import { handleUpdate, updatesPerSecond } from '../../src/domain/telegram/updates.ts'
import type { Mode } from '../../src/domain/verification/verification.ts'
import { problemCode } from '../store/files.ts'
import {
  adaPerson,
  addBot,
  newToken,
  openedBot,
  otherToken,
  payloadOf,
} from '../support/telegram.ts'
import { addApp, world } from '../support/world.ts'

const actor = { who: 'cli', requestId: null }

/** A world whose app has a bot, and what persons do in it. */
async function telegram() {
  const at = await world()
  const bot = await addBot(at, at.app)
  const place = async () => ({ app: (await at.apps.get(at.app.id)) ?? at.app })
  let id = 100
  const make = async (mode: Mode = 'live') => startBinding(at, { ...(await place()), mode })
  const update = async (change: Partial<BotUpdate> & Pick<BotUpdate, 'kind'>, of: Bot = bot) =>
    handleUpdate(at, of, { id: id++, chat: '1001', person: adaPerson, ...change } as BotUpdate)
  const follow = (link: string | null, change: Partial<BotUpdate> = {}) =>
    update({ kind: 'start', payload: payloadOf(link), ...change } as BotUpdate)
  const press = (binding: string, agrees: boolean, change: Partial<BotUpdate> = {}) =>
    update({ kind: 'answer', binding, agrees, callback: 'c', message: 5, ...change } as BotUpdate)
  const key = (id: string, mode: Mode = 'live') => ({ appId: at.app.id, mode, id })
  const status = async (id: string, mode: Mode = 'live') =>
    bindingStatusOf(await getBinding(at, key(id, mode)), at.clock.now())
  const active = async (change: Partial<BotUpdate> = {}) => {
    const { binding, link } = await make()
    await follow(link, change)
    await press(binding.id, true, change)
    await confirmBinding(at, key(binding.id))
    return binding.id
  }
  const said = () => at.bots.said.map(({ sentence }) => sentence)
  return { at, bot, make, update, follow, press, key, status, active, said }
}

async function refusal(action: Promise<unknown>): Promise<Problem> {
  const error = await action.then(() => null).catch((thrown: unknown) => thrown)
  if (!(error instanceof Problem)) throw new Error(`expected a problem, got ${error}`)
  return error
}

describe('a person', () => {
  test('follows a link, agrees, and gets codes once the app has confirmed', async () => {
    const { at, bot, make, follow, press, key, status, said } = await telegram()
    const { binding, link } = await make()
    const { id } = binding
    expect(link).toMatch(/^https:\/\/t\.me\/acme_codes_bot\?start=[A-Za-z0-9_-]{32}$/)
    expect(await status(id)).toBe('waiting')

    expect(await follow(link)).toEqual({ outcome: 'handled' })
    expect(at.bots.said).toEqual([
      { chat: '1001', sentence: 'question', language: 'en', binding: id },
    ])
    expect(await status(id)).toBe('waiting')
    expect((await refusal(confirmBinding(at, key(id)))).code).toBe('recipient_not_answered')
    await press(id, true)
    expect(await status(id)).toBe('answered')
    expect((await getBinding(at, key(id))).name).toBe('A*** L*** (@a***)')
    expect(await chatOf(at, bot, key(id))).toEqual({ reason: expect.stringContaining('active') })

    expect((await confirmBinding(at, key(id))).expiresAt).toBe(null)
    expect(await status(id)).toBe('active')
    expect(await chatOf(at, bot, key(id))).toEqual({ chat: '1001' })
    expect(said()).toEqual(['question', 'thanks'])
    at.clock.advance(1e12)
    expect(await chatOf(at, bot, key(id))).toEqual({ chat: '1001' })
  })

  test('who declines is not written to, and cannot be confirmed', async () => {
    const { at, make, follow, press, key, status, said } = await telegram()
    const { binding, link } = await make()
    await follow(link)
    await press(binding.id, false)

    expect(await status(binding.id)).toBe('declined')
    expect(said()).toEqual(['question', 'declined'])
    const { code, extra } = await refusal(confirmBinding(at, key(binding.id)))
    expect([code, extra.detail]).toEqual(['recipient_not_answered', 'The person has declined'])
  })

  test('has ten minutes for each step', async () => {
    const { at, make, follow, press, key, status } = await telegram()
    const late = await make()
    at.clock.advance(stepMs)
    await follow(late.link)
    expect(await status(late.binding.id)).toBe('expired')
    expect(at.bots.said.at(-1)?.sentence).toBe('unknown')

    const { binding, link } = await make()
    at.clock.advance(stepMs - 1)
    await follow(link)
    at.clock.advance(stepMs - 1)
    await press(binding.id, true)
    at.clock.advance(stepMs - 1)
    expect(await status(binding.id)).toBe('answered')
    at.clock.advance(1)
    const { extra } = await refusal(confirmBinding(at, key(binding.id)))
    expect(extra.detail).toBe('The time for this step is over')
  })

  test('leaves with /stop or by blocking the bot: every binding of the chat is removed', async () => {
    const { at, bot, active, update, key, said } = await telegram()
    const bob = { chat: '1002' }
    const [first, second, other] = [await active(), await active(), await active(bob)]
    await update({ kind: 'stop' })

    for (const id of [first, second]) {
      expect(await problemCode(getBinding(at, key(id)))).toBe('recipient_not_found')
    }
    expect(said().at(-1)).toBe('stopped')
    expect(await chatOf(at, bot, key(other))).toEqual({ chat: '1002' })
    const { length } = said()
    await update({ kind: 'left', ...bob })
    expect(await problemCode(getBinding(at, key(other)))).toBe('recipient_not_found')
    expect(said()).toHaveLength(length)
  })

  test('who blocks the bot before it answers is forgotten', async () => {
    const { at, make, follow, key } = await telegram()
    const { binding, link } = await make()
    at.bots.outcomes.push('gone')
    expect(await follow(link)).toEqual({ outcome: 'handled' })

    expect(await problemCode(getBinding(at, key(binding.id)))).toBe('recipient_not_found')
  })
})

describe('a link', () => {
  test('works once: another start, also of its own chat, is refused', async () => {
    const { at, make, follow, status, said } = await telegram()
    const { binding, link } = await make()
    await follow(link)
    await follow(link, { chat: '1002' })
    await follow(link)

    expect(said()).toEqual(['question', 'unknown', 'unknown'])
    expect(await status(binding.id)).toBe('waiting')
    expect(at.bots.said.slice(1).every(({ binding }) => binding === undefined)).toBe(true)
  })

  test('is unknown to another bot, and a made-up payload to every one', async () => {
    const { at, make, follow, update, said } = await telegram()
    const { link } = await make()
    const other = await addApp(at, { name: 'Other' })
    const foreign = await addBot(at, other.app, { token: otherToken })
    const start = { kind: 'start', payload: payloadOf(link) } as const
    await update(start, foreign)
    for (const payload of ['', 'x', 'A'.repeat(64)]) {
      await update({ kind: 'start', payload } as BotUpdate)
    }

    expect(said()).toEqual(['unknown', 'unknown', 'unknown', 'unknown'])
    await follow(link)
    expect(said().at(-1)).toBe('question')
  })

  test('has at least 128 random bits, and is not in the database', async () => {
    const { at, make } = await telegram()
    const links = await Promise.all(Array.from({ length: 20 }, () => make()))
    const payloads = links.map(({ link }) => payloadOf(link))

    expect(new Set(payloads).size).toBe(20)
    for (const payload of payloads) expect(Buffer.from(payload, 'base64url')).toHaveLength(24)
    const { items } = await at.bindings.list({ appId: at.app.id, limit: 100, cursor: null })
    expect(JSON.stringify(items)).not.toContain(payloads[0] ?? '')
  })

  test('needs a bot that answers, and an app that is not paused', async () => {
    const at = await world()
    const start = async () => {
      const app = (await at.apps.get(at.app.id)) ?? at.app
      return startBinding(at, { app, mode: 'live' })
    }
    expect((await refusal(start())).code).toBe('channel_not_configured')
    await addBot(at, at.app)
    at.bots.name = { fault: 'the Bot API refuses the token of the bot' }
    const { code, extra } = await refusal(start())
    expect([code, extra.detail]).toEqual(['bot_unavailable', at.bots.name.fault])
    await updateApp(at, actor, { id: at.app.id, policy: { paused: true } })
    expect((await refusal(start())).code).toBe('app_paused')
  })
})

describe('the same update again', () => {
  test('asks again before an answer, and changes nothing after it', async () => {
    const { make, follow, press, status, said } = await telegram()
    const { binding, link } = await make()
    await follow(link, { id: 7 })
    await follow(link, { id: 7 })
    await press(binding.id, true, { id: 8 })
    await press(binding.id, true, { id: 8 })
    await follow(link, { id: 7 })

    expect(said()).toEqual(['question', 'question', 'thanks', 'thanks'])
    expect(await status(binding.id)).toBe('answered')
  })

  test('may be handled later where the bot could not speak: nothing is lost', async () => {
    const { at, make, follow, said } = await telegram()
    const { link } = await make()
    at.bots.outcomes.push('later')
    const result = await follow(link, { id: 7 })

    expect(result).toEqual({ outcome: 'later', at: at.clock.now() + 1_000 })
    expect(await follow(link, { id: 7 })).toEqual({ outcome: 'handled' })
    expect(said()).toEqual(['question', 'question'])
  })
})

describe('an answer', () => {
  test('counts from the asked chat only, and the first one stays', async () => {
    const { make, follow, press, status, said } = await telegram()
    const { binding, link } = await make()
    await follow(link)
    await press(binding.id, true, { chat: '1002' })
    expect(await status(binding.id)).toBe('waiting')
    await press(binding.id, false)
    await press(binding.id, true)

    expect(await status(binding.id)).toBe('declined')
    expect(said()).toEqual(['question', 'unknown', 'declined', 'unknown'])
  })

  test('to nothing that was asked is told so', async () => {
    const { press, said } = await telegram()
    await press('0'.repeat(30), true)
    expect(said()).toEqual(['unknown'])
  })
})

describe('another bot', () => {
  test('does not write to the chats of the former one; a new token of the same bot does', async () => {
    const { at, active, key } = await telegram()
    const id = await active()
    const [endpoint] = (await openedBot(at, at.app.id)).app.endpoints.filter(
      ({ channel }) => channel === 'telegram',
    )
    const change = (token: string) => {
      const command = { appId: at.app.id, id: endpoint?.id ?? '', input: { token } }
      return updateEndpoint(at, actor, command)
    }
    const reach = async () => chatOf(at, await openedBot(at, at.app.id), key(id))

    await change(newToken)
    expect(await reach()).toEqual({ chat: '1001' })
    await change(otherToken)
    expect(await reach()).toEqual({ reason: expect.stringContaining('another bot') })
    await change(newToken)
    expect(await reach()).toEqual({ chat: '1001' })
  })
})

describe('bounds', () => {
  test('an app makes so many links a minute, in each mode', async () => {
    const { at, make } = await telegram()
    for (let count = 0; count < linksPerMinute; count++) await make()

    const { code, extra } = await refusal(make())
    expect([code, extra.limit, extra.retryAfterSeconds]).toEqual([
      'rate_limited',
      'app_bindings',
      1,
    ])
    await make('test')
    at.clock.advance(1_000)
    await make()
  })

  test('so many of an app may wait; then the first has to end', async () => {
    const { at, make } = await telegram()
    for (let count = 0; count < waitingMax; count++) {
      await make()
      at.clock.advance(1_001)
    }
    const { code, extra } = await refusal(make())
    expect([code, extra.limit]).toEqual(['rate_limited', 'app_bindings'])
    at.clock.advance((extra.retryAfterSeconds ?? 0) * 1000)
    await make()
  })

  test('a bot handles so many updates a second; the next one is handled later, not lost', async () => {
    const { at, update } = await telegram()
    const stop = (chat: number) => update({ kind: 'stop', chat: String(chat) })
    for (let chat = 0; chat < updatesPerSecond; chat++) {
      expect(await stop(chat)).toEqual({ outcome: 'handled' })
    }
    const result = await stop(99)
    if (result.outcome !== 'later') throw new Error('it was handled')
    expect(result.at - at.clock.now()).toBeLessThanOrEqual(34)
    at.clock.advance(result.at - at.clock.now())
    expect(await stop(99)).toEqual({ outcome: 'handled' })
  })

  test('one chat is heard twenty times a minute, and the others still are', async () => {
    const { at, update, said } = await telegram()
    for (let count = 0; count < 25; count++) {
      expect(await update({ kind: 'stop' })).toEqual({ outcome: 'handled' })
      at.clock.advance(34)
    }
    expect(said()).toHaveLength(20)
    await update({ kind: 'stop', chat: '1002' })
    expect(said()).toHaveLength(21)
  })
})

describe('a binding', () => {
  test('is unknown to another app and another mode, in every call', async () => {
    const { at, active, key } = await telegram()
    const id = await active()
    const other = await addApp(at, { name: 'Other' })
    const foreign = await addBot(at, other.app, { token: otherToken })
    for (const strange of [key(id, 'test'), { ...key(id), appId: other.app.id }]) {
      expect(await problemCode(getBinding(at, strange))).toBe('recipient_not_found')
      expect(await problemCode(confirmBinding(at, strange))).toBe('recipient_not_found')
      expect(await problemCode(removeBinding(at, strange))).toBe('recipient_not_found')
      expect(await chatOf(at, foreign, strange)).toEqual({
        reason: expect.stringContaining('no such'),
      })
    }
    expect((await getBinding(at, key(id))).status).toBe('active')
  })

  test('of a test key needs no Telegram, has agreed at once, and ends after an hour', async () => {
    const at = await world()
    const { binding, link } = await startBinding(at, { app: at.app, mode: 'test' })
    const key = { appId: at.app.id, mode: 'test', id: binding.id } as const

    expect([link, binding.status, binding.name]).toEqual([null, 'answered', 'T*** P*** (@t***)'])
    const confirmed = await confirmBinding(at, key)
    expect(confirmed.expiresAt).toBe(at.clock.now() + 3_600_000)
    at.clock.advance(3_600_000)
    expect(bindingStatusOf(await getBinding(at, key), at.clock.now())).toBe('expired')
  })

  test('is removed by its app, or by the admin with a record', async () => {
    const { at, active, key } = await telegram()
    const [first, second] = [await active(), await active()]
    await removeBinding(at, key(first))
    const appId = at.app.id
    await removeBindingOf(at, actor, { appId, id: second })

    expect((await listBindings(at, { appId, limit: 9, cursor: null })).items).toEqual([])
    const { items } = await at.audit.list({ limit: 1, cursor: null })
    expect(items).toMatchObject([{ action: 'binding.remove', detail: `binding ${second}` }])
    const again = removeBindingOf(at, actor, { appId, id: second })
    expect(await problemCode(again)).toBe('recipient_not_found')
    const unknown = listBindings(at, { appId: 'x', limit: 9, cursor: null })
    expect(await problemCode(unknown)).toBe('app_not_found')
  })

  test('has neither chat id nor name in clear in the database', async () => {
    const { at, active } = await telegram()
    await active({ chat: '987654321' })
    const { items } = await at.bindings.list({ appId: at.app.id, limit: 9, cursor: null })
    const [{ chatSealed, ...rest } = { chatSealed: null }] = items

    expect(Buffer.from(chatSealed ?? []).toString('latin1')).not.toContain('987654321')
    expect(JSON.stringify(rest)).not.toMatch(/987654321|Ada|Lovelace/)
  })
})

test('a masked name has one letter or digit of each part, and nothing that bends a screen', () => {
  const person = (firstName: string, lastName: string | null, username: string | null) =>
    maskPerson({ firstName, lastName, username, language: null })

  expect(person('Ada', null, null)).toBe('A***')
  expect(person('\u202e\u0301éva', 'ß', 'x_1')).toBe('é*** ß*** (@x***)')
  expect(person('🦆', null, null)).toBe('***')
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 8 }), (name) => {
      expect(person(name, null, null)).toMatch(/^[\p{L}\p{N}]?\*\*\*$/u)
    }),
  )
})
