import { expect, test } from 'bun:test'
import type { Delivery } from '../../src/domain/delivery/delivery.ts'
import type { Lane } from '../../src/domain/delivery/handover.ts'
import type { Due } from '../../src/domain/delivery/stores.ts'
import type { Stores } from '../../src/domain/stores.ts'
import { dayMs, hourMs } from '../../src/domain/verification/limits.ts'
import type { StartCommand } from '../../src/domain/verification/stores.ts'
import {
  attempt,
  cancelCommand,
  due,
  keyOf,
  newDelivery,
  noon,
  resendCommand,
  type StartOptions,
  settleCommand,
  startCommand,
  times,
  tryOf,
} from '../support/commands.ts'
import type { OpenStores } from './contract.ts'

const lane: Lane = { appId: 'app', channel: 'email', endpointId: 'endpoint' }
const idsOf = (deliveries: { id: string }[]) => deliveries.map(({ id }) => id).sort()

/** Claims deliveries of the test's lane. */
async function claim(
  { deliveries }: Pick<Stores, 'deliveries'>,
  when: Due,
  change: { lane?: Lane; limit?: number } = {},
): Promise<Delivery[]> {
  const command = { lane, leaseUntil: when.now + 90_000, limit: 100, ...change }
  return deliveries.claim({ ...when, ...command })
}

async function started(
  { verifications }: Pick<Stores, 'verifications'>,
  options: StartOptions = {},
): Promise<StartCommand> {
  const command = startCommand(options)
  await verifications.start(command)
  return command
}

/** Tests the rules of deliveries and leases that every store follows. */
export function deliveryContract(open: OpenStores): void {
  leases(open)
  clocks(open)
  lanes(open)
  settling(open)
  ended(open)
}

