import { expect, test } from 'bun:test'
import { linkAudit } from '../../src/domain/audit.ts'
import { type EventType, eventTypes, storyEvents } from '../../src/domain/event.ts'
import { hourMs } from '../../src/domain/verification/limits.ts'
import {
  attempt,
  auditEntry,
  auditKeyring,
  bytes,
  cancelCommand,
  minuteMs,
  noon,
  resendCommand,
  settleCommand,
  startCommand,
  times,
} from '../support/commands.ts'
import type { OpenStores } from './contract.ts'

/** Tests the rules of statistics, events, alarms, inbox, nodes, meta and job turns. */
export function recordContract(open: OpenStores): void {
  stats(open)
  events(open)
  alarms(open)
  inbox(open)
  installation(open)
}

function stats(open: OpenStores): void {
  test('statistics count every operation by app and bucket', async () => {
    const { verifications, deliveries, stats } = await open()
    const [approved, canceled, foreign] = [
      startCommand(),
      startCommand({ now: noon + hourMs }),
      startCommand({ appId: 'other', now: noon + 1 }),
    ]
    for (const command of [approved, canceled, foreign]) await verifications.start(command)
    await verifications.claimResend(resendCommand(approved, noon + 30_000))
    await verifications.chargeAttempt(attempt(approved, false))
    await deliveries.settle(settleCommand(approved))
    await deliveries.settle(settleCommand(foreign, { status: 'refused' }))
    await verifications.chargeAttempt(attempt(approved, true))
    await verifications.chargeAttempt(attempt(approved, true))
    await verifications.cancel(cancelCommand(canceled, noon + hourMs))

    const none = { approvals: 0, cancels: 0, resends: 0, sent: 0, refused: 0, deferred: 0 }
    const counts = {
      ...none,
      starts: 1,
      checks: 0,
      failures: 0,
      undeliverable: 0,
      bounced: 0,
      delivered: 0,
      failed: 0,
    }
    const first = { ...counts, checks: 2, failures: 1, approvals: 1, resends: 1, sent: 1 }
    const query = { appId: 'app', from: noon, to: noon + 2 * hourMs, bucketMs: hourMs }
    expect(await stats.read(query)).toEqual([
      { at: noon, ...first },
      { at: noon + hourMs, ...counts, cancels: 1 },
    ])
    const [all] = await stats.read({ ...query, appId: null })
    expect(all).toEqual({ at: noon, ...first, starts: 2, refused: 1 })
    expect(await stats.read({ ...query, from: noon + hourMs, to: noon + hourMs })).toEqual([])
  })

  test('two hundred parallel checks are counted one by one', async () => {
    const { verifications, stats } = await open()
    const commands = times(200, (index) => startCommand({ now: noon + index }))
    await Promise.all(commands.map(verifications.start))
    await Promise.all(
      commands.map((command) => verifications.chargeAttempt(attempt(command, false))),
    )

    const query = { appId: 'app', from: noon, to: noon + minuteMs, bucketMs: minuteMs }
    expect(await stats.read(query)).toMatchObject([{ starts: 200, checks: 200, failures: 200 }])
  })

  test('apps with failures since a time, or with their spray alarm on, are listed', async () => {
    const { verifications, stats, alarms } = await open()
    for (const appId of ['calm', 'guessed']) {
      const command = startCommand({ appId })
      await verifications.start(command)
      await verifications.chargeAttempt(attempt(command, appId === 'calm'))
    }
    const place = { kind: 'spray', appId: 'alarmed', endpointId: null } as const
    await alarms.raise({ ...place, now: noon, event: 'alarm.raised', data: {} })
    const other = { ...place, kind: 'login_refused', appId: 'calm' } as const
    await alarms.raise({ ...other, now: noon, event: 'alarm.raised', data: {} })

    const found = (await stats.failures({ since: noon })).toSorted((a, b) =>
      a.appId < b.appId ? -1 : 1,
    )
    const alarmed = { appId: 'alarmed', checks: 0, failures: 0, alarmed: true }
    expect(found).toEqual([alarmed, { appId: 'guessed', checks: 1, failures: 1, alarmed: false }])
    expect(await stats.failures({ since: noon + minuteMs })).toEqual([alarmed])
  })
}

