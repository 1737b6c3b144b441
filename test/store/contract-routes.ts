import { expect, test } from 'bun:test'
import { lateMs } from '../../src/domain/ports.ts'
import type { Stores } from '../../src/domain/stores.ts'
import { dayMs, hourMs, type LimitRow } from '../../src/domain/verification/limits.ts'
import type { StartCommand } from '../../src/domain/verification/stores.ts'
import {
  addPlainApp,
  attempt,
  bytes,
  cancelCommand,
  due,
  keyOf,
  newDelivery,
  newRecipient,
  noon,
  resendCommand,
  type StartOptions,
  settleCommand,
  startCommand,
  stopped,
  sweepCommand,
  times,
  tryOf,
  withAudit,
} from '../support/commands.ts'
import type { OpenStores } from './contract.ts'

const day = (max: number) => [{ name: 'recipient_day', max, windowMs: dayMs } as const]
const emailThenWebhook: StartCommand['route'] = [
  { channel: 'email', recipient: 0, endpointId: 'endpoint' },
  { channel: 'webhook', recipient: 1, endpointId: 'gateway' },
]

/** A recipient with one row of limits, which names their latest verification. */
function person(rates: LimitRow['rates'] = []) {
  const key = bytes(32)
  return { key, recipient: newRecipient({ index: key, masked: 'g***', limits: [{ key, rates }] }) }
}
type Person = ReturnType<typeof person>

/** A start by email to one person and then by webhook to another. */
function routed(first: Person, second: Person, options: StartOptions = {}): StartCommand {
  const command = startCommand({ route: emailThenWebhook, fallBackMs: 20_000, ...options })
  return { ...command, recipients: [first.recipient, second.recipient] }
}

async function started(
  { verifications }: Pick<Stores, 'verifications'>,
  command: StartCommand,
): Promise<StartCommand> {
  const { outcome } = await verifications.start(command)
  if (outcome !== 'started') throw new Error(outcome)
  return command
}

const move = (now: number, channel: 'email' | 'webhook' = 'webhook', hasNext = false) => ({
  delivery: { ...newDelivery({ now, endpointId: 'gateway' }), channel },
  hasNext,
  stopped,
})
const fallBackOf = (command: StartCommand, now = noon + 20_000) => {
  return { ...keyOf(command), now, fallBackAt: noon + 20_000, move: move(now) }
}
const statusesOf = async ({ deliveries }: Pick<Stores, 'deliveries'>, command: StartCommand) => {
  const history = await deliveries.history(keyOf(command))
  return history.map(({ channel, status }) => `${channel} ${status}`)
}

/** Tests the rules of verifications with several channels and recipients that every store follows. */
export function routeContract(open: OpenStores): void {
  recipients(open)
  charges(open)
  budgets(open)
  fallBacks(open)
  races(open)
  follows(open)
  resends(open)
}