function leases(open: OpenStores): void {
  test('a delivery without a lease is claimed once, however many nodes claim at a time', async () => {
    const stores = await open()
    const commands = await Promise.all(
      times(50, (index) => started(stores, { lease: null, now: noon + index })),
    )
    for (const id of ['a', 'b']) {
      await stores.nodes.beat({ id, seenAt: noon + 1000, keysetVersion: 1, nextKeyId: null })
    }

    const claims = times(20, (index) =>
      claim(stores, due(noon + 1000, { node: index % 2 ? 'a' : 'b' }), { limit: 5 }),
    )
    const claimed = (await Promise.all(claims)).flat()

    expect(idsOf(claimed)).toEqual(idsOf(commands.map(({ delivery }) => delivery)))
    expect(claimed[0]).toMatchObject({ appId: 'app', mode: 'live', status: 'queued', tries: 0 })
  })

  test('a leased delivery is not claimed until its lease ends', async () => {
    const stores = await open()
    const { delivery } = await started(stores)
    await stores.nodes.beat({ id: 'a', seenAt: noon + dayMs, keysetVersion: 1, nextKeyId: null })

    for (const node of ['a', 'b']) {
      expect(await claim(stores, due(noon + 89_999, { node }))).toEqual([])
    }
    const claimed = await claim(stores, due(noon + 90_000, { node: 'b' }))
    expect(idsOf(claimed)).toEqual([delivery.id])
    await stores.nodes.beat({ id: 'b', seenAt: noon + dayMs, keysetVersion: 1, nextKeyId: null })
    expect(await claim(stores, due(noon + 179_999))).toEqual([])
    expect(await claim(stores, due(noon + 180_000))).toHaveLength(1)
  })

  test('a claim takes the oldest first, and no more than it says', async () => {
    const stores = await open()
    const commands: StartCommand[] = []
    for (const index of [3, 1, 4, 0, 2]) {
      commands.push(await started(stores, { lease: null, now: noon + index }))
    }
    const byAge = commands.map(({ delivery }) => delivery.id).sort()

    const first = await claim(stores, due(noon + 10), { limit: 3 })
    expect(first.map(({ id }) => id)).toEqual(byAge.slice(0, 3))
    const second = await claim(stores, due(noon + 10), { limit: 3 })
    expect(second.map(({ id }) => id)).toEqual(byAge.slice(3))
  })

  test('the oldest come first, whichever node had them before', async () => {
    const stores = await open()
    const commands: StartCommand[] = []
    for (const [index, node] of ['gone', null, 'gone', null].entries()) {
      const now = noon + index
      const lease = node === null ? null : { node, until: noon + 90_000 }
      commands.push(await started(stores, { lease, now }))
    }
    const byAge = commands.map(({ delivery }) => delivery.id)

    const first = await claim(stores, due(noon + 10), { limit: 3 })
    expect(first.map(({ id }) => id)).toEqual(byAge.slice(0, 3))
    const second = await claim(stores, due(noon + 10), { limit: 3 })
    expect(second.map(({ id }) => id)).toEqual(byAge.slice(3))
  })

  test('a node gives up only its own leases, of deliveries that no lane holds', async () => {
    const stores = await open()
    const mine = await started(stores)
    const theirs = await started(stores, { lease: { node: 'b', until: noon + 90_000 } })
    for (const id of ['a', 'b']) {
      await stores.nodes.beat({ id, seenAt: noon + 1, keysetVersion: 1, nextKeyId: null })
    }
    const ids = [mine, theirs].map(({ delivery }) => delivery.id)

    await stores.deliveries.release({ node: 'a', ids })
    expect(idsOf(await claim(stores, due(noon + 1)))).toEqual([mine.delivery.id])
    await stores.deliveries.releaseLeases('a')
    expect(idsOf(await claim(stores, due(noon + 1)))).toEqual([mine.delivery.id])
  })

  test('a retry whose lease was given up still waits for its time', async () => {
    const stores = await open()
    const command = await started(stores)
    const lease = { node: 'a', until: noon + 90_000 }
    const again = { endpointId: 'endpoint', at: noon + 15_000, lease }
    await stores.deliveries.settle(
      settleCommand(command, { status: 'deferred', event: 'delivery.deferred', again }),
    )

    await stores.deliveries.releaseLeases('a')

    expect(await claim(stores, due(noon + 14_999))).toEqual([])
    expect(await claim(stores, due(noon + 15_000))).toHaveLength(1)
  })

  test('a delivery is held by the node that has leased it, until the lease or the delivery ends', async () => {
    const stores = await open()
    const command = await started(stores)
    const { id } = command.delivery
    const isHeld = (node: string, now: number) => stores.deliveries.isHeld({ id, node, now })

    expect(await isHeld('a', noon + 89_999)).toBe(true)
    expect(await isHeld('a', noon + 90_000)).toBe(false)
    expect(await isHeld('b', noon)).toBe(false)
    await claim(stores, due(noon + 1, { node: 'b' }))
    expect(await isHeld('a', noon + 1)).toBe(false)
    expect(await isHeld('b', noon + 1)).toBe(true)
    await stores.verifications.cancel(cancelCommand(command))
    expect(await isHeld('b', noon + 1)).toBe(false)
  })

  test('the leases of a silent or unknown node are free, a node’s own are not', async () => {
    const stores = await open()
    const silent = await started(stores, { lease: { node: 'silent', until: noon + 90_000 } })
    const gone = await started(stores, { lease: { node: 'gone', until: noon + 90_000 } })
    await started(stores, { lease: { node: 'alive', until: noon + 90_000 } })
    await started(stores, { lease: { node: 'a', until: noon + 90_000 } })
    await stores.nodes.beat({
      id: 'silent',
      seenAt: noon - 15_001,
      keysetVersion: 1,
      nextKeyId: null,
    })
    await stores.nodes.beat({
      id: 'alive',
      seenAt: noon - 15_000,
      keysetVersion: 1,
      nextKeyId: null,
    })
    await stores.nodes.beat({ id: 'gone', seenAt: noon, keysetVersion: 1, nextKeyId: null })
    await stores.nodes.leave('gone')

    const expected = idsOf([silent.delivery, gone.delivery])
    const { deliveries } = stores
    expect(await deliveries.dueLanes({ ...due(noon), after: null, limit: 9 })).toEqual([lane])
    expect(idsOf(await claim(stores, due(noon)))).toEqual(expected)
    expect(await deliveries.dueLanes({ ...due(noon), after: null, limit: 9 })).toEqual([])
  })
}

