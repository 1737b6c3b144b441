import { expect, test } from 'bun:test'
import { alarmChange } from '../../src/domain/alarm.ts'
import type { Event } from '../../src/domain/event.ts'
import { dayMs, hourMs } from '../../src/domain/verification/limits.ts'
import type { StartCommand } from '../../src/domain/verification/stores.ts'
import { type Message, messageId, waitingMax } from '../../src/domain/webhook/message.ts'
import type { MessageResult, SettledWebhook } from '../../src/domain/webhook/stores.ts'
import type { Webhook } from '../../src/domain/webhook/webhook.ts'
import {
  addPlainApp,
  attempt,
  cancelCommand,
  minuteMs,
  noon,
  plainApp,
  settleCommand,
  startCommand,
  sweepCommand,
  times,
  tryOf,
  webhook,
  withAudit,
} from '../support/commands.ts'
import type { OpenStores } from './contract.ts'

/** An app with these webhooks; its methods take and answer what the tests look at. */
async function hooked(open: OpenStores, ...hooks: Webhook[]) {
  const stores = await open()
  const app = await addPlainApp(stores, plainApp({ webhooks: hooks }))
  const appId = app.id
  const [first = webhook()] = hooks
  const place = { appId, webhookId: first.id }

  const started = async (options: Parameters<typeof startCommand>[0] = {}) => {
    const command = startCommand({ appId, ...options })
    await stores.verifications.start(command)
    return command
  }
  const approved = async (options: Parameters<typeof startCommand>[0] = {}) => {
    const command = await started(options)
    await stores.verifications.chargeAttempt(attempt(command, true, { now: options.now ?? noon }))
    return command
  }
  const messages = async (webhookId = first.id, status: 'dead' | null = null) =>
    (await stores.webhooks.list({ appId, webhookId, status, limit: 100, cursor: null })).items
  const state = async (webhookId = first.id) =>
    (await stores.webhooks.states(appId)).find(({ id }) => id === webhookId)
  const settle = (results: MessageResult[], change: Partial<SettledWebhook> = {}, now = noon) =>
    stores.webhooks.settle({
      now,
      webhooks: [{ ...place, results, failingSince: null, off: null, ...change }],
    })
  const due = (now = noon, node = 'a', after: string | null = null) =>
    stores.webhooks.due({ ...dueAt(now, node), after, limit: 100 })
  const lease = (now = noon, node = 'a') =>
    stores.webhooks.lease({ ...dueAt(now, node), ...place, until: now + minuteMs })
  const dueMessages = (now = noon, limit = 100) =>
    stores.webhooks.dueMessages({ ...place, now, dueWithinMs, limit })
  const alarm = (event: Partial<Event>) =>
    stores.events.add({
      at: noon,
      appId,
      type: 'alarm.raised',
      verificationId: null,
      data: {},
      ...event,
    })
  const change = async (webhooks: Webhook[]) => {
    const version = (await stores.apps.get(appId))?.version ?? 0
    const change = { expectedVersion: version, updatedAt: noon, webhooks }
    await withAudit(stores, (append) => stores.apps.update(appId, change, append))
  }
  return {
    ...{ stores, appId, first, place, started, approved, messages, state, settle, due },
    ...{ dueMessages, alarm, change, lease },
  }
}

const dueWithinMs = 2 * dayMs
const dueAt = (now: number, node = 'a') => {
  return { node, now, dueWithinMs, silentSince: now - 15_000 }
}

function resultOf({ id }: { id: string }, change: Partial<MessageResult> = {}): MessageResult {
  return { id, status: 'delivered', at: null, tries: 1, code: 204, detail: null, ...change }
}

const later = (at: number, tries = 1): Partial<MessageResult> => {
  return { status: 'waiting', at, tries, code: 503, detail: null }
}
const dead: Partial<MessageResult> = { status: 'dead', tries: 10, code: 500 }

function only(messages: Message[]): Message {
  const [message, ...more] = messages
  if (!message || more.length > 0) throw new Error(`expected one message, not ${messages.length}`)
  return message
}

/** Tests the rules of webhooks and their messages that every store follows. */
export function webhookContract(open: OpenStores): void {
  telling(open)
  bounds(open)
  working(open)
  settling(open)
  switching(open)
  replaying(open)
  ending(open)
}