function recipients(open: OpenStores): void {
  test('a verification keeps each channel with its recipient, sealed by itself', async () => {
    const stores = await open()
    const [ada, gus] = [person(), person()]
    const command = await started(stores, routed(ada, gus))

    const verification = await stores.verifications.get(keyOf(command))
    expect(verification).toMatchObject({
      ...{ channel: 'email', to: ada.recipient.masked, fallBackAt: noon + 20_000 },
      route: [
        { channel: 'email', to: 'g***', recipient: 0 },
        { channel: 'webhook', to: 'g***', recipient: 1 },
      ],
    })
    for (const [recipient, each] of [ada, gus].entries()) {
      const sealed = await stores.verifications.sealed({ ...keyOf(command), recipient })
      expect(sealed).toEqual({ recipient: each.recipient.sealed, variables: null })
    }
    const none = { ...keyOf(command), recipient: 2 }
    expect(await stores.verifications.sealed(none)).toBeNull()
    expect(await statusesOf(stores, command)).toEqual(['email queued'])
  })

  test('one recipient for two channels is stored once', async () => {
    const { verifications } = await open()
    const route = emailThenWebhook.map((stop) => ({ ...stop, recipient: 0 }))
    const command = startCommand({ route })
    await verifications.start(command)

    const shown = await verifications.get(keyOf(command))
    expect(shown?.route.map(({ recipient }) => recipient)).toEqual([0, 0])
    expect(await verifications.sealed({ ...keyOf(command), recipient: 0 })).not.toBeNull()
    expect(await verifications.sealed({ ...keyOf(command), recipient: 1 })).toBeNull()
  })

  test('a verification is found by every recipient that it names', async () => {
    const stores = await open()
    const [ada, gus, eve] = [person(), person(), person()]
    const first = await started(stores, routed(ada, gus))
    const second = await started(stores, routed(gus, eve, { now: noon + 1 }))
    const third = await started(stores, routed(eve, ada, { now: noon + 2 }))
    const listed = async ({ key }: Person) => {
      const query = { appId: 'app', mode: 'live', now: noon, limit: 9, cursor: null } as const
      const page = await stores.verifications.list({ ...query, recipient: { key, index: key } })
      return page.items.map(({ id }) => id)
    }

    const ids = [first, second, third].map(({ verification }) => verification.id)
    expect(await listed(ada)).toEqual([ids[2], ids[0]] as string[])
    expect(await listed(gus)).toEqual([ids[1], ids[0]] as string[])
    expect(await listed(eve)).toEqual([ids[2], ids[1]] as string[])
  })

  const ends: Record<string, (stores: Stores, command: StartCommand) => Promise<unknown>> = {
    approval: ({ verifications }, command) => verifications.chargeAttempt(attempt(command, true)),
    cancel: ({ verifications }, command) => verifications.cancel(cancelCommand(command)),
    expiry: ({ maintenance }) => maintenance.sweep(sweepCommand(noon + 600_000)),
    'early expiry': ({ verifications }) =>
      verifications.expirePending({ now: noon, event: 'verification.expired' }),
  }
  test.each(Object.keys(ends))(
    'after its %s no address is left and nothing falls back',
    async (end) => {
      const stores = await open()
      const command = await started(stores, routed(person(), person()))

      await ends[end]?.(stores, command)

      for (const recipient of [0, 1]) {
        expect(await stores.verifications.sealed({ ...keyOf(command), recipient })).toBeNull()
      }
      expect(await stores.verifications.dueFallBacks({ now: noon + hourMs, limit: 9 })).toEqual([])
      expect(await stores.verifications.fallBack(fallBackOf(command))).toBeNull()
      expect(await statusesOf(stores, command)).toHaveLength(1)
    },
  )

  test('a removed app and a sweep leave nothing of further recipients', async () => {
    const stores = await open()
    const app = await addPlainApp(stores)
    const gone = await started(stores, routed(person(), person(), { appId: app.id }))
    const swept = await started(stores, routed(person(), person()))

    await withAudit(stores, (append) => stores.apps.remove(app.id, append))
    // A store may delete a day as a whole, when all of it is old.
    const old = { verificationsBefore: noon + 2 * dayMs }
    await stores.maintenance.sweep(sweepCommand(noon + 3 * dayMs, old))

    for (const command of [gone, swept]) {
      expect(await stores.verifications.get(keyOf(command))).toBeNull()
      expect(await stores.verifications.sealed({ ...keyOf(command), recipient: 1 })).toBeNull()
    }
  })

  test('the recipient of the channel that refused is suppressed, and no other', async () => {
    const stores = await open()
    const [ada, gus] = [person(), person()]
    const command = await started(stores, routed(ada, gus))
    const next = move(noon)
    await stores.deliveries.settle(
      settleCommand(command, { status: 'refused', event: 'delivery.refused', follow: next }),
    )
    const delivery = { ...settleCommand(command).delivery, id: next.delivery.id }
    const suppress = { id: 's', endpointId: 'gateway', cause: 'refused', code: '550' } as const
    await stores.deliveries.settle(
      settleCommand(command, { delivery, status: 'refused', event: 'delivery.refused', suppress }),
    )

    const has = ({ key }: Person) =>
      stores.suppressions.has({ appId: 'app', recipientIndex: key, now: noon })
    expect([await has(ada), await has(gus)]).toEqual([false, true])
  })
}

