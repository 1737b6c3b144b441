import { expect, test } from 'bun:test'
import type { Stores } from '../../src/domain/stores.ts'
import { dayMs, hourMs } from '../../src/domain/verification/limits.ts'
import type { StartCommand } from '../../src/domain/verification/stores.ts'
import {
  attempt,
  bytes,
  cancelCommand,
  keyOf,
  newRequest,
  noon,
  resendCommand,
  type StartOptions,
  settleCommand,
  startCommand,
  sweepCommand,
  times,
} from '../support/commands.ts'
import type { OpenStores } from './contract.ts'

/** Starts a verification; throws when that is refused. */
async function start({ verifications }: Pick<Stores, 'verifications'>, options: StartOptions) {
  const command = startCommand(options)
  const result = await verifications.start(command)
  if (result.outcome !== 'started') throw new Error(result.outcome)
  return { command, verification: result.verification, format: result.verification.codeFormat }
}

/** Tests the rules of starts that every store follows: limits, guess budget, Idempotency-Keys. */
export function startContract(open: OpenStores): void {
  test('a start returns the stored verification, with its short code', async () => {
    const stores = await open()
    const command = startCommand({ metadata: { order: '7' }, startedBy: 'original' })

    const result = await stores.verifications.start(command)

    const { digest: _, format: codeFormat, length: codeLength, generation } = command.short
    expect(result).toEqual({
      outcome: 'started',
      verification: {
        ...command.verification,
        ...{ channel: 'email', to: 'a***@example.com', fallBackAt: null, checkAt: null },
        checkedAt: [],
        route: [{ channel: 'email', to: 'a***@example.com', recipient: 0 }],
        ...{ codeFormat, codeLength, generation },
        status: 'pending',
        forgotten: false,
        attemptsSpent: 0,
        resendsSpent: 0,
        delivery: { status: 'queued', detail: null },
      },
    })
    const stored = await stores.verifications.get(keyOf(command))
    expect({ outcome: 'started', verification: stored }).toEqual(result as never)
    expect(await stores.verifications.sealed({ ...keyOf(command), recipient: 0 })).toEqual({
      recipient: command.recipients[0]?.sealed as Uint8Array,
      variables: command.variablesSealed,
    })
    expect(await stores.deliveries.history(keyOf(command))).toMatchObject([
      { id: command.delivery.id, status: 'queued', tries: 0, endpointId: 'endpoint', history: [] },
    ])
  })

  limits(open)
  budgets(open)
  idempotency(open)
}

function limits(open: OpenStores): void {
  test('two hundred parallel starts take exactly as much as every rate of every row allows', async () => {
    const { verifications } = await open()
    const rates = [{ name: 'recipient_day', max: 7, windowMs: dayMs }] as const
    const app = { key: bytes(32), rates: [{ name: 'app_day', max: 9, windowMs: dayMs } as const] }
    const [one, other] = [bytes(32), bytes(32)]

    const results = await Promise.all(
      times(200, (index) => {
        const recipientKey = index % 2 ? one : other
        return verifications.start(startCommand({ recipientKey, rates: [...rates], limits: [app] }))
      }),
    )

    expect(results.filter(({ outcome }) => outcome === 'started').length).toBe(9)
    const refused = results.filter(({ outcome }) => outcome === 'limited')
    expect(refused.length).toBe(191)
  })

  test('a start that one rate refuses takes from no rate and stores nothing', async () => {
    const { verifications, limits, deliveries } = await open()
    const wide = { key: bytes(32), rates: [{ name: 'app_day', max: 2, windowMs: dayMs } as const] }
    const narrow = {
      key: bytes(32),
      rates: [{ name: 'recipient_day', max: 1, windowMs: dayMs } as const],
    }
    await verifications.start(startCommand({ limits: [narrow] }))

    const command = startCommand({ limits: [wide, narrow] })
    const refused = await verifications.start(command)

    expect(refused).toEqual({ outcome: 'limited', limit: 'recipient_day', retryAt: noon + dayMs })
    expect(await verifications.get(keyOf(command))).toBeNull()
    expect((await deliveries.backlog()).waiting).toBe(1)
    const takes = await Promise.all(times(3, () => limits.take(wide, noon)))
    expect(takes.filter(({ taken }) => taken).length).toBe(2)
  })

  test('the second and third rate of a row limit as the first does', async () => {
    const { verifications } = await open()
    const spacing = { name: 'recipient_spacing', max: 1, windowMs: 30_000 } as const
    const quarter = { name: 'recipient_quarter_hour', max: 2, windowMs: 900_000 } as const
    const day = { name: 'recipient_day', max: 3, windowMs: dayMs } as const
    const recipientKey = bytes(32)
    const startAt = async (now: number) => {
      const rates = [spacing, quarter, day]
      const result = await verifications.start(startCommand({ now, recipientKey, rates }))
      return result.outcome === 'limited' ? result.limit : result.outcome
    }

    expect(await startAt(noon)).toBe('started')
    expect(await startAt(noon + 29_999)).toBe('recipient_spacing')
    expect(await startAt(noon + 30_000)).toBe('started')
    expect(await startAt(noon + 60_000)).toBe('recipient_quarter_hour')
    expect(await startAt(noon + 3_600_000)).toBe('started')
    expect(await startAt(noon + 7_200_000)).toBe('recipient_day')
  })

  test('after a clock that was hours ahead no rate refuses for longer than its window', async () => {
    const { verifications } = await open()
    const recipientKey = bytes(32)
    const spacing = { name: 'recipient_spacing', max: 1, windowMs: 30_000 } as const
    const startAt = (now: number) =>
      verifications.start(startCommand({ now, recipientKey, rates: [spacing] }))
    await startAt(noon + 6 * hourMs)

    expect(await startAt(noon)).toMatchObject({ outcome: 'started' })
    expect(await startAt(noon)).toMatchObject({ outcome: 'limited', retryAt: noon + 30_000 })
    expect(await startAt(noon + 30_000)).toMatchObject({ outcome: 'started' })
  })
}