function clocks(open: OpenStores): void {
  test('a retry that a wrong clock put far into the future is due', async () => {
    const stores = await open()
    const far = await started(stores, { lease: null, now: noon + 6 * hourMs, ttlMs: dayMs })
    const near = await started(stores, { lease: null, now: noon + 900_000 })
    const { deliveries } = stores

    expect(idsOf(await claim(stores, due(noon)))).toEqual([far.delivery.id])
    expect(await deliveries.dueLanes({ ...due(noon), after: null, limit: 9 })).toEqual([])
    expect(idsOf(await claim(stores, due(noon + 899_999)))).toEqual([far.delivery.id])
    expect(idsOf(await claim(stores, due(noon + 900_000)))).toEqual([near.delivery.id])
  })

  test('a retry after the longest wait is not due, one that is a millisecond later still is', async () => {
    const stores = await open()
    const { delivery } = await started(stores, { lease: null, now: noon + 900_000 })

    expect(idsOf(await claim(stores, due(noon)))).toEqual([])
    expect(idsOf(await claim(stores, due(noon - 1)))).toEqual([delivery.id])
  })

  test('a lease of another node far in the future is free, a node’s own is not', async () => {
    const stores = await open()
    const until = noon + 6 * hourMs
    const theirs = await started(stores, { lease: { node: 'b', until } })
    await started(stores, { lease: { node: 'a', until } })
    await stores.nodes.beat({ id: 'b', seenAt: noon, keysetVersion: 1, nextKeyId: null })

    expect(idsOf(await claim(stores, due(noon)))).toEqual([theirs.delivery.id])
  })
}

function lanes(open: OpenStores): void {
  test('every lane with due deliveries is listed once, in an order that pages can follow', async () => {
    const stores = await open()
    const places = times(7, (index) => ({ appId: `app${index % 4}`, endpointId: `e${index % 2}` }))
    for (const [index, place] of places.entries()) {
      await started(stores, { ...place, lease: null, now: noon + index })
      await started(stores, { ...place, lease: null, now: noon + index })
    }
    await started(stores, { appId: 'app9', lease: null, now: noon + hourMs })
    await started(stores, { appId: 'app0', endpointId: null, lease: null })
    await started(stores, { appId: 'app8', now: noon })

    const found: Lane[] = []
    for (let after: Lane | null = null; ; after = found.at(-1) ?? null) {
      const when = due(noon + 10, { dueWithinMs: 2 * hourMs })
      const more = await stores.deliveries.dueLanes({ ...when, after, limit: 2 })
      expect(more.length).toBeLessThanOrEqual(2)
      if (more.length === 0) break
      found.push(...more)
    }

    const expected = new Set(places.map(({ appId, endpointId }) => `${appId} ${endpointId}`))
    const names = found.map(({ appId, endpointId }) => `${appId} ${endpointId}`)
    expect(names.toSorted()).toEqual([...expected, 'app0 null'].sort())
  })

  test('a lane without an endpoint is claimed like another', async () => {
    const stores = await open()
    const { delivery } = await started(stores, { endpointId: null, lease: null })
    await started(stores, { lease: null })

    const claimed = await claim(stores, due(noon), { lane: { ...lane, endpointId: null } })
    expect(claimed).toMatchObject([{ id: delivery.id, endpointId: null }])
  })

  test('three hundred lanes are found, whatever becomes due in between', async () => {
    const stores = await open()
    await Promise.all(
      times(300, (index) => {
        const appId = `app${String(index).padStart(3, '0')}`
        const now = index % 100 === 99 ? noon : noon + 60_000
        return started(stores, { appId, lease: null, now })
      }),
    )

    const found = await stores.deliveries.dueLanes({ ...due(noon), after: null, limit: 9 })
    expect(found.map(({ appId }) => appId).sort()).toEqual(['app099', 'app199', 'app299'])
  })
}