function charges(open: OpenStores): void {
  test('a start takes from the rates of every recipient', async () => {
    const stores = await open()
    const [ada, gus] = [person(day(2)), person(day(2))]
    await started(stores, routed(ada, gus))

    for (const { key } of [ada, gus]) {
      const row = { key, rates: day(2) }
      expect((await stores.limits.take(row, noon)).taken).toBe(true)
      expect((await stores.limits.take(row, noon)).taken).toBe(false)
    }
  })

  test('a recipient over a rate loses its channels, and nothing is taken from it', async () => {
    const stores = await open()
    const [ada, gus] = [person(day(1)), person(day(3))]
    const [first] = ada.recipient.limits
    if (!first) throw new Error('no row')
    const wide = { key: bytes(32), rates: day(1) }
    ada.recipient.limits = [wide, first]
    await stores.limits.take(first, noon)

    const command = await started(stores, routed(ada, gus))

    expect(await stores.verifications.get(keyOf(command))).toMatchObject({
      ...{ channel: 'webhook', fallBackAt: null },
      route: [{ channel: 'webhook', recipient: 1 }],
    })
    expect((await stores.limits.take(wide, noon)).taken).toBe(true)
    const sealed = await stores.verifications.sealed({ ...keyOf(command), recipient: 1 })
    expect(sealed?.recipient).toEqual(gus.recipient.sealed)
    expect(await stores.verifications.sealed({ ...keyOf(command), recipient: 0 })).toBeNull()
  })

  test('the first channel that remains gets the message, without the lease of another', async () => {
    const stores = await open()
    const ada = person(day(1))
    await stores.limits.take({ key: ada.key, rates: day(1) }, noon)
    const command = await started(stores, routed(ada, person()))

    const lane = { appId: 'app', channel: 'webhook', endpointId: 'gateway' } as const
    const wanted = { lane, leaseUntil: noon + 90_000, limit: 9 }
    const claimed = await stores.deliveries.claim({ ...due(noon, { node: 'b' }), ...wanted })
    expect(claimed.map(({ id }) => id)).toEqual([command.delivery.id])
  })

  test('without a channel left a start is refused until the first recipient is free again', async () => {
    const stores = await open()
    const [ada, gus] = [person(day(1)), person([{ ...day(1)[0], windowMs: hourMs } as never])]
    const app = { key: bytes(32), rates: day(1) }
    await started(stores, routed(ada, gus))

    const refused = await stores.verifications.start(
      routed(ada, gus, { now: noon + 1, limits: [app] }),
    )

    const limit = 'recipient_day'
    expect(refused).toEqual({ outcome: 'limited', limit, retryAt: noon + hourMs })
    expect((await stores.limits.take(app, noon)).taken).toBe(true)
  })

  test('two hundred parallel starts take no more than the rates of each recipient allow', async () => {
    const { verifications } = await open()
    const [ada, gus] = [person(day(5)), person(day(9))]

    const results = await Promise.all(times(200, () => verifications.start(routed(ada, gus))))

    const routes = results.flatMap((result) =>
      result.outcome === 'started' ? [result.verification.route.length] : [],
    )
    expect(routes.toSorted()).toEqual([1, 1, 1, 1, 2, 2, 2, 2, 2])
  })
}