function events(open: OpenStores): void {
  test('events are listed by app and type, the newest first, each once', async () => {
    const { events } = await open()
    const add = async (appId: string | null, type: 'delivery.sent' | 'alarm.raised') => {
      await events.add({ at: noon, appId, type, verificationId: 'v', data: { detail: 'x', n: 1 } })
    }
    for (const appId of ['a', 'b', null, 'a', 'a']) await add(appId, 'delivery.sent')
    await add('a', 'alarm.raised')
    const list = (appId: string | null, cursor: string | null = null) =>
      events.list({ appId, type: 'delivery.sent', limit: 2, cursor })

    const first = await list('a')
    const second = await list('a', first.nextCursor)
    const shown = [...first.items, ...second.items]
    expect([first.items.length, second.items.length, second.nextCursor]).toEqual([2, 1, null])
    const data = { detail: 'x', n: 1 }
    const event = { at: noon, appId: 'a', type: 'delivery.sent', verificationId: 'v', data }
    expect(shown.map(({ id: _, ...rest }) => rest)).toEqual(times(3, () => event) as never)
    const ids = shown.map(({ id }) => id)
    expect(ids).toEqual(ids.toSorted((a, b) => b - a))
    const all = await events.list({ appId: null, type: null, limit: 9, cursor: null })
    expect(all.items.map(({ appId }) => appId)).toEqual(['a', 'a', 'a', null, 'b', 'a'])
  })

  test('the events of a story are those of its verification and app, oldest first', async () => {
    const { events } = await open()
    const add = (verificationId: string, type: EventType, appId = 'a') =>
      events.add({ at: noon, appId, type, verificationId, data: { type } })
    for (const type of eventTypes) await add('v', type)
    await add('w', 'delivery.bounced')
    await add('v', 'delivery.bounced', 'b')
    for (const _ of times(100, () => 0)) await add('many', 'delivery.delayed')
    await add('many', 'delivery.bounced')

    const found = await events.ofVerification({ appId: 'a', verificationId: 'v' })
    expect(found.map(({ type }) => type)).toEqual(
      eventTypes.filter((type) => (storyEvents as readonly EventType[]).includes(type)),
    )
    expect(found.map(({ data }) => data['type'])).toEqual(found.map(({ type }) => type))
    const many = await events.ofVerification({ appId: 'a', verificationId: 'many' })
    expect(new Set(many.map(({ type }) => type))).toEqual(new Set(['delivery.delayed']))
    expect(many).toHaveLength(100)
  })
}