function telling(open: OpenStores): void {
  test('an event is told to each webhook that wants its type, with one id and one body', async () => {
    const wants = webhook()
    const others = webhook({ types: ['delivery.sent', 'app.alarm'], createdAt: noon + 1 })
    const { stores, appId, approved, messages, dueMessages } = await hooked(open, wants, others)
    const { verification } = await approved({ metadata: { order: '17' } })

    const [told] = await messages()
    expect(await messages()).toEqual([
      {
        id: expect.stringMatching(/^msg_[0-9A-Za-z]{16}$/),
        ...{ webhookId: wants.id, type: 'verification.approved', status: 'waiting' as const },
        ...{ verificationId: verification.id, tries: 0, nextAt: noon, code: null, detail: null },
        createdAt: noon,
      },
    ])
    expect(await messages(others.id)).toEqual([])
    const [due] = await dueMessages()
    expect(due?.id).toBe(told?.id ?? '')
    expect(JSON.parse(due?.body ?? '')).toEqual({
      type: 'verification.approved',
      timestamp: '2026-06-15T12:00:00.000Z',
      data: {
        app: appId,
        mode: 'live',
        verification: {
          ...{ id: verification.id, status: 'approved', to: 'a***@example.com' },
          ...{ channel: 'email', purpose: 'default', locale: null, metadata: { order: '17' } },
          ...{ reference: 'AB12', attempts_left: 4, created_at: '2026-06-15T12:00:00.000Z' },
          expires_at: '2026-06-15T12:10:00.000Z',
        },
      },
    })
    expect(await stores.webhooks.backlog()).toBe(1)
  })

  test('every change that has an event tells it: canceled, exhausted, sent, failed, bounced', async () => {
    const { stores, started, messages } = await hooked(open, webhook())
    const canceled = await started()
    await stores.verifications.cancel(cancelCommand(canceled))
    const exhausted = await started({ attemptsMax: 1 })
    await stores.verifications.chargeAttempt(attempt(exhausted, false))
    const sent = await started()
    await stores.deliveries.settle(settleCommand(sent))
    await stores.deliveries.bounce({
      ...{ delivery: settleCommand(sent).delivery, event: 'delivery.bounced', suppress: null },
      ...{ follow: null, now: noon, detail: 'returned', cause: 'recipient', code: '550 5.1.1' },
    })
    const failed = await started()
    await stores.deliveries.settle(
      settleCommand(failed, { status: 'refused', event: 'delivery.refused' }),
    )
    const given = await started()
    await stores.deliveries.settle(
      settleCommand(given, { status: 'undeliverable', event: 'delivery.undeliverable' }),
    )
    const deferred = await started()
    await stores.deliveries.settle(
      settleCommand(deferred, { status: 'deferred', event: 'delivery.deferred' }),
    )

    const told = (await messages()).map(({ type, verificationId }) => [type, verificationId])
    const of = ({ verification }: StartCommand) => verification.id
    expect(told.reverse()).toEqual([
      ['verification.canceled', of(canceled)],
      ['verification.exhausted', of(exhausted)],
      ['delivery.sent', of(sent)],
      ['delivery.bounced', of(sent)],
      ['delivery.failed', of(failed)],
      ['delivery.failed', of(given)],
    ])
  })

  test('a failed delivery is told with its status, cause and code', async () => {
    const { stores, started, dueMessages } = await hooked(open, webhook())
    const command = await started()
    const made = tryOf({ status: 'refused', cause: 'recipient', code: '550 5.1.1' })
    const status = { status: 'refused', event: 'delivery.refused', detail: 'no such user' } as const
    await stores.deliveries.settle(settleCommand(command, { made, ...status }))

    const [due] = await dueMessages()
    expect(JSON.parse(due?.body ?? '').data).toMatchObject({
      verification: { status: 'pending' },
      delivery: {
        ...{ status: 'refused', cause: 'recipient', code: '550 5.1.1', detail: 'no such user' },
      },
    })
  })

  test('what test keys do is told only to those that ask for it', async () => {
    const both = webhook({ testEvents: true, createdAt: noon + 1 })
    const { approved, messages } = await hooked(open, webhook(), both)
    await approved({ mode: 'test' })

    expect(await messages()).toEqual([])
    expect(await messages(both.id)).toHaveLength(1)
  })

  test('alarms of the app are told, those of the server and of other apps are not', async () => {
    const { stores, appId, alarm, messages, dueMessages } = await hooked(open, webhook())
    const endpointId = 'e'.repeat(22)
    const place = { kind: 'login_refused', endpointId } as const
    await stores.alarms.raise(alarmChange('raised', { ...place, appId }, noon))
    await stores.alarms.clear(alarmChange('cleared', { ...place, appId }, noon + 1))
    await stores.alarms.raise(alarmChange('raised', { ...place, appId: null }, noon))
    await alarm({ appId: (await addPlainApp(stores)).id })

    expect((await messages()).map(({ type }) => type)).toEqual(['app.alarm', 'app.alarm'])
    const bodies = (await dueMessages(noon + 1)).map(({ body }) => JSON.parse(body).data.alarm)
    expect(bodies).toEqual([
      { state: 'raised', kind: 'login_refused', endpoint: endpointId },
      { state: 'cleared', kind: 'login_refused', endpoint: endpointId },
    ])
  })

  test('an event that was not written tells nothing, and a webhook is told from its addition on', async () => {
    const { stores, started, approved, messages, change, first } = await hooked(open)
    const command = await started()
    await approved()
    await change([first])
    await Promise.all(times(5, () => stores.verifications.chargeAttempt(attempt(command, true))))

    expect(only(await messages()).verificationId).toBe(command.verification.id)
  })

  test('the listener hears of new messages', async () => {
    const { stores, approved, place } = await hooked(open, webhook())
    const heard: unknown[] = []
    stores.webhooks.onMessage((changed) => void heard.push(changed))
    await approved()
    await new Promise((resolve) => setImmediate(resolve))

    expect(heard).toEqual([place])
  })

  test('messages are listed in pages, newest first, each once', async () => {
    const { stores, alarm, place } = await hooked(open, webhook())
    for (const index of times(5, (index) => index)) await alarm({ at: noon + index })

    const seen: number[] = []
    let cursor: string | null = null
    do {
      const page: Awaited<ReturnType<typeof stores.webhooks.list>> = await stores.webhooks.list({
        ...place,
        ...{ status: null, limit: 2, cursor },
      })
      seen.push(...page.items.map(({ createdAt }) => createdAt - noon))
      cursor = page.nextCursor
    } while (cursor !== null)
    expect(seen).toEqual([4, 3, 2, 1, 0])
  })
}