function budgets(open: OpenStores): void {
  const budget = [{ max: 9, windowMs: 30 * dayMs }]
  const formatOf = async ({ verifications }: Stores, command: StartCommand) => {
    const result = await verifications.start(command)
    return result.outcome === 'started' ? result.verification.codeFormat : result.outcome
  }

  test('open attempts are reserved for every recipient, in whichever place it was named', async () => {
    const stores = await open()
    const [ada, gus, eve] = [person(), person(), person()]
    expect(await formatOf(stores, routed(ada, gus, { budget }))).toBe('numeric')

    const next = (first: Person, second: Person, now: number) =>
      formatOf(stores, routed(first, second, { budget, now }))
    expect(await next(gus, eve, noon + 1)).toBe('crockford')
    expect(await next(eve, ada, noon + 2)).toBe('crockford')
    expect(await next(eve, person(), noon + 3)).toBe('numeric')
  })

  test('wrong codes count for every recipient, through any chain of places, swept or not', async () => {
    for (const isSwept of [false, true]) {
      const stores = await open()
      const [ada, gus, eve] = [person(), person(), person()]
      const fail = async (first: Person, second: Person, now: number) => {
        const command = routed(first, second, { budget, now, attemptsMax: 2 })
        expect(await formatOf(stores, command)).toBe('numeric')
        for (const at of [now, now + 1]) {
          await stores.verifications.chargeAttempt(attempt(command, false, { now: at }))
        }
      }
      await fail(ada, gus, noon)
      await fail(gus, eve, noon + hourMs)
      await fail(eve, ada, noon + 2 * hourMs)
      await fail(person(), ada, noon + 3 * hourMs)
      const now = noon + dayMs
      if (isSwept) await stores.maintenance.sweep(sweepCommand(now, { verificationsBefore: now }))

      // Ada has six failures, the others four: five attempts more fit for them only.
      const options = { budget, now, attemptsMax: 4 }
      expect(await formatOf(stores, routed(gus, ada, options))).toBe('crockford')
      expect(await formatOf(stores, routed(gus, person(), { ...options, attemptsMax: 5 }))).toBe(
        'numeric',
      )
      expect(await formatOf(stores, routed(person(), eve, { ...options, attemptsMax: 5 }))).toBe(
        'numeric',
      )
    }
  })

  test('a recipient that lost its channels is not charged for the wrong codes', async () => {
    const stores = await open()
    const [ada, gus] = [person(day(1)), person()]
    await stores.limits.take({ key: ada.key, rates: day(1) }, noon)
    expect(await formatOf(stores, routed(ada, gus, { budget }))).toBe('numeric')

    const later = { budget, now: noon + dayMs }
    expect(await formatOf(stores, routed(ada, person(), later))).toBe('numeric')
  })
}

function fallBacks(open: OpenStores): void {
  test('a fall-back is due at its time, and one beyond its wait was written by a wrong clock', async () => {
    const stores = await open()
    const command = await started(stores, routed(person(), person()))
    await started(stores, startCommand())
    const ids = async (now: number) =>
      (await stores.verifications.dueFallBacks({ now, limit: 9 })).map(({ id }) => id)

    expect(await ids(noon + 19_999)).toEqual([])
    expect(await ids(noon + 20_000)).toEqual([command.verification.id])
    expect(await ids(noon)).toEqual([])
    // Another operation may have read the clock a little earlier.
    expect(await ids(noon - lateMs)).toEqual([])
    expect(await ids(noon - lateMs - 1)).toEqual([command.verification.id])
  })

  test('no more fall-backs are named than asked for, the earliest first', async () => {
    const stores = await open()
    for (const now of [noon + 2, noon, noon + 1]) {
      await started(stores, routed(person(), person(), { now }))
    }

    const found = await stores.verifications.dueFallBacks({ now: noon + hourMs, limit: 2 })
    expect(found.map(({ createdAt }) => createdAt)).toEqual([noon, noon + 1])
  })

  test('a fall-back stops the message of the first channel and queues that of the next', async () => {
    const stores = await open()
    const [ada, gus] = [person(), person()]
    const command = await started(stores, routed(ada, gus))
    const fall = fallBackOf(command)

    const moved = await stores.verifications.fallBack(fall)

    expect(moved).toMatchObject({
      verification: { channel: 'webhook', to: 'g***', fallBackAt: null, resendsSpent: 0 },
      stopped: [command.delivery.id],
    })
    expect(await stores.verifications.get(keyOf(command))).toEqual(moved?.verification as never)
    expect(moved?.verification.delivery).toEqual({ status: 'queued', detail: null })
    const [first, second] = await stores.deliveries.history(keyOf(command))
    expect(first).toMatchObject({ status: 'undeliverable', detail: 'stopped' })
    expect(second).toMatchObject({ id: fall.move.delivery.id, channel: 'webhook' })
    expect(await stores.deliveries.isOpen(command.delivery.id)).toBe(false)
    expect(await stores.deliveries.isOpen(fall.move.delivery.id)).toBe(true)
    const list = { appId: 'app', type: 'delivery.undeliverable', limit: 9, cursor: null } as const
    expect((await stores.events.list(list)).items).toMatchObject([{ data: { detail: 'stopped' } }])
  })

  test('with another channel behind it the next fall-back comes after the same wait', async () => {
    const stores = await open()
    const command = await started(stores, routed(person(), person()))
    const at = noon + 25_000
    const fall = { ...fallBackOf(command, at), move: move(at, 'webhook', true) }

    const moved = await stores.verifications.fallBack(fall)

    expect(moved?.verification.fallBackAt).toBe(at + 20_000)
  })

  test('a fall-back without a channel left changes nothing, and is not due again', async () => {
    const stores = await open()
    const command = await started(stores, routed(person(), person()))

    expect(await stores.verifications.fallBack({ ...fallBackOf(command), move: null })).toBeNull()

    expect(await stores.verifications.dueFallBacks({ now: noon + hourMs, limit: 9 })).toEqual([])
    expect(await statusesOf(stores, command)).toEqual(['email queued'])
  })

  test('an exhausted or expired verification does not fall back, and is not due again', async () => {
    const stores = await open()
    const exhausted = await started(stores, routed(person(), person(), { attemptsMax: 1 }))
    await stores.verifications.chargeAttempt(attempt(exhausted, false))
    const expired = await started(stores, routed(person(), person(), { ttlMs: 20_000 }))

    for (const command of [exhausted, expired]) {
      expect(await stores.verifications.fallBack(fallBackOf(command))).toBeNull()
      expect(await statusesOf(stores, command)).toEqual(['email queued'])
    }
    expect(await stores.verifications.dueFallBacks({ now: noon + hourMs, limit: 9 })).toEqual([])
  })

  test('a verification that was moved since its fall-back was read stays as it is', async () => {
    const stores = await open()
    const command = await started(stores, routed(person(), person()))
    const resend = { ...resendCommand(command, noon + 30_000), hasNext: true }
    await stores.verifications.claimResend(resend)

    expect(await stores.verifications.fallBack(fallBackOf(command, noon + 30_000))).toBeNull()

    const found = await stores.verifications.dueFallBacks({ now: noon + 50_000, limit: 9 })
    expect(found.map(({ fallBackAt }) => fallBackAt)).toEqual([noon + 50_000])
  })
}