function budgets(open: OpenStores): void {
  test('codes become long exactly when failures and open attempts fill the budget', async () => {
    const stores = await open()
    const options = { recipientKey: bytes(32), budget: [{ max: 12, windowMs: dayMs }] }
    const startAt = (now: number) => start(stores, { ...options, now })

    const first = await startAt(noon)
    expect(first.format).toBe('numeric')
    expect((await startAt(noon + 1)).format).toBe('numeric')
    // 10 of 12 are reserved: 5 more do not fit.
    expect((await startAt(noon + 2)).format).toBe('crockford')

    for (let i = 0; i < 3; i++) {
      await stores.verifications.chargeAttempt(attempt(first.command, false))
    }
    // Expired codes reserve nothing; the 3 failures count for the whole window.
    expect((await startAt(noon + hourMs)).format).toBe('numeric')
    expect((await startAt(noon + hourMs + 1)).format).toBe('crockford')
    expect((await startAt(noon + 2 * dayMs)).format).toBe('numeric')
  })

  test('every window of a budget limits', async () => {
    const stores = await open()
    const budget = [
      { max: 5, windowMs: dayMs },
      { max: 9, windowMs: 30 * dayMs },
    ]
    const options = { recipientKey: bytes(32), budget, attemptsMax: 3 }
    const failAt = async (now: number) => {
      const { command, format } = await start(stores, { ...options, now })
      for (let i = 0; i < 3; i++) {
        await stores.verifications.chargeAttempt(attempt(command, false, { now }))
      }
      return format
    }

    expect(await failAt(noon)).toBe('numeric')
    expect(await failAt(noon + hourMs)).toBe('crockford')
    expect(await failAt(noon + 2 * dayMs)).toBe('numeric')
    expect(await failAt(noon + 4 * dayMs)).toBe('numeric')
    expect(await failAt(noon + 6 * dayMs)).toBe('crockford')
    expect(await failAt(noon + 31 * dayMs)).toBe('numeric')
  })

  test('an approved, canceled or forgotten code gives its open attempts back', async () => {
    const stores = await open()
    const { verifications } = stores
    const options = { recipientKey: bytes(32), budget: [{ max: 9, windowMs: dayMs }] }
    const next = (index: number) => start(stores, { ...options, now: noon + index })

    const approved = await next(0)
    expect((await next(1)).format).toBe('crockford')
    for (let i = 0; i < 4; i++) {
      await verifications.chargeAttempt(attempt(approved.command, false))
    }
    // The 4 wrong codes count, the right one does not.
    await verifications.chargeAttempt(attempt(approved.command, true))
    const canceled = await next(2)
    expect(canceled.format).toBe('numeric')
    await verifications.cancel(cancelCommand(canceled.command))
    expect((await next(3)).format).toBe('numeric')
    await verifications.expirePending({ now: noon, event: 'verification.expired' })
    expect((await next(4)).format).toBe('numeric')
  })

  test('a code gives its open attempts back at the millisecond of its expiry', async () => {
    const stores = await open()
    const options = { recipientKey: bytes(32), budget: [{ max: 9, windowMs: dayMs }] }
    const formatAt = async (now: number) => (await start(stores, { ...options, now })).format

    expect(await formatAt(noon)).toBe('numeric')
    expect(await formatAt(noon + 599_999)).toBe('crockford')
    expect(await formatAt(noon + 600_000)).toBe('numeric')
  })

  test('wrong codes count until a whole window after the expiry, swept or not', async () => {
    const stores = await open()
    const { verifications, maintenance } = stores
    const month = { max: 100, windowMs: 30 * dayMs }
    // After the failures, five attempts fit once the failures no longer count.
    const failThenStart = async (options: { isSwept: boolean; wait: number; max: number }) => {
      const { isSwept, wait, max } = options
      const budget = [{ max, windowMs: dayMs }, month]
      const recipient = { recipientKey: bytes(32), budget }
      const { command } = await start(stores, { ...recipient, now: noon })
      await verifications.chargeAttempt(attempt(command, false))
      const sweep = { verificationsBefore: noon + dayMs }
      if (isSwept) await maintenance.sweep(sweepCommand(noon + hourMs, sweep))
      const now = noon + wait
      const first = await start(stores, { ...recipient, now })
      const second = await start(stores, { ...recipient, now })
      return `${first.format}, ${second.format}`
    }

    const expiry = 600_000 + dayMs
    const isSwept = true
    const [none, fits] = ['crockford, crockford', 'numeric, crockford']
    expect(await failThenStart({ isSwept: false, wait: expiry - 1, max: 5 })).toBe(none)
    expect(await failThenStart({ isSwept: false, wait: expiry, max: 5 })).toBe(fits)
    expect(await failThenStart({ isSwept: false, wait: expiry, max: 9 })).toBe(fits)
    // Swept failures count by whole hours.
    expect(await failThenStart({ isSwept, wait: dayMs + hourMs - 1, max: 5 })).toBe(none)
    expect(await failThenStart({ isSwept, wait: dayMs + hourMs, max: 5 })).toBe(fits)
    expect(await failThenStart({ isSwept, wait: dayMs + hourMs, max: 9 })).toBe(fits)
  })

  test('two hundred parallel starts never reserve more than the budget', async () => {
    const { verifications } = await open()
    const options = { recipientKey: bytes(32), budget: [{ max: 25, windowMs: dayMs }] }

    const results = await Promise.all(
      times(200, (index) => verifications.start(startCommand({ ...options, now: noon + index }))),
    )

    const formats = results.map((result) =>
      result.outcome === 'started' ? result.verification.codeFormat : result.outcome,
    )
    expect(formats.filter((format) => format === 'numeric').length).toBe(5)
    expect(formats.filter((format) => format === 'crockford').length).toBe(195)
  })

  test('a spent budget writes its event, and refuses where the start has no long code', async () => {
    const { verifications, events, limits } = await open()
    const rates = [{ name: 'recipient_day', max: 2, windowMs: dayMs } as const]
    const recipientKey = bytes(32)
    const options = { recipientKey, rates, budget: [{ max: 4, windowMs: dayMs }] }
    const refused = startCommand({ ...options, long: false })
    const long = startCommand({ ...options, now: noon + 1 })

    expect(await verifications.start(refused)).toEqual({ outcome: 'budget_exhausted' })
    expect(await verifications.get(keyOf(refused))).toBeNull()
    expect((await verifications.start(long)).outcome).toBe('started')

    // The refused start counts in the limits, too.
    expect((await limits.take({ key: recipientKey, rates }, noon + 1)).taken).toBe(false)
    const { items } = await events.list({ appId: 'app', type: null, limit: 10, cursor: null })
    expect(items.map(({ type, verificationId, data }) => [type, verificationId, data])).toEqual([
      ['budget.exhausted', long.verification.id, { answer: 'long_code' }],
      ['budget.exhausted', null, { answer: 'long_code' }],
    ])
  })

  test('a start that has to ask for its long code writes nothing before it has it', async () => {
    const { verifications, events, deliveries } = await open()
    const rates = [{ name: 'recipient_day', max: 1, windowMs: dayMs } as const]
    const options = { recipientKey: bytes(32), rates, budget: [{ max: 4, windowMs: dayMs }] }
    const command = startCommand(options)

    expect(await verifications.start({ ...command, long: 'ask' })).toEqual({
      outcome: 'long_needed',
    })
    expect(await verifications.get(keyOf(command))).toBeNull()
    expect((await deliveries.backlog()).waiting).toBe(0)
    const { items } = await events.list({ appId: 'app', type: null, limit: 10, cursor: null })
    expect(items).toEqual([])

    // Its limit is still free, so the same start succeeds with the code.
    expect((await verifications.start(command)).outcome).toBe('started')
  })

  test('failures stay counted when their verification is swept', async () => {
    const stores = await open()
    const { verifications, maintenance } = stores
    const budget = [{ max: 9, windowMs: 30 * dayMs }]
    const options = { recipientKey: bytes(32), budget }
    const { command } = await start(stores, options)
    for (let i = 0; i < 5; i++) await verifications.chargeAttempt(attempt(command, false))

    const now = noon + 8 * dayMs
    await maintenance.sweep(sweepCommand(now, { verificationsBefore: noon + dayMs }))
    expect(await verifications.get(keyOf(command))).toBeNull()

    expect((await start(stores, { ...options, now })).format).toBe('crockford')
    const later = noon + 31 * dayMs
    expect((await start(stores, { ...options, now: later })).format).toBe('numeric')
  })

  test('the failures of one recipient do not count for another', async () => {
    const stores = await open()
    const { verifications, maintenance } = stores
    const budget = [{ max: 9, windowMs: 30 * dayMs }]
    const mine = { recipientKey: bytes(32), budget }
    await start(stores, mine)
    const failOther = async (now: number) => {
      const { command } = await start(stores, { recipientKey: bytes(32), budget, now })
      for (let i = 0; i < 5; i++) {
        await verifications.chargeAttempt(attempt(command, false, { now }))
      }
    }
    await failOther(noon)
    const before = { verificationsBefore: noon + dayMs }
    await maintenance.sweep(sweepCommand(noon + dayMs, before))
    await failOther(noon + dayMs)

    expect((await start(stores, { ...mine, now: noon + dayMs + 1 })).format).toBe('numeric')
  })
}