function bounds(open: OpenStores): void {
  test('beyond the most that may wait a message is dead at once, with an alarm until half are gone', async () => {
    const { stores, appId, alarm, messages, state, settle, dueMessages, first } = await hooked(
      open,
      webhook({ types: ['app.alarm'] }),
    )
    const batch = 10_000
    for (let sent = 0; sent < waitingMax; sent += batch) {
      await Promise.all(times(batch, () => alarm({})))
    }
    const open_ = async () =>
      (await stores.alarms.list({ appId, open: true, limit: 9, cursor: null })).items
    expect(await state()).toMatchObject({ waiting: waitingMax })
    expect(await messages(first.id, 'dead')).toEqual([])
    expect(await open_()).toEqual([])

    await alarm({})
    // The alarm of the backlog is told too, and dead too.
    const lost = await messages(first.id, 'dead')
    expect(lost.map(({ detail }) => detail)).toEqual(
      times(2, () => '50,000 messages were waiting already'),
    )
    expect(lost.every(({ nextAt }) => nextAt === null)).toBe(true)
    expect(await state()).toMatchObject({ waiting: waitingMax })
    expect(await open_()).toMatchObject([{ kind: 'webhook_backlog', endpointId: first.id }])

    const ended = async (count: number) => {
      for (let left = count; left > 0; left -= 1000) {
        const due = await dueMessages(noon, Math.min(left, 1000))
        await settle(due.map((message) => resultOf(message)))
      }
    }
    await ended(waitingMax / 2 - 1)
    expect(await open_()).toHaveLength(1)
    await ended(1)
    expect(await open_()).toEqual([])
  }, 120_000)
}