function races(open: OpenStores): void {
  test('two hundred parallel fall-backs move a verification on once', async () => {
    const stores = await open()
    const command = await started(stores, routed(person(), person()))

    const moves = await Promise.all(
      times(200, () => stores.verifications.fallBack(fallBackOf(command))),
    )

    expect(moves.filter((each) => each !== null)).toHaveLength(1)
    expect(await statusesOf(stores, command)).toEqual(['email undeliverable', 'webhook queued'])
  })

  test('of fall-backs, checks, cancels and resends at once nothing is left open after an end', async () => {
    for (let round = 0; round < 10; round++) {
      const stores = await open()
      const { verifications } = stores
      const command = await started(stores, routed(person(), person()))
      const now = noon + 30_000
      const deeds: (() => Promise<unknown>)[] = [
        () => verifications.fallBack(fallBackOf(command, now)),
        () => verifications.cancel(cancelCommand(command, now)),
        () =>
          verifications.claimResend({ ...resendCommand(command, now), ...move(now, 'webhook') }),
        () => stores.deliveries.settle(settleCommand(command, { follow: move(now), now })),
      ]
      const check = () => verifications.chargeAttempt(attempt(command, true, { now }))
      if (round % 2 === 0) deeds.push(check)
      await Promise.all(times(200, (index) => deeds[(index + round) % deeds.length]?.()))

      expect(['approved', 'canceled']).toContain(
        (await verifications.get(keyOf(command)))?.status as string,
      )
      const statuses = await statusesOf(stores, command)
      expect(statuses.filter((each) => each.endsWith('queued'))).toEqual([])
      expect((await stores.deliveries.backlog()).waiting).toBe(0)
    }
  })
}

