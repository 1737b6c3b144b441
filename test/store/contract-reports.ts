import { expect, test } from 'bun:test'
import type { Report } from '../../src/domain/delivery/report.ts'
import type { ReportCommand } from '../../src/domain/delivery/stores.ts'
import type { StartCommand } from '../../src/domain/verification/stores.ts'
import {
  attempt,
  cancelCommand,
  due,
  keyOf,
  minuteMs,
  noon,
  resendCommand,
  settleCommand,
  startCommand,
  times,
  tryOf,
} from '../support/commands.ts'
import type { OpenStores } from './contract.ts'

type Change = Partial<Report> & { appId?: string; endpointId?: string; now?: number }

function reportOf(command: StartCommand, change: Change = {}): ReportCommand {
  const { appId = 'app', endpointId = 'endpoint', now = noon + minuteMs, ...own } = change
  const failed = { cause: 'recipient', code: '30005', detail: 'Twilio: undelivered' } as const
  const none = { cause: null, code: null, detail: null }
  const status = own.status ?? 'delivered'
  return {
    ...{ appId, endpointId, now },
    report: {
      ...{ deliveryId: command.delivery.id, status, ...(status === 'failed' ? failed : none) },
      ...own,
    },
    events: { delivered: 'delivery.delivered', failed: 'delivery.failed' },
    follow: null,
  }
}

/** Tests the rules of gateways' reports that every store follows. */
export function reportContract(open: OpenStores): void {
  const started = async () => {
    const stores = await open()
    const command = startCommand()
    await stores.verifications.start(command)
    const shown = async () => (await stores.verifications.get(keyOf(command)))?.delivery
    return { ...stores, command, shown }
  }

  test('a sent delivery is delivered once, and its verification and events show it', async () => {
    const { deliveries, events, stats, command, shown } = await started()
    await deliveries.settle(settleCommand(command))

    const results = await Promise.all(times(20, () => deliveries.report(reportOf(command))))

    expect(results.filter((result) => result === 'delivered')).toHaveLength(1)
    expect(results.filter((result) => result === 'nothing')).toHaveLength(19)
    expect(await shown()).toMatchObject({ status: 'delivered', detail: null })
    expect(await deliveries.history(keyOf(command))).toMatchObject([{ status: 'delivered' }])
    const query = { appId: 'app', type: 'delivery.delivered', limit: 9, cursor: null } as const
    expect((await events.list(query)).items).toMatchObject([{ at: noon + minuteMs, data: {} }])
    const range = { from: noon, to: noon + 2 * minuteMs, bucketMs: 2 * minuteMs }
    const [counts] = await stats.read({ appId: 'app', ...range })
    expect(counts).toMatchObject({ sent: 1, delivered: 1, failed: 0 })
  })

  test('a failure is kept with its code; that it arrived after all counts more, in any order', async () => {
    const { deliveries, events, command, shown } = await started()
    await deliveries.settle(settleCommand(command))
    const failed = () => deliveries.report(reportOf(command, { status: 'failed' }))
    const delivered = () => deliveries.report(reportOf(command))

    expect(await failed()).toBe('failed')
    expect(await shown()).toEqual({ status: 'failed', detail: 'Twilio: undelivered' } as never)
    expect(await failed()).toBe('nothing')
    expect(await delivered()).toBe('delivered')
    expect(await failed()).toBe('nothing')
    expect(await delivered()).toBe('nothing')

    expect(await shown()).toMatchObject({ status: 'delivered' })
    const query = { appId: 'app', type: null, limit: 9, cursor: null } as const
    const { items } = await events.list(query)
    expect(items.map(({ type }) => type)).toEqual([
      'delivery.delivered',
      'delivery.failed',
      'delivery.sent',
    ])
    const data = { detail: 'Twilio: undelivered', cause: 'recipient', code: '30005' }
    expect(items[1]).toMatchObject({ data })
  })

  test('only a delivery of this app that went through this endpoint is reported', async () => {
    const { deliveries, command, shown } = await started()
    await deliveries.settle(settleCommand(command))

    for (const status of ['delivered', 'failed'] as const) {
      const report = (change: Change) => deliveries.report(reportOf(command, { status, ...change }))
      expect(await report({ appId: 'other' })).toBe('unknown')
      expect(await report({ deliveryId: 'x' })).toBe('unknown')
      expect(await report({ endpointId: 'other' })).toBe('nothing')
    }
    expect(await shown()).toMatchObject({ status: 'sent' })
  })

  test('a report before the outcome of the try is stored changes nothing yet', async () => {
    const { deliveries, command } = await started()

    expect(await deliveries.report(reportOf(command))).toBe('early')
    await deliveries.settle(settleCommand(command))
    expect(await deliveries.report(reportOf(command))).toBe('delivered')
  })

  test('a message of unknown outcome that arrived is not sent again; one that failed is', async () => {
    const { deliveries, command, shown } = await started()
    const at = noon + minuteMs
    const again = { endpointId: 'endpoint', at, lease: null }
    const made = tryOf({ status: 'deferred', cause: 'network', ambiguous: true })
    const event = 'delivery.deferred'
    await deliveries.settle(settleCommand(command, { status: 'deferred', event, made, again }))
    const claim = () => {
      const lane = { appId: 'app', channel: 'email', endpointId: 'endpoint' } as const
      return deliveries.claim({ ...due(at), lane, leaseUntil: at + minuteMs, limit: 9 })
    }

    expect(await deliveries.report(reportOf(command, { status: 'failed' }))).toBe('nothing')
    expect(await shown()).toMatchObject({ status: 'deferred' })
    expect(await deliveries.report(reportOf(command))).toBe('delivered')
    expect(await claim()).toEqual([])
    // The node that tried it meanwhile changes nothing of that.
    await deliveries.settle(settleCommand(command, { made: tryOf({ number: 2 }) }))
    expect(await shown()).toMatchObject({ status: 'delivered' })
  })

  test('a given up delivery may arrive; a failure of an approved verification is of no use', async () => {
    const { verifications, deliveries } = await open()
    const [given, approved, canceled] = times(3, () => startCommand())
    if (!given || !approved || !canceled) throw new Error('no commands')
    for (const command of [given, approved, canceled]) await verifications.start(command)
    const made = tryOf({ status: 'deferred', cause: 'network', ambiguous: true })
    const status = { status: 'undeliverable', event: 'delivery.undeliverable', made } as const
    await deliveries.settle(settleCommand(given, status))
    for (const command of [approved, canceled]) await deliveries.settle(settleCommand(command))
    await verifications.chargeAttempt(attempt(approved, true))
    await verifications.cancel(cancelCommand(canceled))
    const failed = { status: 'failed' } as const

    expect(await deliveries.report(reportOf(given, failed))).toBe('nothing')
    expect(await deliveries.report(reportOf(given))).toBe('delivered')
    expect(await deliveries.report(reportOf(approved, failed))).toBe('nothing')
    expect(await deliveries.report(reportOf(approved))).toBe('delivered')
    expect(await deliveries.report(reportOf(canceled, failed))).toBe('failed')
  })

  test('the verification goes on showing its latest delivery when an earlier one fails', async () => {
    const { verifications, deliveries, command, shown } = await started()
    await deliveries.settle(settleCommand(command))
    await verifications.claimResend(resendCommand(command, noon + 30_000))

    expect(await deliveries.report(reportOf(command, { status: 'failed' }))).toBe('failed')
    expect(await shown()).toMatchObject({ status: 'queued' })
  })
}