function settling(open: OpenStores): void {
  test('a try is stored with all its fields, and read by delivery and verification', async () => {
    const { verifications, deliveries, events } = await open()
    const command = await started({ verifications })
    const first = tryOf({ status: 'deferred', cause: 'network', detail: '421 busy', code: '421' })
    const second = tryOf({ number: 2, at: noon + 5, endpointId: 'other', ambiguous: true })
    const again = { endpointId: 'other', at: noon, lease: { node: 'a', until: noon + 90_000 } }
    const deferred = { status: 'deferred', event: 'delivery.deferred', detail: '421 busy' } as const
    await deliveries.settle(settleCommand(command, { ...deferred, made: first, again }))
    expect((await verifications.get(keyOf(command)))?.delivery).toEqual({
      ...{ status: 'deferred', detail: '421 busy' },
    })
    expect(await deliveries.history(keyOf(command))).toMatchObject([
      { status: 'deferred', tries: 1, endpointId: 'other' },
    ])
    await deliveries.settle(settleCommand(command, { made: second, detail: '250 ok' }))

    expect(await deliveries.tries(command.delivery.id)).toEqual([first, second])
    const sent = { id: command.delivery.id, status: 'sent', tries: 2, detail: '250 ok' }
    expect(await deliveries.history(keyOf(command))).toMatchObject([
      { ...sent, history: [first, second] },
    ])
    expect((await verifications.get(keyOf(command)))?.delivery).toEqual({
      ...{ status: 'sent', detail: '250 ok' },
    })
    const { items } = await events.list({ appId: 'app', type: null, limit: 9, cursor: null })
    const about = { id: command.delivery.id, channel: 'email' }
    expect(items.map(({ type, data }) => [type, data])).toEqual([
      ['delivery.sent', { ...about, detail: '250 ok', code: '250' }],
      ['delivery.deferred', { ...about, detail: '421 busy', cause: 'network', code: '421' }],
    ])
    expect(await deliveries.backlog()).toEqual({ waiting: 0, oldestAt: null })
  })

  test('what a server says is stored, also with half a character or a zero byte in it', async () => {
    const { verifications, deliveries, events } = await open()
    const odd = 'a\ud83d \\ud83d \\u0000 \u{1f600}\u0000'
    const command = await started({ verifications })
    const made = tryOf({ detail: odd, remoteId: odd, code: odd })

    await deliveries.settle(settleCommand(command, { made, detail: odd }))

    const shown = (await verifications.get(keyOf(command)))?.delivery
    expect(shown?.status).toBe('sent')
    expect(shown?.detail).toStartWith('a\ufffd \\ud83d \\u0000 \u{1f600}')
    const [kept] = await deliveries.tries(command.delivery.id)
    expect(kept?.detail).toBe(shown?.detail ?? '')
    const { items } = await events.list({ appId: 'app', type: null, limit: 9, cursor: null })
    expect(items).toHaveLength(1)
    const about = { cause: null, code: null, event: 'delivery.bounced', suppress: null } as const
    const { delivery } = settleCommand(command)
    const bounce = { delivery, ...about, detail: odd, follow: null, now: noon }
    expect(await deliveries.bounce(bounce)).toBe(true)
  })

  test('a delivery that is tried again is due at its time, in the lane of its endpoint', async () => {
    const stores = await open()
    const command = await started(stores)
    const again = { endpointId: 'second', at: noon + 15_000, lease: null }
    const deferred = { status: 'deferred', event: 'delivery.deferred' } as const
    await stores.deliveries.settle(settleCommand(command, { ...deferred, again }))

    const second = { ...lane, endpointId: 'second' }
    expect(await claim(stores, due(noon + 14_999), { lane: second })).toEqual([])
    expect(await claim(stores, due(noon + 15_000))).toEqual([])
    const claimed = await claim(stores, due(noon + 15_000), { lane: second })
    expect(claimed).toMatchObject([{ id: command.delivery.id, tries: 1, endpointId: 'second' }])
  })

  test('a delivery that is tried again with a lease stays with the holder', async () => {
    const stores = await open()
    const command = await started(stores)
    await stores.nodes.beat({ id: 'b', seenAt: noon, keysetVersion: 1, nextKeyId: null })
    const lease = { node: 'b', until: noon + 90_000 }
    const again = { endpointId: 'endpoint', at: noon, lease }
    await stores.deliveries.settle(settleCommand(command, { status: 'deferred', again }))

    expect(await claim(stores, due(noon + 14_000))).toEqual([])
    expect(await claim(stores, due(noon + 20_000))).toHaveLength(1)
  })

  test('two first tries of two nodes are both kept', async () => {
    const { verifications, deliveries } = await open()
    const command = await started({ verifications })
    const again = { endpointId: 'endpoint', at: noon, lease: null }
    const deferred = settleCommand(command, { status: 'deferred', again })

    await Promise.all(times(2, () => deliveries.settle(deferred)))

    const tries = await deliveries.tries(command.delivery.id)
    expect(tries.map(({ number }) => number)).toEqual([1, 2])
  })

  test('the end of an older delivery does not change the shown state of the latest', async () => {
    const { verifications, deliveries } = await open()
    const command = await started({ verifications })
    const resend = resendCommand(command, noon + 30_000)
    await verifications.claimResend(resend)
    const { delivery } = settleCommand(command)

    await deliveries.settle(
      settleCommand(command, { delivery: { ...delivery, id: resend.delivery.id } }),
    )
    const refused = { status: 'refused', event: 'delivery.refused' } as const
    await deliveries.settle(settleCommand(command, refused))

    expect((await verifications.get(keyOf(command)))?.delivery.status).toBe('sent')
    const history = await deliveries.history(keyOf(command))
    expect(history.map(({ status }) => status)).toEqual(['refused', 'sent'])
  })

  test('a following delivery through another channel is queued and becomes the latest', async () => {
    const stores = await open()
    const { verifications, deliveries } = stores
    const command = await started(stores, { mode: 'test' })
    const follow = {
      ...newDelivery({ now: noon + 1, endpointId: null }),
      channel: 'inbox',
    } as const
    const refused = { status: 'refused', event: 'delivery.refused' } as const

    await deliveries.settle(
      settleCommand(command, { ...refused, follow: { delivery: follow, hasNext: false } }),
    )

    expect((await verifications.get(keyOf(command)))?.delivery).toEqual({
      ...{ status: 'queued', detail: null },
    })
    const inbox: Lane = { appId: 'app', channel: 'inbox', endpointId: null }
    const { expiresAt } = command.verification
    expect(await claim(stores, due(noon + 1), { lane: inbox })).toMatchObject([
      { id: follow.id, verificationId: command.verification.id, mode: 'test', expiresAt },
    ])
    const end = { delivery: { ...settleCommand(command).delivery, id: follow.id } }
    await deliveries.settle(settleCommand(command, end))
    expect((await verifications.get(keyOf(command)))?.delivery.status).toBe('sent')
  })
}