function follows(open: OpenStores): void {
  const refused = { status: 'refused', event: 'delivery.refused' } as const

  test('a message that follows another one is of its channel, and sets the next fall-back', async () => {
    const stores = await open()
    const command = await started(stores, routed(person(), person()))
    const follow = move(noon + 5_000, 'webhook', true)

    const isFollowed = await stores.deliveries.settle(
      settleCommand(command, { ...refused, follow, now: noon + 5_000 }),
    )

    expect(isFollowed).toBe(true)
    expect(await stores.verifications.get(keyOf(command))).toMatchObject({
      ...{ channel: 'webhook', fallBackAt: noon + 25_000, delivery: { status: 'queued' } },
    })
  })

  test('nothing follows a message that was not the latest, or whose verification is over', async () => {
    const stores = await open()
    const older = await started(stores, routed(person(), person()))
    await stores.verifications.claimResend(resendCommand(older, noon + 30_000))
    const over = await started(stores, routed(person(), person(), { attemptsMax: 1 }))
    await stores.verifications.chargeAttempt(attempt(over, false))

    for (const command of [older, over]) {
      const settle = settleCommand(command, { ...refused, follow: move(noon), now: noon + 30_000 })
      expect(await stores.deliveries.settle(settle)).toBe(false)
    }

    expect(await statusesOf(stores, older)).toEqual(['email refused', 'email queued'])
    expect(await statusesOf(stores, over)).toEqual(['email refused'])
  })

  test('of the tries of two nodes one queues the following message', async () => {
    const stores = await open()
    const command = await started(stores, routed(person(), person()))

    const results = await Promise.all(
      times(20, () =>
        stores.deliveries.settle(settleCommand(command, { ...refused, follow: move(noon + 1) })),
      ),
    )

    expect(results.filter(Boolean)).toHaveLength(1)
    expect(await statusesOf(stores, command)).toEqual(['email refused', 'webhook queued'])
  })

  const sent = { status: 'sent', event: 'delivery.sent' } as const
  const laters: Record<string, (stores: Stores, command: StartCommand) => Promise<unknown>> = {
    failed: ({ deliveries }, command) => {
      const report = { deliveryId: command.delivery.id, status: 'failed' } as const
      const events = { delivered: 'delivery.delivered', failed: 'delivery.failed' } as const
      return deliveries.report({
        ...{ appId: 'app', endpointId: 'endpoint', events, now: noon + 9, follow: move(noon + 9) },
        report: { ...report, cause: null, code: null, detail: null },
      })
    },
    bounced: ({ deliveries }, command) => {
      const { delivery } = settleCommand(command)
      const said = { detail: 'gone', cause: null, code: null, suppress: null } as const
      const event = 'delivery.bounced' as const
      return deliveries.bounce({ delivery, event, ...said, now: noon + 9, follow: move(noon + 9) })
    },
  }
  test.each(Object.keys(laters))(
    'a sent message that is reported as %s is followed once, while the code is wanted',
    async (later) => {
      const stores = await open()
      const wanted = await started(stores, routed(person(), person()))
      const approved = await started(stores, routed(person(), person()))
      for (const command of [wanted, approved]) {
        await stores.deliveries.settle(settleCommand(command, { ...sent, made: tryOf() }))
      }
      await stores.verifications.chargeAttempt(attempt(approved, true))

      for (const command of [wanted, wanted, approved]) await laters[later]?.(stores, command)

      expect(await statusesOf(stores, wanted)).toEqual([`email ${later}`, 'webhook queued'])
      expect(await statusesOf(stores, approved)).toHaveLength(1)
    },
  )

  test('a delivery is found by its id, by its own app only', async () => {
    const stores = await open()
    const { delivery } = await started(stores, startCommand())

    const found = await stores.deliveries.find({ appId: 'app', id: delivery.id })
    expect(found).toMatchObject({ id: delivery.id, channel: 'email', status: 'queued' })
    expect(await stores.deliveries.find({ appId: 'other', id: delivery.id })).toBeNull()
  })
}

function resends(open: OpenStores): void {
  test('a resend through another channel stops the message of the first', async () => {
    const stores = await open()
    const command = await started(stores, routed(person(), person()))
    const now = noon + 30_000
    const resend = { ...resendCommand(command, now), ...move(now) }

    const moved = await stores.verifications.claimResend(resend)

    expect(moved?.stopped).toEqual([command.delivery.id])
    expect(moved?.verification).toMatchObject({
      ...{ channel: 'webhook', resendsSpent: 1, fallBackAt: null },
    })
    expect(await statusesOf(stores, command)).toEqual(['email undeliverable', 'webhook queued'])
  })

  test('a resend through the same channel leaves the first message on its way', async () => {
    const stores = await open()
    const command = await started(stores, routed(person(), person()))
    const now = noon + 30_000

    const moved = await stores.verifications.claimResend({
      ...resendCommand(command, now),
      hasNext: true,
    })

    expect(moved?.stopped).toEqual([])
    expect(moved?.verification.fallBackAt).toBe(now + 20_000)
    expect(await statusesOf(stores, command)).toEqual(['email queued', 'email queued'])
  })
}
