import { expect, test } from 'bun:test'
import { lateMs } from '../../src/domain/ports.ts'
import { dayMs, hourMs } from '../../src/domain/verification/limits.ts'
import type { VerificationQuery } from '../../src/domain/verification/stores.ts'
import type { Verification } from '../../src/domain/verification/verification.ts'
import { statuses, statusOf } from '../../src/domain/verification/verification.ts'
import {
  attempt,
  bytes,
  cancelCommand,
  keyOf,
  noon,
  resendCommand,
  settleCommand,
  startCommand,
  sweepCommand,
  times,
} from '../support/commands.ts'
import type { OpenStores } from './contract.ts'

/** Tests the rules of resends, cancels, lists and modes that every store follows. */
export function verificationContract(open: OpenStores): void {
  test.each([
    ['app', { appId: 'other', mode: 'live' }],
    ['mode', { appId: 'app', mode: 'test' }],
  ] as const)('to another %s a verification is unknown', async (_, foreign) => {
    const { verifications, deliveries } = await open()
    const command = startCommand({ mode: 'live' })
    await verifications.start(command)
    const key = { ...keyOf(command), ...foreign }
    const before = await verifications.get(keyOf(command))

    expect(await verifications.get(key)).toBeNull()
    expect(await verifications.sealed({ ...key, recipient: 0 })).toBeNull()
    const check = { ...attempt(command, true), ...foreign }
    const refused = { outcome: 'refused', verification: null } as const
    expect(await verifications.chargeAttempt(check)).toEqual(refused)
    const resend = { ...resendCommand(command, noon + 30_000), ...foreign }
    expect(await verifications.claimResend(resend)).toBeNull()
    expect(await verifications.cancel({ ...cancelCommand(command), ...foreign })).toBeNull()
    expect(await deliveries.history(key)).toEqual([])
    const { delivery } = settleCommand(command)
    await deliveries.settle(settleCommand(command, { delivery: { ...delivery, ...foreign } }))
    const query = { ...foreign, now: noon, limit: 9, cursor: null }
    expect((await verifications.list(query)).items).toEqual([])
    expect(await verifications.get(keyOf(command))).toEqual(before)
    expect((await deliveries.backlog()).waiting).toBe(1)
  })

  test('only a verification that /otp started is found as a shareable key', async () => {
    const { verifications } = await open()
    const original = startCommand({ startedBy: 'original', mode: 'test' })
    const other = startCommand({ startedBy: 'v1' })
    await verifications.start(original)
    await verifications.start(other)

    expect(await verifications.findShareable(original.verification.id)).toEqual(keyOf(original))
    expect(await verifications.findShareable(other.verification.id)).toBeNull()
    expect(await verifications.findShareable('unknown')).toBeNull()
  })

  resends(open)
  ends(open)
  lists(open)
}

function resends(open: OpenStores): void {
  test('two hundred parallel resends send once, and three resends are the most', async () => {
    const { verifications, deliveries } = await open()
    const command = startCommand()
    await verifications.start(command)
    const resend = (now: number) => verifications.claimResend(resendCommand(command, now))

    expect(await resend(noon + 29_999)).toBeNull()
    for (const now of [noon + 30_000, noon + 60_000, noon + 90_000]) {
      const claims = await Promise.all(times(200, () => resend(now)))
      expect(claims.filter((claim) => claim !== null).length).toBe(1)
    }
    expect(await resend(noon + 120_000)).toBeNull()
    expect((await verifications.get(keyOf(command)))?.resendsSpent).toBe(3)
    expect((await deliveries.history(keyOf(command))).length).toBe(4)
  })

  test('a resend is counted, sets the next wait and shows its own delivery', async () => {
    const { verifications, deliveries } = await open()
    const command = startCommand()
    await verifications.start(command)
    await deliveries.settle(settleCommand(command, { detail: '250 ok' }))
    const before = await verifications.get(keyOf(command))

    const resend = resendCommand(command, noon + 45_000)
    const after = await verifications.claimResend(resend)

    const changed = { resendsSpent: 1, resendAt: noon + 75_000 }
    const delivery = { status: 'queued', detail: null }
    const verification = { ...before, ...changed, delivery }
    expect(after).toEqual({ verification, stopped: [] } as never)
    expect(await verifications.get(keyOf(command))).toEqual(verification as never)
    const { expiresAt } = command.verification
    const [, second] = await deliveries.history(keyOf(command))
    expect(second).toMatchObject({ id: resend.delivery.id, status: 'queued', expiresAt })
  })

  test('a resend waits though its time was read before that of the one before', async () => {
    const { verifications } = await open()
    const command = startCommand({ ttlMs: dayMs, now: noon - hourMs })
    await verifications.start(command)

    expect(await verifications.claimResend(resendCommand(command, noon))).not.toBeNull()
    expect(await verifications.claimResend(resendCommand(command, noon - 1))).toBeNull()
    const early = noon - lateMs
    expect(await verifications.claimResend(resendCommand(command, early))).toBeNull()
    // A wrong clock has written that.
    expect(await verifications.claimResend(resendCommand(command, early - 1))).not.toBeNull()
  })

  test('after a clock that was ahead a resend is refused for no longer than the wait', async () => {
    const { verifications } = await open()
    const command = startCommand({ ttlMs: dayMs })
    await verifications.start(command)
    await verifications.claimResend(resendCommand(command, noon + 6 * hourMs))

    expect(await verifications.claimResend(resendCommand(command, noon + 1))).not.toBeNull()
    expect(await verifications.claimResend(resendCommand(command, noon + 30_000))).toBeNull()
    expect(await verifications.claimResend(resendCommand(command, noon + 30_001))).not.toBeNull()
  })

  test('an expired, ended or exhausted verification is not sent again', async () => {
    const { verifications } = await open()
    const commands = times(4, (index) => startCommand({ attemptsMax: 1, now: noon + index }))
    for (const command of commands) await verifications.start(command)
    const [approved, canceled, exhausted, expired] = commands as [
      ...(typeof commands & { length: 4 }),
    ]
    if (!approved || !canceled || !exhausted || !expired) throw new Error('too few')
    await verifications.chargeAttempt(attempt(approved, true))
    await verifications.cancel(cancelCommand(canceled))
    await verifications.chargeAttempt(attempt(exhausted, false))

    for (const command of [approved, canceled, exhausted]) {
      const resend = resendCommand(command, noon + 60_000)
      expect(await verifications.claimResend(resend)).toBeNull()
    }
    const late = resendCommand(expired, expired.verification.expiresAt)
    expect(await verifications.claimResend(late)).toBeNull()
  })
}

