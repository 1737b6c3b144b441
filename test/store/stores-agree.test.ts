import { Database } from 'bun:sqlite'
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { SQL } from 'bun'
import fc from 'fast-check'
import { newTimedId } from '../../src/domain/id.ts'
import type { Random } from '../../src/domain/ports.ts'
import type { Stores } from '../../src/domain/stores.ts'
import { dayMs, hourMs, type LimitRow, type Rate } from '../../src/domain/verification/limits.ts'
import type { NewStop, StartCommand } from '../../src/domain/verification/stores.ts'
import { openPostgresStore, type PostgresStore } from '../../src/store/postgres/store.ts'
import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import { systemRandom, systemTimers } from '../../src/system.ts'
import { type PostgresServer, startPostgres } from '../postgres/server.ts'
import { attempt, cancelCommand, noon, startCommand, sweepCommand } from '../support/commands.ts'
import { newPath } from './files.ts'

setDefaultTimeout(300_000)

// A failure names its seed and path. With these it is run again, and looked for in a shorter sequence:
// AGREE_SEED=1 AGREE_PATH=2 bun test test/store/stores-agree.test.ts
const { AGREE_SEED, AGREE_PATH, AGREE_RUNS } = process.env
const replayed = {
  ...(AGREE_SEED && { seed: Number(AGREE_SEED) }),
  ...(AGREE_PATH && { path: AGREE_PATH }),
}

let server: PostgresServer
let postgres: PostgresStore
let raw: SQL

beforeAll(async () => {
  server = await startPostgres()
  const url = await server.create('otpmint')
  raw = new SQL({ url: url.replace('//otpmint@', '//postgres@'), max: 1, bigint: true })
  const connect = () => new SQL({ url, max: 1, prepare: false, bigint: true })
  postgres = await openPostgresStore({ connect, timers: systemTimers, random: systemRandom })
})
afterAll(async () => {
  await Promise.all([postgres.close(), raw.close()])
  await server.stop()
})

// What happens, as numbers and flags: the command is made of it when it is its turn.

const wait = fc.oneof(
  { weight: 12, arbitrary: fc.nat(2000) },
  { weight: 4, arbitrary: fc.constantFrom(30_000, 600_000, 600_001) },
  { weight: 1, arbitrary: fc.constantFrom(hourMs, dayMs) },
  // A clock that is set.
  { weight: 1, arbitrary: fc.constantFrom(-1, -hourMs, -5 * dayMs, 9 * dayMs, 40 * dayMs) },
)
const person = fc.nat(2)

const startShape = fc.record({
  people: fc.uniqueArray(person, { minLength: 1, maxLength: 3 }),
  /** Each of them has a channel; here are those who have another one behind, and who comes first. */
  seconds: fc.uniqueArray(fc.nat(2), { maxLength: 1 }),
  turned: fc.boolean(),
  app: fc.constantFrom(0, 0, 0, 1),
  mode: fc.constantFrom('live', 'live', 'live', 'live', 'test'),
  rates: fc.constantFrom(0, 0, 0, 1, 2, 2, 3),
  appMax: fc.constantFrom(3, 8, 1000),
  budget: fc.constantFrom(3, 5, 6, 8, 10, 25, 60),
  attemptsMax: fc.constantFrom(3, 5),
  ttlMs: fc.constantFrom(600_000, 3 * dayMs),
  long: fc.constantFrom('given', 'ask', 'none'),
  idempotency: fc.oneof(
    { weight: 4, arbitrary: fc.constant(null) },
    { weight: 1, arbitrary: fc.record({ key: fc.nat(2), fingerprint: fc.nat(1) }) },
  ),
  fallBackMs: fc.constantFrom(null, 60_000),
  checkDelaysMs: fc.constantFrom<(number[] | null)[]>(null, [0, 1000], [5000]),
  isLeased: fc.boolean(),
  isChosen: fc.boolean(),
  metadata: fc.constantFrom(null, { b: '1', a: '2' }, { é: '"' }),
})
type StartShape = typeof startShape extends fc.Arbitrary<infer Shape> ? Shape : never

const stepShape = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('starts' as const),
      starts: fc.array(startShape, { minLength: 1, maxLength: 5 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('check' as const),
      which: fc.nat(5),
      isRight: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cancel' as const), which: fc.nat(5) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('take' as const), person, rates: fc.nat(3) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('charge' as const),
      which: fc.nat(5),
      block: fc.nat(1),
      cost: fc.constantFrom(0, 3, 50),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('sweep' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('expire' as const) }) },
)
type Step = typeof stepShape extends fc.Arbitrary<infer Shape> ? Shape : never

const bytesOf = (text: string): Uint8Array => new Bun.CryptoHasher('sha256').update(text).digest()

/** Bytes that are the same in every run with these commands. */
function createRandom(): Random {
  let count = 0
  return {
    bytes(length) {
      const parts = Array.from({ length: Math.ceil(length / 32) }, () => bytesOf(`${count++}`))
      return new Uint8Array(Buffer.concat(parts).subarray(0, length))
    },
  }
}