function working(open: OpenStores): void {
  test('a webhook is due while it has due messages, for one living node at a time', async () => {
    const { stores, place, approved, due, lease: leaseTo } = await hooked(open, webhook())
    expect(await due()).toEqual([])
    await approved()
    expect(await due()).toEqual([place])
    expect(await due(noon - 1)).toEqual([])

    const lease = (node: string, now = noon) => leaseTo(now, node)
    await stores.nodes.beat({ id: 'a', seenAt: noon, keysetVersion: 1, nextKeyId: null })
    expect(await lease('a')).toEqual({ failingSince: null })
    expect(await lease('a', noon + 1000)).not.toBeNull()
    expect(await lease('b')).toBeNull()
    expect(await due(noon, 'b')).toEqual([])
    expect(await due()).toEqual([place])
    // Its holder is silent, or the lease is over, or given up.
    expect(await due(noon + 15_001, 'b')).toHaveLength(1)
    await stores.nodes.beat({
      id: 'a',
      seenAt: noon + 2 * minuteMs,
      keysetVersion: 1,
      nextKeyId: null,
    })
    expect(await due(noon + minuteMs + 999, 'b')).toEqual([])
    expect(await lease('b', noon + minuteMs + 1000)).not.toBeNull()
    await stores.nodes.beat({ id: 'b', seenAt: noon + minuteMs, keysetVersion: 1, nextKeyId: null })
    expect(await due(noon + minuteMs + 1000)).toEqual([])
    await stores.webhooks.releaseLeases('b')
    expect(await due(noon + minuteMs + 1000)).toHaveLength(1)
  })

  test('due webhooks come in pages by their id', async () => {
    const hooks = times(3, () => webhook())
    const { stores, approved } = await hooked(open, ...hooks)
    await approved()

    const page = (after: string | null) => stores.webhooks.due({ ...dueAt(noon), after, limit: 2 })
    const first = await page(null)
    const second = await page(first.at(-1)?.webhookId ?? null)
    const ids = [...first, ...second].map(({ webhookId }) => webhookId)
    expect(ids).toEqual(hooks.map(({ id }) => id).sort())
  })

  test('due messages come the longest due first', async () => {
    const { alarm, dueMessages, settle } = await hooked(open, webhook())
    await Promise.all([noon + 5, noon, noon + 9].map((at) => alarm({ at })))
    const times = async (now: number, limit?: number) =>
      (await dueMessages(now, limit)).map(({ body }) => Date.parse(JSON.parse(body).timestamp))

    expect(await times(noon + 5)).toEqual([noon, noon + 5])
    expect(await times(noon + 9, 1)).toEqual([noon])
    const [oldest] = await dueMessages()
    await settle([resultOf(oldest ?? { id: '' }, later(noon + 7))])
    expect(await times(noon + 9)).toEqual([noon + 5, noon, noon + 9])
  })

  test('a time that no wait explains was written by a wrong clock, and is due', async () => {
    const { alarm, dueMessages, due } = await hooked(open, webhook())
    const ahead = noon + 400 * dayMs
    await alarm({ at: ahead })

    expect(await due(noon)).toHaveLength(1)
    expect(await dueMessages(noon)).toHaveLength(1)
    expect(await dueMessages(ahead - dueWithinMs - 1)).toHaveLength(1)
    expect(await due(ahead - dueWithinMs - 1)).toHaveLength(1)
    expect(await dueMessages(ahead - dueWithinMs)).toEqual([])
    expect(await due(ahead - dueWithinMs)).toEqual([])
  })
}

function settling(open: OpenStores): void {
  test('a message that arrived has ended, one that did not is due again at its time', async () => {
    const { alarm, messages, settle, due, dueMessages, state, lease } = await hooked(
      open,
      webhook(),
    )
    await alarm({})
    await alarm({ at: noon + 1 })
    const [second, first] = await messages()
    await settle(
      [
        resultOf(first ?? { id: '' }),
        resultOf(second ?? { id: '' }, {
          ...later(noon + minuteMs),
          detail: 'no answer',
          code: null,
        }),
      ],
      { failingSince: noon },
    )

    expect(await messages()).toEqual([
      { ...second, tries: 1, nextAt: noon + minuteMs, detail: 'no answer' } as Message,
      { ...first, status: 'delivered', tries: 1, nextAt: null, code: 204 } as Message,
    ])
    expect(await state()).toMatchObject({ waiting: 1, failingSince: noon })
    expect(await due(noon + minuteMs - 1)).toEqual([])
    expect(await due(noon + minuteMs)).toHaveLength(1)
    expect(await lease(noon + minuteMs)).toEqual({ failingSince: noon })
    expect(await dueMessages(noon + minuteMs)).toMatchObject([{ id: second?.id, tries: 1 }])
  })

  test('a result is counted once, whoever brings it, and a webhook or message that is gone is no error', async () => {
    const { stores, alarm, messages, settle, state, appId } = await hooked(open, webhook())
    await alarm({})
    await alarm({})
    const [one] = await messages()
    await Promise.all(times(10, () => settle([resultOf(one ?? { id: '' })])))
    await settle([resultOf(one ?? { id: '' }, dead)])
    await settle([resultOf({ id: messageId(noon, 999) })])
    const results = [resultOf(one ?? { id: '' })]
    const gone = { appId, webhookId: 'gone', results, failingSince: null, off: null }
    await stores.webhooks.settle({ now: noon, webhooks: [gone] })

    expect(await state()).toMatchObject({ waiting: 1 })
    expect((await messages())[0]).toMatchObject({ status: 'delivered' })
  })

  test('dead messages are listed by themselves', async () => {
    const { alarm, messages, settle, first } = await hooked(open, webhook())
    await Promise.all(times(3, () => alarm({})))
    const [one] = await messages()
    await settle([resultOf(one ?? { id: '' }, { ...dead, detail: 'no answer' })])

    expect(await messages(first.id, 'dead')).toMatchObject([
      { id: one?.id, status: 'dead', tries: 10, nextAt: null, detail: 'no answer' },
    ])
  })
}