function idempotency(open: OpenStores): void {
  test('two hundred starts with one Idempotency-Key start once and mail once', async () => {
    const { verifications, deliveries, limits } = await open()
    const rate = { name: 'app_day', max: 2, windowMs: dayMs } as const
    const app = { key: bytes(32), rates: [rate] }
    const request = newRequest()

    const results = await Promise.all(
      times(200, () => verifications.start(startCommand({ idempotency: request, limits: [app] }))),
    )

    expect(results.filter(({ outcome }) => outcome === 'started').length).toBe(1)
    expect(results.filter(({ outcome }) => outcome === 'replayed').length).toBe(199)
    const answers = results.map((result) => 'verification' in result && result.verification)
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1)
    expect((await deliveries.backlog()).waiting).toBe(1)
    expect((await limits.take(app, noon)).taken).toBe(true)
  })

  test('an Idempotency-Key with another request is refused, until it is forgotten', async () => {
    const { verifications } = await open()
    const request = newRequest()
    await verifications.start(startCommand({ idempotency: request }))
    const other = { ...request, fingerprint: bytes(32) }

    const reused = await verifications.start(startCommand({ idempotency: other }))
    expect(reused).toEqual({ outcome: 'key_reused' })
    const since = { ...other, since: noon }
    const next = await verifications.start(startCommand({ idempotency: since }))
    expect(next.outcome).toBe('started')
  })

  test('a refused start stores no Idempotency-Key', async () => {
    const { verifications } = await open()
    const rates = [{ name: 'recipient_day', max: 1, windowMs: dayMs } as const]
    const recipient = { recipientKey: bytes(32), rates }
    await verifications.start(startCommand(recipient))
    const request = newRequest()
    const refused = await verifications.start(startCommand({ ...recipient, idempotency: request }))
    expect(refused.outcome).toBe('limited')

    const again = await verifications.start(startCommand({ idempotency: request }))
    expect(again.outcome).toBe('started')
  })

  const ends: Record<string, (stores: Stores, command: StartCommand) => Promise<unknown>> = {
    'a wrong code': ({ verifications }, command) =>
      verifications.chargeAttempt(attempt(command, false)),
    'an approval': ({ verifications }, command) =>
      verifications.chargeAttempt(attempt(command, true)),
    'a resend': ({ verifications }, command) =>
      verifications.claimResend(resendCommand(command, noon + 30_000)),
    'a cancel': ({ verifications }, command) => verifications.cancel(cancelCommand(command)),
    'a settled delivery': ({ deliveries }, command) => deliveries.settle(settleCommand(command)),
    'an expired delivery': ({ deliveries }) =>
      deliveries.expire({ now: noon + dayMs, limit: 9, event: 'delivery.undeliverable' }),
    'its expiry': ({ verifications }) =>
      verifications.expirePending({ now: noon, event: 'verification.expired' }),
    'its being forgotten': ({ maintenance }) => maintenance.sweep(sweepCommand(noon + dayMs)),
    'its being swept': ({ maintenance }) =>
      maintenance.sweep(sweepCommand(noon + dayMs, { verificationsBefore: noon + dayMs })),
  }
  test.each(Object.keys(ends))(
    'a repeated start gets the first answer, also after %s',
    async (end) => {
      const stores = await open()
      const request = newRequest()
      const command = startCommand({ idempotency: request, metadata: { b: '1', a: '2' } })
      const first = await stores.verifications.start(command)

      await ends[end]?.(stores, command)

      const replay = await stores.verifications.start(startCommand({ idempotency: request }))
      expect(replay.outcome).toBe('replayed')
      const answer = (result: typeof first) =>
        JSON.stringify('verification' in result && result.verification)
      expect(answer(replay)).toBe(answer(first))
    },
  )
}