function alarms(open: OpenStores): void {
  const place = { kind: 'login_refused', appId: 'a', endpointId: 'e' } as const
  const raised = { event: 'alarm.raised', data: { kind: 'login_refused' } } as const
  const cleared = { event: 'alarm.cleared', data: { kind: 'login_refused' } } as const

  test('an alarm that is raised repeatedly is one alarm with one event', async () => {
    const { alarms, events } = await open()
    const elsewhere = [
      { ...place, endpointId: 'f' },
      { ...place, appId: null, endpointId: null },
      { ...place, kind: 'spray', endpointId: null } as const,
    ]
    expect(await alarms.clear({ ...place, now: noon, ...cleared })).toBe(false)

    const raise = () => alarms.raise({ ...place, now: noon, ...raised })
    expect((await Promise.all(times(50, raise))).filter(Boolean).length).toBe(1)
    for (const other of elsewhere) {
      const twice = times(2, () => alarms.raise({ ...other, now: noon, ...raised }))
      expect((await Promise.all(twice)).filter(Boolean).length).toBe(1)
    }
    const clear = () => alarms.clear({ ...place, now: noon + 5, ...cleared })
    expect((await Promise.all(times(50, clear))).filter(Boolean).length).toBe(1)
    expect(await raise()).toBe(true)

    const list = { appId: null, type: null, limit: 99, cursor: null }
    const types = (await events.list(list)).items.map(({ type }) => type)
    expect(types.filter((type) => type === 'alarm.raised').length).toBe(5)
    expect(types.filter((type) => type === 'alarm.cleared').length).toBe(1)
    const { items } = await events.list({ ...list, appId: 'a', type: 'alarm.cleared' })
    expect(items).toMatchObject([{ at: noon + 5, verificationId: null, data: cleared.data }])
  })

  test('alarms are listed the newest first, of an app and those that are on', async () => {
    const { alarms } = await open()
    await alarms.raise({ ...place, now: noon, ...raised })
    await alarms.clear({ ...place, now: noon + 1, ...cleared })
    await alarms.raise({ ...place, now: noon + 2, ...raised })
    await alarms.raise({ ...place, appId: null, endpointId: null, now: noon + 3, ...raised })
    const list = async (appId: string | null, open: boolean, cursor: string | null = null) =>
      alarms.list({ appId, open, limit: 2, cursor })

    const all = await list(null, false)
    expect(all.items.map(({ appId, since }) => [appId, since])).toEqual([
      [null, noon + 3],
      ['a', noon + 2],
    ])
    const rest = await list(null, false, all.nextCursor)
    const { id: _, ...first } = rest.items[0] ?? { id: 0 }
    expect(first).toEqual({ ...place, since: noon, until: noon + 1 } as never)
    expect(rest.nextCursor).toBeNull()
    expect((await list('a', true)).items).toMatchObject([{ since: noon + 2, until: null }])
    expect((await list('a', false)).items).toHaveLength(2)
  })
}

function inbox(open: OpenStores): void {
  test('the inbox keeps the newest of all apps, each delivery once', async () => {
    const { inbox } = await open()
    const rows = times(5, (index) => ({
      deliveryId: `d${index}`,
      appId: index === 3 ? 'b' : 'a',
      verificationId: `v${index}`,
      recipientSealed: bytes(40),
      variablesSealed: index === 4 ? bytes(40) : null,
      at: noon + index,
    }))
    for (const row of rows) await inbox.add({ row, keep: 3 })
    const [, , third, fourth, fifth] = rows
    if (!third || !fourth || !fifth) throw new Error('too few')

    expect(await inbox.list({ appId: null, limit: 9 })).toEqual([fifth, fourth, third])
    expect(await inbox.list({ appId: 'a', limit: 9 })).toEqual([fifth, third])
    expect(await inbox.list({ appId: null, limit: 1 })).toEqual([fifth])
    await inbox.add({ row: { ...fifth, at: noon + 9 }, keep: 3 })
    const again = await inbox.list({ appId: null, limit: 9 })
    expect(again).toEqual([{ ...fifth, at: noon + 9 }, fourth, third])
  })

  test('the inbox of one app or of all is cleared together with its audit record', async () => {
    const { inbox, audit } = await open()
    const add = (appId: string) => {
      const sealed = { recipientSealed: bytes(8), variablesSealed: null }
      const row = { deliveryId: `${appId}1`, appId, verificationId: 'v', ...sealed, at: noon }
      return inbox.add({ row, keep: 9 })
    }
    for (const appId of ['a', 'b', 'c']) await add(appId)
    const append = async () => linkAudit(auditKeyring, await audit.state(), auditEntry())
    const [first, late] = [await append(), await append()]
    const apps = async () => (await inbox.list({ appId: null, limit: 9 })).map(({ appId }) => appId)

    expect(await inbox.clear({ appId: 'b' }, first)).toBe(1)
    expect(await inbox.clear({ appId: null }, late)).toBe('head_moved')
    expect(await apps()).toEqual(['c', 'a'])
    expect(await inbox.clear({ appId: null }, await append())).toBe(2)
    expect(await apps()).toEqual([])
    expect((await audit.list({ limit: 9, cursor: null })).items).toHaveLength(2)
  })
}

