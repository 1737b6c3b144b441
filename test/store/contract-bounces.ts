import { expect, test } from 'bun:test'
import type { BounceCommand } from '../../src/domain/delivery/stores.ts'
import { newTimedId } from '../../src/domain/id.ts'
import { hourMs } from '../../src/domain/verification/limits.ts'
import type { StartCommand } from '../../src/domain/verification/stores.ts'
import { systemRandom } from '../../src/system.ts'
import {
  attempt,
  cancelCommand,
  keyOf,
  noon,
  resendCommand,
  settleCommand,
  startCommand,
  times,
} from '../support/commands.ts'
import type { OpenStores } from './contract.ts'

function bounceOf(command: StartCommand, change: Partial<BounceCommand> = {}): BounceCommand {
  const { delivery } = settleCommand(command)
  return {
    delivery,
    ...{ follow: null, event: 'delivery.bounced', detail: '550 no such user', cause: 'recipient' },
    ...{ code: '550 5.1.1', suppress: null, now: noon + hourMs },
    ...change,
  }
}

/** Tests the rules of returned messages that every store follows. */
export function bounceContract(open: OpenStores): void {
  test('a sent delivery bounces once, and its verification and events show it', async () => {
    const { verifications, deliveries, events, stats } = await open()
    const command = startCommand()
    await verifications.start(command)
    await deliveries.settle(settleCommand(command))

    const bounced = await Promise.all(times(10, () => deliveries.bounce(bounceOf(command))))

    expect(bounced.filter(Boolean)).toHaveLength(1)
    const state = { status: 'bounced', detail: '550 no such user' }
    expect((await verifications.get(keyOf(command)))?.delivery).toEqual(state as never)
    expect(await deliveries.history(keyOf(command))).toMatchObject([{ ...state, tries: 1 }])
    const query = { appId: 'app', type: 'delivery.bounced', limit: 9, cursor: null } as const
    const { items } = await events.list(query)
    const data = { detail: state.detail, cause: 'recipient', code: '550 5.1.1' }
    expect(items).toMatchObject([{ at: noon + hourMs, verificationId: keyOf(command).id, data }])
    const range = { from: noon, to: noon + 2 * hourMs, bucketMs: hourMs }
    const counts = await stats.read({ appId: 'app', ...range })
    expect(counts.map(({ sent, bounced }) => [sent, bounced])).toEqual([
      [1, 0],
      [0, 1],
    ])
  })

  test('a delivery of an approved verification does not bounce; of any other that has ended it does', async () => {
    const { verifications, deliveries } = await open()
    const [approved, canceled, given] = times(3, () => startCommand())
    if (!approved || !canceled || !given) throw new Error('no commands')
    for (const command of [approved, canceled, given]) await verifications.start(command)
    for (const command of [approved, canceled]) await deliveries.settle(settleCommand(command))
    await verifications.chargeAttempt(attempt(approved, true))
    await verifications.cancel(cancelCommand(canceled))
    const status = { status: 'undeliverable', event: 'delivery.undeliverable' } as const
    await deliveries.settle(settleCommand(given, status))

    expect(await deliveries.bounce(bounceOf(approved))).toBe(false)
    expect((await verifications.get(keyOf(approved)))?.delivery.status).toBe('sent')
    expect(await deliveries.bounce(bounceOf(canceled))).toBe(true)
    expect(await deliveries.bounce(bounceOf(given))).toBe(true)
  })

  test('a delivery that has not ended, that was refused, or of another app or mode does not bounce', async () => {
    const { verifications, deliveries } = await open()
    const [queued, refused, sent] = times(3, () => startCommand())
    if (!queued || !refused || !sent) throw new Error('no commands')
    for (const command of [queued, refused, sent]) await verifications.start(command)
    const status = { status: 'refused', event: 'delivery.refused' } as const
    await deliveries.settle(settleCommand(refused, status))
    await deliveries.settle(settleCommand(sent))
    const { delivery } = bounceOf(sent)

    expect(await deliveries.bounce(bounceOf(queued))).toBe(false)
    expect(await deliveries.bounce(bounceOf(refused))).toBe(false)
    for (const change of [{ appId: 'other' }, { mode: 'test' as const }, { id: 'x' }]) {
      const foreign = { delivery: { ...delivery, ...change } }
      expect(await deliveries.bounce(bounceOf(sent, foreign))).toBe(false)
    }
    expect((await verifications.get(keyOf(sent)))?.delivery.status).toBe('sent')
  })

  test('the verification goes on showing its latest delivery when an earlier one bounces', async () => {
    const { verifications, deliveries } = await open()
    const command = startCommand()
    await verifications.start(command)
    await deliveries.settle(settleCommand(command))
    await verifications.claimResend(resendCommand(command, noon + 30_000))

    expect(await deliveries.bounce(bounceOf(command))).toBe(true)
    expect((await verifications.get(keyOf(command)))?.delivery.status).toBe('queued')
  })

  test('a bounce suppresses the address, and counts as a refusal of its endpoint and as no try', async () => {
    const { verifications, deliveries, suppressions } = await open()
    const command = startCommand()
    await verifications.start(command)
    await deliveries.settle(settleCommand(command))
    const now = noon + hourMs
    const suppress = { id: newTimedId(systemRandom, now), endpointId: 'endpoint', code: '550' }

    await deliveries.bounce(bounceOf(command, { suppress: { ...suppress, cause: 'bounced' } }))

    const recipientIndex = command.recipients[0]?.index ?? new Uint8Array()
    expect(await suppressions.has({ appId: 'app', recipientIndex, now })).toBe(true)
    const page = await suppressions.list({ appId: 'app', now, limit: 9, cursor: null })
    expect(page.items).toMatchObject([{ cause: 'bounced', code: '550', since: now }])
    expect(await suppressions.refusals({ since: now - hourMs })).toMatchObject([
      { endpointId: 'endpoint', tries: 0, refusals: 1 },
    ])
  })

  test('deliveries are found by a range of ids, of their app and mode only', async () => {
    const { verifications, deliveries } = await open()
    const commands = [
      ...times(3, () => startCommand()),
      startCommand({ now: noon + 1 }),
      startCommand({ now: noon - 1 }),
    ]
    for (const command of commands) await verifications.start(command)
    await verifications.start(startCommand({ appId: 'other' }))
    await verifications.start(startCommand({ mode: 'test' }))
    const from = commands[0]?.delivery.id.slice(0, 8) ?? ''
    const query = { appId: 'app', mode: 'live', from, to: `${from}~` } as const

    const found = await deliveries.between({ ...query, limit: 9 })
    const expected = commands.slice(0, 3).map(({ delivery }) => delivery.id)
    expect(found.map(({ id }) => id)).toEqual(expected.sort())
    expect(await deliveries.between({ ...query, limit: 2 })).toHaveLength(2)
    expect(await deliveries.between({ ...query, to: from, limit: 9 })).toEqual([])
  })
}