const rateSets: Rate[][] = [
  [
    { name: 'recipient_spacing', max: 1, windowMs: 30_000 },
    { name: 'recipient_quarter_hour', max: 3, windowMs: 900_000 },
    { name: 'recipient_day', max: 7, windowMs: dayMs },
  ],
  [{ name: 'recipient_day', max: 3, windowMs: 86_399_999 }],
  [{ name: 'recipient_day', max: 1000, windowMs: dayMs }],
  [],
]
const across: Rate[] = [{ name: 'recipient_day', max: 9, windowMs: dayMs }]
const channels = ['email', 'sms', 'whatsapp', 'telegram'] as const

const ownKey = (shape: StartShape, one: number) => bytesOf(`${shape.app} ${shape.mode} ${one}`)

function commandOf(shape: StartShape, now: number, random: Random): StartCommand {
  const { people, seconds, turned, mode, rates, appMax, budget, idempotency, isLeased, isChosen } =
    shape
  const { attemptsMax, ttlMs, fallBackMs, checkDelaysMs, metadata } = shape
  const code = (format: 'numeric' | 'crockford') => {
    const isLong = format === 'crockford'
    const lengths = isLong ? { length: 13, generation: 1 } : { length: 6, generation: 0 }
    return { format, ...lengths, digest: random.bytes(32) }
  }
  const row = (key: string | Uint8Array, of: Rate[]): LimitRow => {
    return { key: typeof key === 'string' ? bytesOf(key) : key, rates: of }
  }
  const places = [...people.keys(), ...seconds.map((second) => second % people.length)]
  const stops = (turned ? places.reverse() : places).map((recipient, index): NewStop => {
    const stop = { channel: channels[index] ?? 'email', recipient }
    const endpointId = index === 3 ? null : `endpoint ${index}`
    return { ...stop, endpointId, ...(isChosen && { chosen: { explored: true } as never }) }
  })
  const app = [
    { name: 'app_minute', max: appMax, windowMs: 60_000 },
    { name: 'app_day', max: appMax * 5, windowMs: dayMs },
  ] as const
  const made = startCommand({ now, mode, attemptsMax, ttlMs, metadata, fallBackMs, checkDelaysMs })
  return {
    ...made,
    verification: { ...made.verification, id: newTimedId(random, now), appId: `app ${shape.app}` },
    recipients: people.map((one) => ({
      index: bytesOf(`index ${one}`),
      masked: `${one}***@example.com`,
      sealed: random.bytes(40),
      limits: [
        row(ownKey(shape, one), rateSets[rates] ?? []),
        ...(mode === 'live' ? [row(`across ${one}`, across)] : []),
      ],
    })),
    route: stops,
    short: code('numeric'),
    long: shape.long === 'given' ? code('crockford') : shape.long === 'ask' ? 'ask' : null,
    limits: [row(`app ${shape.app} ${mode}`, [...app])],
    budget: [
      { max: budget, windowMs: dayMs },
      { max: budget * 2, windowMs: 30 * dayMs },
    ],
    delivery: {
      id: newTimedId(random, now),
      createdAt: now,
      lease: isLeased ? { node: 'a', until: now + 90_000 } : null,
    },
    idempotency: idempotency && {
      key: bytesOf(`key ${idempotency.key}`),
      fingerprint: bytesOf(`fingerprint ${idempotency.fingerprint}`),
      since: now - dayMs,
    },
  }
}

/**
 * Those that may be in one batch, in the order in which it decides: no two with the same recipient or
 * Idempotency-Key.
 */
function batchOf(shapes: StartShape[], now: number, random: Random): StartCommand[] {
  const taken = new Set<string>()
  const fitting = shapes.filter((shape) => {
    const { people, idempotency } = shape
    const names = [
      ...people.map((one) => `person ${one}`),
      ...(idempotency ? [idempotency.key] : []),
    ]
    const isFree = names.every((name) => !taken.has(`${name}`))
    if (isFree) for (const name of names) taken.add(`${name}`)
    return isFree
  })
  const commands = fitting.map((shape) => commandOf(shape, now, random))
  const keyOf = ({ recipients: [first] }: StartCommand) =>
    Buffer.from(first?.limits[0]?.key ?? []).toString('hex')
  return commands.sort((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1))
}