function ended(open: OpenStores): void {
  test('a delivery that ended during its try stays ended, and nothing follows', async () => {
    const stores = await open()
    const { verifications, deliveries, events } = stores
    const command = await started(stores)
    await verifications.cancel(cancelCommand(command))
    const again = { endpointId: 'endpoint', at: noon, lease: null }
    const follow = { delivery: newDelivery(), hasNext: false }

    const made = tryOf({ status: 'deferred', cause: 'busy' })
    await deliveries.settle(settleCommand(command, { made, status: 'deferred', again, follow }))
    await deliveries.settle(settleCommand(command, { made: null, status: 'undeliverable' }))

    expect(await claim(stores, due(noon + 1))).toEqual([])
    const [only, ...others] = await deliveries.history(keyOf(command))
    expect(others).toEqual([])
    expect(only).toMatchObject({ status: 'undeliverable', tries: 1 })
    expect(only?.history).toHaveLength(1)
    const { items } = await events.list({ appId: 'app', type: null, limit: 9, cursor: null })
    expect(items.map(({ type }) => type)).toEqual(['verification.canceled'])
  })

  test('a message that was accepted while its verification ended is shown as sent', async () => {
    const { verifications, deliveries, events } = await open()
    const command = await started({ verifications })
    await verifications.chargeAttempt(attempt(command, true))
    expect((await verifications.get(keyOf(command)))?.delivery.status).toBe('undeliverable')

    for (const detail of ['250 ok', '250 again']) {
      await deliveries.settle(settleCommand(command, { detail }))
    }

    const sent = { status: 'sent', detail: '250 ok' } as const
    expect((await verifications.get(keyOf(command)))?.delivery).toEqual(sent)
    expect(await deliveries.history(keyOf(command))).toMatchObject([{ ...sent, tries: 2 }])
    expect((await deliveries.backlog()).waiting).toBe(0)
    const list = { appId: 'app', type: 'delivery.sent', limit: 9, cursor: null } as const
    expect((await events.list(list)).items).toHaveLength(1)
  })

  test('a delivery that is unknown is not settled', async () => {
    const { deliveries, events } = await open()
    const command = startCommand()

    await deliveries.settle(
      settleCommand(command, { follow: { delivery: newDelivery(), hasNext: false } }),
    )

    expect(await deliveries.tries(command.delivery.id)).toEqual([])
    expect((await deliveries.backlog()).waiting).toBe(0)
    const list = { appId: null, type: null, limit: 9, cursor: null }
    expect((await events.list(list)).items).toEqual([])
  })

  test('deliveries whose code has expired end as undeliverable, in batches', async () => {
    const stores = await open()
    const { verifications, deliveries, events } = stores
    const commands = await Promise.all(
      times(3, (index) => started(stores, { now: noon + index, ttlMs: 1000 - index, lease: null })),
    )
    const event = 'delivery.undeliverable' as const

    expect(await deliveries.expire({ now: noon + 999, limit: 2, event })).toBe(0)
    expect(await claim(stores, due(noon + 1000))).toEqual([])
    const lanesDue = deliveries.dueLanes({ ...due(noon + 1000), after: null, limit: 9 })
    expect(await lanesDue).toEqual([])
    expect(await deliveries.expire({ now: noon + 1000, limit: 2, event })).toBe(2)
    expect(await deliveries.expire({ now: noon + 1000, limit: 2, event })).toBe(1)

    for (const command of commands) {
      const verification = await verifications.get(keyOf(command))
      expect(verification?.delivery.status).toBe('undeliverable')
    }
    const list = { appId: 'app', type: event, limit: 9, cursor: null }
    expect((await events.list(list)).items).toHaveLength(3)
  })

  test('the backlog has the number of deliveries that have not ended, and the time of the oldest', async () => {
    const stores = await open()
    expect(await stores.deliveries.backlog()).toEqual({ waiting: 0, oldestAt: null })
    const [oldest] = await Promise.all(
      times(3, (index) => started(stores, { now: noon + index, lease: null })),
    )
    expect(await stores.deliveries.backlog()).toEqual({ waiting: 3, oldestAt: noon })

    await stores.deliveries.settle(settleCommand(oldest ?? startCommand()))
    expect(await stores.deliveries.backlog()).toEqual({ waiting: 2, oldestAt: noon + 1 })
  })
}