function switching(open: OpenStores): void {
  test('a webhook that is switched off by a result is off with an alarm, and its messages wait', async () => {
    const { stores, appId, alarm, messages, settle, due, state, first } = await hooked(
      open,
      webhook(),
    )
    await alarm({})
    const raised = alarmChange(
      'raised',
      { kind: 'webhook_off', appId, endpointId: first.id },
      noon + 5,
      { cause: 'gone' },
    )
    const before = await stores.apps.get(appId)
    const [one] = await messages()
    const off = { cause: 'gone', alarm: raised } as const
    await settle([resultOf(one ?? { id: '' }, later(noon + 10))], { off }, noon + 5)
    await settle([], { off }, noon + 6)

    const after = await stores.apps.get(appId)
    expect(after?.webhooks).toMatchObject([{ offSince: noon + 5, offCause: 'gone' }])
    expect(after?.version).toBe((before?.version ?? 0) + 1)
    const query = { appId, open: true, limit: 9, cursor: null }
    const { items } = await stores.alarms.list(query)
    expect(items).toMatchObject([{ kind: 'webhook_off', endpointId: first.id, since: noon + 5 }])
    await alarm({ at: noon + 20 })
    expect(await due(noon + hourMs)).toEqual([])
    // The first one, the alarm of the switch, and the one after it.
    expect(await state()).toMatchObject({ waiting: 3 })
  })

  test('one that is switched on again has its messages due and has not failed yet', async () => {
    const all = await hooked(open, webhook())
    const { stores, appId, alarm, change, due, dueMessages, state, settle, first, lease } = all
    await settle([], { failingSince: noon })
    await change([{ ...first, offSince: noon, offCause: 'admin' }])
    await alarm({ at: noon + 1 })
    await alarm({ at: noon + 2 })
    expect(await due(noon + 9)).toEqual([])
    expect(await state()).toMatchObject({ failingSince: noon })
    const place = { kind: 'webhook_off', appId, endpointId: first.id } as const
    await stores.alarms.raise(alarmChange('raised', place, noon))

    const clears = [alarmChange('cleared', place, noon + 3)]
    const update = { expectedVersion: 2, updatedAt: noon, webhooks: [first], clears }
    await withAudit(stores, (append) => stores.apps.update(appId, update, append))

    expect(await due(noon + 9)).toHaveLength(1)
    expect(await lease()).toEqual({ failingSince: null })
    // The alarm was told too.
    expect(await dueMessages(noon + 2)).toHaveLength(3)
    const query = { appId, open: true, limit: 9, cursor: null }
    expect((await stores.alarms.list(query)).items).toEqual([])
  })

  test('changed settings keep messages and state; test events and types count from then on', async () => {
    const { stores, appId, approved, change, messages, state, settle, first } = await hooked(
      open,
      webhook(),
    )
    await approved()
    await settle([], { failingSince: noon })
    const changed = { ...first, url: 'https://b.example.com/', types: [], testEvents: true }
    await change([{ ...changed, types: ['delivery.sent'] }])
    await approved()

    expect(await messages()).toHaveLength(1)
    expect(await state()).toMatchObject({ waiting: 1, failingSince: noon })
    const app = await stores.apps.get(appId)
    expect(app?.webhooks).toEqual([{ ...changed, types: ['delivery.sent'] }])
  })
}