function installation(open: OpenStores): void {
  test('nodes are listed as they were last seen, until they leave or were not seen for long', async () => {
    const { nodes } = await open()
    await nodes.beat({ id: 'a', seenAt: noon, keysetVersion: 1, nextKeyId: null })
    await nodes.beat({ id: 'b', seenAt: noon, keysetVersion: 1, nextKeyId: null })
    await nodes.beat({ id: 'a', seenAt: noon + 5, keysetVersion: 2, nextKeyId: '0123abcd' })

    expect((await nodes.list()).toSorted((a, b) => (a.id < b.id ? -1 : 1))).toEqual([
      { id: 'a', seenAt: noon + 5, keysetVersion: 2, nextKeyId: '0123abcd' },
      { id: 'b', seenAt: noon, keysetVersion: 1, nextKeyId: null },
    ])
    await nodes.leave('a')
    expect((await nodes.list()).map(({ id }) => id)).toEqual(['b'])
    await nodes.beat({ id: 'c', seenAt: noon + 1, keysetVersion: 1, nextKeyId: null })
    await nodes.forget(noon + 1)
    expect((await nodes.list()).map(({ id }) => id)).toEqual(['c'])
  })

  test('meta values change together, and only if none of them has changed before', async () => {
    const { meta } = await open()
    const [one, two] = [new Uint8Array([1]), new Uint8Array([2])]

    expect(await meta.write({ a: one, b: two }, { expected: { a: null } })).toBe(true)
    expect(await meta.write({ a: two, b: null }, { expected: { a: null, b: two } })).toBe(false)
    expect([await meta.read('a'), await meta.read('b')]).toEqual([one, two])
    expect(await meta.write({ a: null }, { expected: { a: one, c: null } })).toBe(true)
    expect(await meta.read('a')).toBeNull()
    await Promise.all(times(50, () => meta.read('b')))
    for (const expected of [{ b: two }, { c: null }]) {
      const [name = ''] = Object.keys(expected)
      const races = times(50, (index) =>
        meta.write({ [name]: new Uint8Array([9, index]) }, { expected }),
      )
      expect((await Promise.all(races)).filter(Boolean).length).toBe(1)
    }
  })

  test('meta values and their audit record are written together', async () => {
    const { meta, audit } = await open()
    const append = linkAudit(auditKeyring, null, auditEntry())

    expect(await meta.write({ a: bytes(1) }, { expected: { a: bytes(1) }, audit: append })).toBe(
      false,
    )
    expect(await audit.state()).toBeNull()
    expect(await meta.write({ a: bytes(1) }, { audit: append })).toBe(true)
    expect(await audit.after(0, 9)).toEqual([append.record])
  })

  test('one node has the turn of a job until it is over', async () => {
    const { maintenance } = await open()
    const turn = (node: string, now: number, job = 'sweep') =>
      maintenance.takeTurn({ job, node, now, until: now + 60_000 })

    const all = await Promise.all(times(50, (index) => turn(`n${index}`, noon)))
    expect(all.filter(Boolean).length).toBe(1)
    const holder = `n${all.indexOf(true)}`
    expect(await turn('other', noon + 59_999)).toBe(false)
    expect(await turn('other', noon, 'watch')).toBe(true)
    expect(await turn(holder, noon + 1000)).toBe(true)
    expect(await turn('other', noon + 60_999)).toBe(false)
    expect(await turn('other', noon + 61_000)).toBe(true)
  })

  test('a turn far in the future is ignored, and a small clock difference takes none away', async () => {
    const { maintenance } = await open()
    const turn = (node: string, now: number) =>
      maintenance.takeTurn({ job: 'sweep', node, now, until: now + 60_000 })
    await turn('a', noon + hourMs)

    expect(await turn('b', noon)).toBe(true)
    expect(await turn('c', noon - 1000)).toBe(false)
  })

  test('an undamaged store is ready and has no faults', async () => {
    const { maintenance } = await open()

    await Promise.all(times(50, () => maintenance.ready()))
    expect(await maintenance.faults()).toEqual([])
  })
}