/** Makes what a step does, the same for each store. */
function createSteps(random: Random) {
  const started: StartCommand[] = []

  return (step: Step, now: number): ((stores: Stores) => Promise<unknown>) => {
    if (step.kind === 'starts') {
      const commands = batchOf(step.starts, now, random)
      started.push(...commands)
      return ({ verifications }) => Promise.all(commands.map(verifications.start))
    }
    if (step.kind === 'take') {
      const key = bytesOf(`across ${step.person}`)
      const rates = rateSets[step.rates % 3] ?? []
      return ({ limits }) => limits.take({ key, rates }, now)
    }
    if (step.kind === 'expire') {
      // All messages end first: those of codes that a clock which was ahead has let be forgotten are
      // ended by one store with the others, and by the other store at their own time.
      const end = now + 100 * dayMs
      const overdue = { now: end, limit: 10_000, event: 'delivery.undeliverable' } as const
      return async ({ verifications, deliveries }) => [
        await deliveries.expire(overdue),
        await verifications.expirePending({ now, event: 'verification.expired' }),
      ]
    }
    if (step.kind === 'sweep') {
      // The partition of a day is swept as a whole.
      const verificationsBefore = Math.floor((now - 7 * dayMs) / dayMs) * dayMs
      const kept = { failuresBefore: now - 31 * dayMs, idempotencyBefore: now - dayMs }
      const command = sweepCommand(now, { verificationsBefore, ...kept, limit: 10_000 })
      return async ({ maintenance }) => {
        for (let calls = 0; (await maintenance.sweep(command)).rows > 0; calls++) {
          if (calls > 100) throw new Error('the sweep does not end')
        }
      }
    }
    const command = started.at(-1 - step.which)
    if (!command) return async () => null
    if (step.kind === 'cancel') {
      return ({ verifications }) => verifications.cancel(cancelCommand(command, now))
    }
    const { id: verificationId, appId, mode } = command.verification
    if (step.kind === 'check') {
      const judged = attempt(command, step.isRight, { now })
      return ({ verifications }) => verifications.chargeAttempt(judged)
    }
    const rates: Rate[] = [{ name: 'phone_prefix', max: 4, windowMs: hourMs }]
    const limits = [{ key: bytesOf(`block ${step.block}`), rates }]
    const day = Math.floor(now / dayMs)
    const charge = { appId, mode, verificationId, country: 'DE', cost: step.cost, costMax: 100 }
    return ({ spending }) => spending.charge({ ...charge, limits, day, now })
  }
}

/** Every table that these steps write, each with the order of its rows. */
const tables: Record<string, string> = {
  // A row that is locked before it is decided that nothing is taken stays, and is swept.
  'limits where kept_until > 0': 'key',
  verifications: 'id',
  verification_recipients: 'verification_id, number',
  deliveries: 'id',
  answers: 'key',
  guess_failures: 'recipient_key, hour',
  app_costs: 'app_id, day',
  app_countries: 'app_id, country, slot',
  '(select at, app_id, type, verification_id, data from events) as told':
    "at, type, coalesce(verification_id, ''), app_id",
  [`(select app_id, minute, ${['starts', 'checks', 'failures', 'approvals', 'cancels']
    .map((name) => `cast(sum(${name}) as bigint) as ${name}`)
    .join(', ')} from app_minutes group by app_id, minute) as counted`]: 'app_id, minute',
}

/** A row in the same form from both; JSON of events may be spaced differently. */
const plain = (row: object) =>
  Object.fromEntries(
    Object.entries(row).map(([name, value]) => {
      if (name === 'data') return [name, JSON.parse(value)]
      if (typeof value === 'bigint') return [name, Number(value)]
      return [name, value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value]
    }),
  )

async function expectEqualRows(sqlite: Database): Promise<void> {
  for (const [table, order] of Object.entries(tables)) {
    const text = `select * from ${table} order by ${order}`
    const ours = await raw.unsafe(text)
    const theirs = sqlite.query<object, []>(text).all()
    expect([table, ...ours.map(plain)]).toEqual([table, ...theirs.map(plain)])
  }
}

async function empty(): Promise<void> {
  const names = Object.keys(tables).map((table) => /^\w+|(?<=from )\w+/.exec(table)?.[0])
  await raw.unsafe(names.map((name) => `delete from ${name}`).join('; '))
}

test('SQLite and PostgreSQL answer the same to the same commands, and hold the same rows', async () => {
  const steps = fc.array(fc.tuple(wait, stepShape), { minLength: 10, maxLength: 30, size: 'max' })
  const run = async (sequence: [number, Step][]) => {
    await empty()
    const path = newPath()
    const sqlite = await openSqliteStore({ path, timers: systemTimers })
    const rows = new Database(path, { readonly: true })
    try {
      const make = createSteps(createRandom())
      let now = noon
      for (const [waitMs, step] of sequence) {
        now += waitMs
        const act = make(step, now)
        const expected = await act(sqlite)
        expect([step, await act(postgres)]).toEqual([step, expected])
        if (AGREE_PATH) await expectEqualRows(rows)
      }
      await expectEqualRows(rows)
    } finally {
      rows.close()
      await sqlite.close()
    }
  }
  await fc.assert(fc.asyncProperty(steps, run), {
    numRuns: Number(AGREE_RUNS ?? 25),
    ...replayed,
    endOnFailure: AGREE_PATH === undefined,
  })
})
