import { expect, test } from 'bun:test'
import type { Stores, SweepCommand } from '../../src/domain/stores.ts'
import { dayMs, hourMs } from '../../src/domain/verification/limits.ts'
import {
  attempt,
  bytes,
  cancelCommand,
  keyOf,
  newRequest,
  noon,
  settleCommand,
  startCommand,
  sweepCommand,
  times,
} from '../support/commands.ts'
import type { OpenStores } from './contract.ts'

/** Sweeps until nothing is left to do; returns how many rows were deleted. */
async function sweepAll({ maintenance }: Pick<Stores, 'maintenance'>, command: SweepCommand) {
  let rows = 0
  let { limitsAfter } = command
  for (;;) {
    const swept = await maintenance.sweep({ ...command, limitsAfter })
    rows += swept.rows
    limitsAfter = swept.limitsAfter
    if (swept.rows === 0 && limitsAfter.length === 0) return rows
  }
}

/**
 * Tests the keeping times that every store follows. Verifications and deliveries may stay until all of
 * their day (UTC) is over.
 */
export function sweepContract(open: OpenStores): void {
  test('digests and addresses are cleared at expiry, in batches', async () => {
    const { verifications, maintenance } = await open()
    const commands = times(5, (index) => startCommand({ now: noon + index, ttlMs: 1000 - index }))
    for (const command of commands) await verifications.start(command)
    const all = async <T>(read: (command: (typeof commands)[number]) => Promise<T>) =>
      Promise.all(commands.map(read))
    const addresses = async () => {
      const sealed = await all((command) =>
        verifications.sealed({ ...keyOf(command), recipient: 0 }),
      )
      return sealed.filter((address) => address !== null).length
    }

    expect((await maintenance.sweep(sweepCommand(noon + 999))).rows).toBe(0)
    const some = await maintenance.sweep(sweepCommand(noon + 1000, { limit: 3 }))
    expect([some.rows, await addresses()]).toEqual([3, 2])
    await sweepAll({ maintenance }, sweepCommand(noon + 1000))
    expect(await addresses()).toBe(0)
    const forgotten = await all((command) => verifications.get(keyOf(command)))
    expect(forgotten.map((each) => each?.forgotten)).toEqual(times(5, () => true))
  })

  test('verifications are deleted after their time, in batches, and younger ones stay', async () => {
    const { verifications, maintenance } = await open()
    const at = (day: number, index: number) => noon + day * dayMs + index
    const commands = [0, 1, 2].flatMap((day) =>
      times(7, (index) => startCommand({ now: at(day, index) })),
    )
    for (const command of commands) await verifications.start(command)

    const old = { verificationsBefore: at(1, 0), limit: 2 }
    await sweepAll({ maintenance }, sweepCommand(at(3, 0), old))
    const left = await Promise.all(commands.map((command) => verifications.get(keyOf(command))))
    const kept = left.filter((each) => each !== null).map(({ createdAt }) => createdAt)
    expect(kept).toEqual(commands.slice(7).map(({ verification }) => verification.createdAt))
  })

  test('the sweep tells once that a pending verification has expired, and of no other', async () => {
    const { verifications, maintenance, events } = await open()
    const commands = times(4, (index) => startCommand({ attemptsMax: 2, now: noon + index }))
    for (const command of commands) await verifications.start(command)
    const [pending, approved, canceled, exhausted] = commands as [never, never, never, never]
    await verifications.chargeAttempt(attempt(pending, false))
    await verifications.chargeAttempt(attempt(approved, true))
    await verifications.cancel(cancelCommand(canceled))
    for (let i = 0; i < 2; i++) await verifications.chargeAttempt(attempt(exhausted, false))

    const now = noon + hourMs
    await sweepAll({ maintenance }, sweepCommand(noon + 599_999))
    await Promise.all(times(9, () => maintenance.sweep(sweepCommand(now, { limit: 3 }))))

    const list = { appId: 'app', type: 'verification.expired', limit: 9, cursor: null } as const
    expect((await events.list(list)).items).toMatchObject([
      { at: now, verificationId: keyOf(pending).id, data: { attempts_spent: 1 } },
    ])
  })

  test('a live code survives a sweep', async () => {
    const { verifications, maintenance } = await open()
    const command = startCommand()
    await verifications.start(command)

    await sweepAll({ maintenance }, sweepCommand(noon + 599_999))

    const check = await verifications.chargeAttempt(attempt(command, true, { now: noon + 599_999 }))
    expect(check).toMatchObject({ verification: { status: 'approved' } })
  })

  test('deliveries and their tries are deleted after their time', async () => {
    const { verifications, deliveries, maintenance } = await open()
    const [old, young] = [startCommand(), startCommand({ now: noon + dayMs })]
    for (const command of [old, young]) {
      await verifications.start(command)
      await deliveries.settle(settleCommand(command))
    }

    await sweepAll({ maintenance }, sweepCommand(noon, { verificationsBefore: noon + dayMs }))

    expect(await deliveries.history(keyOf(old))).toEqual([])
    expect(await deliveries.tries(old.delivery.id)).toEqual([])
    expect(await deliveries.history(keyOf(young))).toHaveLength(1)
    expect(await deliveries.tries(young.delivery.id)).toHaveLength(1)
  })

  test('answers to Idempotency-Keys are deleted after their time', async () => {
    const { verifications, maintenance } = await open()
    const request = newRequest()
    const checked = startCommand()
    await verifications.start(checked)
    const check = attempt(checked, false, { idempotency: newRequest() })
    await verifications.chargeAttempt(check)
    await verifications.start(startCommand({ idempotency: request }))
    const repeat = async () => {
      const started = await verifications.start(startCommand({ idempotency: request }))
      return [started.outcome, (await verifications.chargeAttempt(check)).outcome]
    }

    await sweepAll({ maintenance }, sweepCommand(noon, { idempotencyBefore: noon }))
    expect(await repeat()).toEqual(['replayed', 'replayed'])
    await sweepAll({ maintenance }, sweepCommand(noon, { idempotencyBefore: noon + 1 }))
    expect(await repeat()).toEqual(['started', 'judged'])
  })

  test('events, statistics and cleared alarms are deleted after their time', async () => {
    const { verifications, events, stats, alarms, maintenance } = await open()
    for (const now of [noon, noon + hourMs]) {
      await verifications.start(startCommand({ now }))
      const event = { at: now, appId: 'app', type: 'delivery.sent', verificationId: null } as const
      await events.add({ ...event, data: {} })
    }
    const place = (endpointId: string) =>
      ({ kind: 'login_refused', appId: 'app', endpointId }) as const
    const change = { event: 'alarm.raised', data: {} } as const
    for (const endpointId of ['on', 'old', 'young']) {
      await alarms.raise({ ...place(endpointId), now: noon, ...change })
    }
    await alarms.clear({ ...place('old'), now: noon + 1, ...change })
    await alarms.clear({ ...place('young'), now: noon + hourMs, ...change })

    await sweepAll({ maintenance }, sweepCommand(noon, { eventsBefore: noon + hourMs }))

    const page = { appId: 'app', limit: 9, cursor: null }
    const left = await events.list({ ...page, type: 'delivery.sent' })
    expect(left.items.map(({ at }) => at)).toEqual([noon + hourMs])
    const range = { from: noon, to: noon + dayMs, bucketMs: hourMs }
    const counts = await stats.read({ appId: 'app', ...range })
    expect(counts.map(({ at }) => at)).toEqual([noon + hourMs])
    const kept = (await alarms.list({ ...page, open: false })).items
    expect(kept.map(({ endpointId }) => endpointId)).toEqual(['young', 'on'])
  })

  test('failures of swept verifications are deleted after their time', async () => {
    const { verifications, maintenance } = await open()
    const options = { recipientKey: bytes(32), budget: [{ max: 5, windowMs: 30 * dayMs }] }
    const command = startCommand(options)
    await verifications.start(command)
    await verifications.chargeAttempt(attempt(command, false))
    const later = noon + dayMs
    await sweepAll({ maintenance }, sweepCommand(later, { verificationsBefore: later }))
    expect(await verifications.get(keyOf(command))).toBeNull()
    const format = async (now: number) => {
      const result = await verifications.start(startCommand({ ...options, now, long: false }))
      return result.outcome
    }

    await sweepAll({ maintenance }, sweepCommand(later, { failuresBefore: noon }))
    expect(await format(later)).toBe('budget_exhausted')
    await sweepAll({ maintenance }, sweepCommand(later, { failuresBefore: noon + 2 * hourMs }))
    expect(await format(later + 1)).toBe('started')
  })

  test('wrong long codes are not counted as failures, swept or not', async () => {
    const { verifications, maintenance } = await open()
    const options = { recipientKey: bytes(32), budget: [{ max: 5, windowMs: 30 * dayMs }] }
    const short = startCommand(options)
    const long = startCommand({ ...options, now: noon + 1 })
    await verifications.start(short)
    await verifications.start(long)
    await verifications.cancel(cancelCommand(short))
    const check = { ...attempt(long, false), format: 'crockford' as const, length: 13 }
    expect((await verifications.chargeAttempt(check)).outcome).toBe('judged')
    const next = async (now: number) => {
      const command = startCommand({ ...options, now })
      const result = await verifications.start(command)
      await verifications.cancel(cancelCommand(command))
      return result.outcome === 'started' && result.verification.codeFormat
    }

    expect(await next(noon + 2)).toBe('numeric')
    const later = noon + dayMs
    await sweepAll({ maintenance }, sweepCommand(later, { verificationsBefore: later }))
    expect(await verifications.get(keyOf(long))).toBeNull()
    expect(await next(later)).toBe('numeric')
  })

  test('limits are deleted in batches once they refuse nothing', async () => {
    const { limits, maintenance } = await open()
    const rates = [{ name: 'app_day', max: 1, windowMs: hourMs } as const]
    const rows = times(25, () => ({ key: bytes(32), rates }))
    for (const row of rows) await limits.take(row, noon)
    const remembered = bytes(32)
    await limits.remember(remembered, noon + 2 * hourMs)

    expect(await sweepAll({ maintenance }, sweepCommand(noon + hourMs - 1, { limit: 4 }))).toBe(0)
    const held = await Promise.all(rows.map((row) => limits.take(row, noon + hourMs - 1)))
    expect(held.filter(({ taken }) => taken)).toEqual([])
    expect(await sweepAll({ maintenance }, sweepCommand(noon + hourMs, { limit: 4 }))).toBe(25)
    const query = { key: remembered, now: noon + hourMs, withinMs: hourMs }
    expect(await limits.remembers(query)).toBe(true)
  })

  test('a recipient’s latest verification is known until the time that their start said', async () => {
    const { verifications, maintenance } = await open()
    const recipientKey = bytes(32)
    const command = startCommand({ recipientKey })
    await verifications.start(command)
    const listed = async () => {
      const recipient = { key: recipientKey, index: recipientKey }
      const query = { appId: 'app', mode: 'live', now: noon, limit: 9, cursor: null } as const
      return (await verifications.list({ ...query, recipient })).items.length
    }

    await sweepAll({ maintenance }, sweepCommand(noon + command.recipientKeptMs - 1))
    expect(await listed()).toBe(1)
    await sweepAll({ maintenance }, sweepCommand(noon + command.recipientKeptMs))
    expect(await listed()).toBe(0)
  })

  test('inbox messages and nodes are deleted after a day', async () => {
    const { inbox, nodes, maintenance } = await open()
    const row = {
      appId: 'app',
      verificationId: 'v',
      recipientSealed: bytes(40),
      variablesSealed: null,
    }
    for (const at of [noon, noon + 1]) {
      await inbox.add({ row: { ...row, deliveryId: `d${at}`, at }, keep: 100 })
      await nodes.beat({ id: `n${at}`, seenAt: at, keysetVersion: 1, nextKeyId: null })
    }

    await sweepAll({ maintenance }, sweepCommand(noon + dayMs + 1))

    expect((await inbox.list({ appId: null, limit: 9 })).map(({ at }) => at)).toEqual([noon + 1])
    expect((await nodes.list()).map(({ seenAt }) => seenAt)).toEqual([noon + 1])
  })
}