function ends(open: OpenStores): void {
  test('a cancel clears digest and address, ends the deliveries and writes one event', async () => {
    const { verifications, deliveries, events } = await open()
    const command = startCommand()
    await verifications.start(command)
    await verifications.claimResend(resendCommand(command, noon + 30_000))

    const cancels = times(20, () => verifications.cancel(cancelCommand(command, noon + 40_000)))
    const canceled = (await Promise.all(cancels)).filter((result) => result !== null)

    const delivery = { status: 'undeliverable', detail: null }
    expect(canceled).toMatchObject([{ status: 'canceled', forgotten: true, delivery }] as never)
    expect(await verifications.get(keyOf(command))).toEqual(canceled[0] ?? null)
    expect(await verifications.sealed({ ...keyOf(command), recipient: 0 })).toBeNull()
    expect((await deliveries.backlog()).waiting).toBe(0)
    const history = await deliveries.history(keyOf(command))
    expect(history.map(({ status }) => status)).toEqual(['undeliverable', 'undeliverable'])
    const { items } = await events.list({ appId: 'app', type: null, limit: 9, cursor: null })
    expect(items).toMatchObject([{ type: 'verification.canceled', at: noon + 40_000 }])
  })

  test('a cancel leaves sent deliveries as they are', async () => {
    const { verifications, deliveries } = await open()
    const command = startCommand()
    await verifications.start(command)
    await deliveries.settle(settleCommand(command, { detail: '250 ok' }))

    const canceled = await verifications.cancel(cancelCommand(command))

    expect(canceled?.delivery).toEqual({ status: 'sent', detail: '250 ok' })
  })

  test('an expired or ended verification cannot be canceled', async () => {
    const { verifications } = await open()
    const [approved, expired] = [startCommand(), startCommand()]
    await verifications.start(approved)
    await verifications.start(expired)
    await verifications.chargeAttempt(attempt(approved, true))

    expect(await verifications.cancel(cancelCommand(approved))).toBeNull()
    const late = cancelCommand(expired, expired.verification.expiresAt)
    expect(await verifications.cancel(late)).toBeNull()
    expect((await verifications.get(keyOf(approved)))?.status).toBe('approved')
  })

  test('expirePending ends every live code of every app and mode, and tells each of it', async () => {
    const { verifications, deliveries, events } = await open()
    const live = [
      startCommand(),
      startCommand({ mode: 'test' }),
      startCommand({ appId: 'other', now: noon + 1 }),
    ]
    const approved = startCommand()
    for (const command of [...live, approved]) await verifications.start(command)
    await verifications.chargeAttempt(attempt(approved, true))

    expect(
      await verifications.expirePending({ now: noon + 1000, event: 'verification.expired' }),
    ).toBe(3)

    for (const command of live) {
      const stored = await verifications.get(keyOf(command))
      expect(stored && statusOf(stored, noon)).toBe('expired')
      expect(await verifications.sealed({ ...keyOf(command), recipient: 0 })).toBeNull()
      const check = await verifications.chargeAttempt(attempt(command, true))
      expect(check).toMatchObject({ outcome: 'refused', verification: { attemptsSpent: 0 } })
    }
    const list = { appId: null, type: 'verification.expired', limit: 9, cursor: null } as const
    const told = (await events.list(list)).items.map(({ verificationId }) => verificationId)
    expect(told.toSorted()).toEqual(live.map((command) => keyOf(command).id).toSorted())
    expect((await verifications.get(keyOf(approved)))?.status).toBe('approved')
    expect((await deliveries.backlog()).waiting).toBe(0)
    expect(
      await verifications.expirePending({ now: noon + 1000, event: 'verification.expired' }),
    ).toBe(0)
  })
}

