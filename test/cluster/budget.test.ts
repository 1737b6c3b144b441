import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { SQL } from 'bun'
import type { Charge } from '../../src/domain/delivery/spending.ts'
import { dayMs, hourMs } from '../../src/domain/verification/limits.ts'
import { openPostgresStore, type PostgresStore } from '../../src/store/postgres/store.ts'
import { systemRandom, systemTimers } from '../../src/system.ts'
import { type PgBouncer, startPgBouncer } from '../postgres/pgbouncer.ts'
import { type PostgresServer, startPostgres } from '../postgres/server.ts'
import { bytes, noon, startCommand, times } from '../support/commands.ts'

setDefaultTimeout(60_000)

let server: PostgresServer
let bouncer: PgBouncer
let stores: PostgresStore[]

beforeAll(async () => {
  server = await startPostgres()
  bouncer = await startPgBouncer(server.port)
  const url = bouncer.through(await server.create())
  const connect = () => new SQL({ url, max: 1, prepare: false, bigint: true })
  stores = await Promise.all(
    times(3, () => openPostgresStore({ connect, timers: systemTimers, random: systemRandom })),
  )
})
afterAll(async () => {
  await Promise.all(stores.map((store) => store.close()))
  await bouncer.stop()
  await server.stop()
})

/** The store of a node; calls with following numbers go to different nodes. */
const nodeOf = (index: number) => stores[index % stores.length] as PostgresStore

test('200 starts at once over three nodes get as many short codes as fit the guess budget', async () => {
  const options = { recipientKey: bytes(32), budget: [{ max: 25, windowMs: dayMs }] }
  const started = await Promise.all(
    times(200, (index) =>
      nodeOf(index).verifications.start(startCommand({ ...options, now: noon + index })),
    ),
  )

  const formats = started.map((result) =>
    result.outcome === 'started' ? result.verification.codeFormat : result.outcome,
  )
  expect(formats.filter((format) => format === 'numeric').length).toBe(5)
  expect(formats.filter((format) => format === 'crockford').length).toBe(195)
})

function chargeOf(change: Partial<Charge>): Charge {
  return {
    ...{ appId: 'app', mode: 'live', verificationId: 'none', limits: [], country: null },
    ...{ cost: 0, costMax: 1_000, day: Math.floor(noon / dayMs), now: noon },
    ...change,
  }
}

test('300 hand-overs at once over three nodes spend what a day allows, and not one unit more', async () => {
  const appId = 'costly'
  const charged = await Promise.all(
    times(300, (index) => nodeOf(index).spending.charge(chargeOf({ appId, cost: 7 }))),
  )

  const count = charged.filter(({ outcome }) => outcome === 'charged').length
  expect([count, count * 7]).toEqual([142, 994])
  const rest = await Promise.all(
    times(30, (index) => nodeOf(index).spending.charge(chargeOf({ appId, cost: 1 }))),
  )
  expect(rest.filter(({ outcome }) => outcome === 'charged')).toHaveLength(6)
})

test('what nodes give back while others charge is spent again, and never beyond what a day allows', async () => {
  const [appId, costMax, day] = ['returning', 100, Math.floor(noon / dayMs)]
  // What has been answered as charged and is not being given back: at every moment the database counts
  // at least that.
  let spent = 0
  let most = 0
  const handOver = async (index: number): Promise<void> => {
    const cost = 1 + (index % 9)
    const command = chargeOf({ appId, cost, costMax })
    const { outcome } = await nodeOf(index).spending.charge(command)
    if (outcome !== 'charged') return
    spent += cost
    most = Math.max(most, spent)
    if (index % 4 === 0) return
    spent -= cost
    await nodeOf(index + 1).spending.giveBack({ appId, day, cost })
  }
  await Promise.all(
    times(20, (turn) =>
      inTurn(
        times(20, (step) => turn + step * 20),
        handOver,
      ),
    ),
  )

  expect(most).toBeLessThanOrEqual(costMax)
  // What is left is as much as was never spent or was given back.
  const left = await Promise.all(
    times(150, (index) => nodeOf(index).spending.charge(chargeOf({ appId, cost: 1, costMax }))),
  )
  expect(left.filter(({ outcome }) => outcome === 'charged')).toHaveLength(costMax - spent)
})

async function inTurn(numbers: number[], work: (index: number) => Promise<void>): Promise<void> {
  for (const number of numbers) await work(number)
}

test('200 hand-overs at once over three nodes get as many messages as a block of numbers may have', async () => {
  const appId = 'pumped'
  const limits = [
    { key: bytes(32), rates: [{ name: 'phone_prefix', max: 30, windowMs: hourMs } as const] },
    { key: bytes(32), rates: [{ name: 'phone_country', max: 50, windowMs: hourMs } as const] },
  ]
  const charged = await Promise.all(
    times(200, (index) => nodeOf(index).spending.charge(chargeOf({ appId, cost: 7, limits }))),
  )

  expect(charged.filter(({ outcome }) => outcome === 'charged')).toHaveLength(30)
  // The refused ones have taken neither cost nor the country's limit.
  const all = chargeOf({ appId, cost: 1_000 - 30 * 7, limits: limits.slice(1) })
  expect((await nodeOf(0).spending.charge(all)).outcome).toBe('charged')
  const free = chargeOf({ appId, limits: limits.slice(1) })
  const others = await Promise.all(times(50, (index) => nodeOf(index).spending.charge(free)))
  expect(others.filter(({ outcome }) => outcome === 'charged')).toHaveLength(19)
})