function replaying(open: OpenStores): void {
  const range = (change: { from?: number; to?: number; isDeadOnly?: boolean } = {}) => {
    return { from: noon, to: noon + hourMs, isDeadOnly: true, after: null, ...change }
  }

  test('an ended message waits again by its id, as if it were new', async () => {
    const { stores, place, alarm, messages, settle, due, dueMessages, state } = await hooked(
      open,
      webhook(),
    )
    await alarm({})
    const one = only(await messages())
    await settle([resultOf(one, { ...dead, detail: 'no answer' })])
    const replay = (id: string, now: number) =>
      stores.webhooks.replay({ ...place, now, which: { id }, limit: 10 })

    const [none, again] = [{ count: 0, after: null, isFull: false }, noon + hourMs]
    expect(await replay(messageId(noon, 777), again)).toEqual(none)
    expect(await replay(one.id, again)).toEqual({ ...none, count: 1 })
    expect(await messages()).toEqual([{ ...one, nextAt: again }])
    expect(await due(again)).toHaveLength(1)
    expect(await dueMessages(again)).toMatchObject([{ id: one.id, tries: 0 }])
    expect(await state()).toMatchObject({ waiting: 1 })
    // One that waits is tried now, and counted once.
    await settle([resultOf(one, later(again + hourMs))])
    expect(await replay(one.id, again + 1)).toMatchObject({ count: 1 })
    expect(await state()).toMatchObject({ waiting: 1 })
    expect(await dueMessages(again + 1)).toHaveLength(1)
  })

  test('a range of time replays the dead, or all that ended, in batches of this webhook only', async () => {
    const other = webhook({ createdAt: noon + 1 })
    const { stores, place, alarm, messages, settle, state } = await hooked(open, webhook(), other)
    for (const index of times(6, (index) => index)) await alarm({ at: noon + index })
    const all = (await messages()).reverse()
    await settle(all.slice(0, 5).map((message, index) => resultOf(message, index < 3 ? dead : {})))
    const replay = (which: Parameters<typeof stores.webhooks.replay>[0]['which'], limit = 10) =>
      stores.webhooks.replay({ ...place, now: noon + hourMs, which, limit })

    const first = await replay(range({ from: noon + 1 }), 1)
    expect(first).toEqual({ count: 1, after: all[1]?.id ?? '', isFull: false })
    const next = { ...range({ from: noon + 1 }), after: first.after }
    expect(await replay(next)).toEqual({ count: 1, after: null, isFull: false })
    expect(await replay(range({ to: noon + 4, isDeadOnly: false }))).toMatchObject({ count: 2 })
    expect((await messages()).reverse().map(({ status }) => status)).toEqual([
      'waiting',
      'waiting',
      'waiting',
      'waiting',
      'delivered',
      'waiting',
    ])
    expect(await state()).toMatchObject({ waiting: 5 })
    expect(await state(other.id)).toMatchObject({ waiting: 6 })
  })
}

function ending(open: OpenStores): void {
  test('messages are kept for their time and then deleted, the waiting ones too', async () => {
    const { stores, alarm, messages, settle, due, state } = await hooked(open, webhook())
    for (const index of times(4, (index) => index)) await alarm({ at: noon + index * dayMs })
    const [, , , oldest] = await messages()
    await settle([resultOf(oldest ?? { id: '' })])
    const { sweep } = stores.maintenance
    const swept = (now: number) => sweep(sweepCommand(now, { messagesBefore: noon + 2 * dayMs }))

    expect((await swept(noon)).rows).toBe(2)
    expect((await messages()).map(({ createdAt }) => createdAt - noon)).toEqual([
      3 * dayMs,
      2 * dayMs,
    ])
    expect(await state()).toMatchObject({ waiting: 2 })
    expect(await due(noon + 2 * dayMs - 1)).toEqual([])
    expect(await due(noon + 2 * dayMs)).toHaveLength(1)
    expect((await swept(noon)).rows).toBe(0)
  })

  test('a webhook that was removed is told nothing, and its messages are purged in batches', async () => {
    const keeps = webhook({ createdAt: noon + 1 })
    const { stores, place, alarm, change, messages, state } = await hooked(open, webhook(), keeps)
    await Promise.all(times(3, () => alarm({})))
    await change([keeps])
    await alarm({})

    expect(await state()).toBeUndefined()
    const purge = () => stores.webhooks.purge({ ...place, limit: 2 })
    expect([await purge(), await purge(), await purge()]).toEqual([2, 1, 0])
    expect(await messages()).toEqual([])
    expect(await messages(keeps.id)).toHaveLength(4)
  })

  test('with its app a webhook and its messages are gone', async () => {
    const { stores, appId, alarm, messages } = await hooked(open, webhook())
    await Promise.all(times(1100, () => alarm({})))
    await withAudit(stores, (append) => stores.apps.remove(appId, append))

    expect(await messages()).toEqual([])
    expect(await stores.webhooks.backlog()).toBe(0)
  })
}