function lists(open: OpenStores): void {
  const query: VerificationQuery = {
    ...{ appId: 'app', mode: 'live', now: noon + 2000, limit: 3, cursor: null },
  }

  test('pages show every verification of a mode once, the newest first', async () => {
    const { verifications } = await open()
    const commands = times(7, (index) => startCommand({ now: noon + index }))
    const foreign = [startCommand({ mode: 'test' }), startCommand({ appId: 'other' })]
    for (const command of [...commands, ...foreign]) await verifications.start(command)

    const pages: Verification[][] = []
    let cursor: string | null = null
    do {
      const page = await verifications.list({ ...query, cursor })
      pages.push(page.items)
      cursor = page.nextCursor
    } while (cursor)

    expect(pages.map((page) => page.length)).toEqual([3, 3, 1])
    const ids = commands.map(({ verification }) => verification.id)
    expect(pages.flat().map(({ id }) => id)).toEqual(ids.reverse())
    const [newest] = pages.flat()
    expect(newest).toEqual((await verifications.get(keyOf(commands[6] ?? startCommand()))) as never)
  })

  test.each(statuses)('a list by status %s judges the status as of now', async (status) => {
    const { verifications, maintenance } = await open()
    // Cleared by a sweep whose clock was ahead.
    await verifications.start(startCommand({ now: noon - 1 }))
    await maintenance.sweep(sweepCommand(noon + dayMs))
    const commands = times(12, (index) =>
      startCommand({ attemptsMax: 1, now: noon + index, ttlMs: index < 4 ? 1000 : 600_000 }),
    )
    for (const [index, command] of commands.entries()) {
      await verifications.start(command)
      if (index % 4 === 1) await verifications.chargeAttempt(attempt(command, true))
      if (index % 4 === 2) await verifications.chargeAttempt(attempt(command, false))
      if (index % 4 === 3) await verifications.cancel(cancelCommand(command))
    }
    const now = noon + 2000
    const all = await verifications.list({ ...query, now, limit: 100 })
    const expected = all.items.filter((each) => statusOf(each, now) === status)
    const { items } = await verifications.list({ ...query, now, limit: 100, status })

    expect(expected.length).toBeGreaterThan(0)
    expect(items).toEqual(expected)
  })

  test('a rare status is found among thousands, page by page', async () => {
    const { verifications } = await open()
    const commands = times(4001, (index) => startCommand({ now: noon + index }))
    await Promise.all(commands.map(verifications.start))
    const rare = [0, 1, 2500, 3999].map((index) => commands[index] ?? startCommand())
    await Promise.all(rare.map((command) => verifications.cancel(cancelCommand(command))))

    const canceled = { ...query, status: 'canceled', limit: 3 } as const
    const first = await verifications.list(canceled)
    const second = await verifications.list({ ...canceled, cursor: first.nextCursor })

    const ids = rare.map(({ verification }) => verification.id).reverse()
    expect(first.items.map(({ id }) => id)).toEqual(ids.slice(0, 3))
    expect(second.items.map(({ id }) => id)).toEqual(ids.slice(3))
    expect(second.nextCursor).toBeNull()
  })

  test('a list of a recipient shows exactly their address, whatever the folding', async () => {
    const { verifications } = await open()
    const key = bytes(32)
    const [mine, alias] = [bytes(16), bytes(16)]
    const commands = times(9, (index) =>
      startCommand({
        now: noon + index,
        ...(index < 6 && { recipientKey: key, recipientIndex: index % 2 ? mine : alias }),
      }),
    )
    for (const command of commands) await verifications.start(command)
    const listed = async (index: Uint8Array, cursor: string | null = null) =>
      verifications.list({ ...query, limit: 2, recipient: { key, index }, cursor })
    const idAt = (index: number) => commands[index]?.verification.id

    const first = await listed(mine)
    expect(first.items.map(({ id }) => id)).toEqual([idAt(5), idAt(3)] as never)
    const second = await listed(mine, first.nextCursor)
    expect(second.items.map(({ id }) => id)).toEqual([idAt(1)] as never)
    expect(second.nextCursor).toBeNull()
    expect((await listed(bytes(16))).items).toEqual([])
    const unknown = { key: bytes(32), index: mine }
    expect((await verifications.list({ ...query, recipient: unknown })).items).toEqual([])
  })
}
