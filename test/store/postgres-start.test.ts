import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { SQL } from 'bun'
import { dayMs } from '../../src/domain/verification/limits.ts'
import type { StartCommand, StartResult } from '../../src/domain/verification/stores.ts'
import { openPostgresStore, type PostgresStore } from '../../src/store/postgres/store.ts'
import { versioned } from '../../src/store/postgres/versioned.ts'
import { systemRandom, systemTimers } from '../../src/system.ts'
import { type Disturbed, proxyTo } from '../postgres/proxy.ts'
import { type PostgresServer, startPostgres } from '../postgres/server.ts'
import { bytes, newRecipient, newRequest, noon, startCommand, times } from '../support/commands.ts'
import { problemCode } from './files.ts'

setDefaultTimeout(60_000)

let server: PostgresServer
let disturbed: Disturbed
let database: SQL
let stores: PostgresStore[] = []

beforeAll(async () => {
  server = await startPostgres()
  disturbed = await proxyTo(server.port)
})
afterAll(async () => {
  await closeAll()
  await disturbed.close()
  await server.stop()
})

async function closeAll(): Promise<void> {
  await Promise.all(stores.map((store) => store.close()))
  await database?.close()
}

/** Three nodes over a new database, the first one by way of the proxy. */
async function openThree(): Promise<void> {
  await closeAll()
  const url = await server.create('otpmint')
  database = new SQL({ url: url.replace('otpmint@', 'postgres@'), max: 1 })
  const open = (by: string) => {
    const connect = () => new SQL({ url: by, max: 1, prepare: false, bigint: true })
    return openPostgresStore({ connect, timers: systemTimers, random: systemRandom, lanes: 4 })
  }
  stores = await Promise.all([url.replace(/:\d+\//, `:${disturbed.port}/`), url, url].map(open))
}

/** Starts each command on one of three nodes over a new database, all at once. */
async function startOnThree(commands: StartCommand[]): Promise<StartResult[]> {
  await openThree()
  return Promise.all(commands.map((command, index) => startOn(index % 3, command)))
}

function startOn(node: number, command: StartCommand): Promise<StartResult> {
  const store = stores[node]
  if (!store) throw new Error('no such node')
  return store.verifications.start(command)
}

const count = async (table: string): Promise<number> => {
  const [row] = await database.unsafe(`select count(*)::int as count from ${table}`)
  return row.count
}

const formatOf = (result: StartResult) =>
  result.outcome === 'started' ? result.verification.codeFormat : result.outcome

test('200 starts for one recipient on three nodes at once reserve exactly the guess budget', async () => {
  const options = { recipientKey: bytes(32), budget: [{ max: 25, windowMs: dayMs }] }
  const commands = times(200, (index) => startCommand({ ...options, now: noon + index }))

  const formats = (await startOnThree(commands)).map(formatOf)

  expect(formats.filter((format) => format === 'numeric').length).toBe(5)
  expect(formats.filter((format) => format === 'crockford').length).toBe(195)
  // Their chain leads through all of them: none was lost from it by a race.
  const [{ length }] = await database.unsafe(`
    with recursive chain as (
      select latest_id as id from limits where latest_id is not null
      union all
      select earlier_id from chain join verifications using (id) where earlier_id is not null)
    select count(*)::int as length from chain`)
  expect(length).toBe(200)
  expect(await count('events')).toBe(195)
})

test('one Idempotency-Key on three nodes at once is one verification and one answer', async () => {
  const idempotency = newRequest()
  // Each for another recipient, so that nothing but the key holds them apart.
  const commands = times(90, () => startCommand({ idempotency }))

  const results = await startOnThree(commands)

  expect(results.filter(({ outcome }) => outcome === 'started').length).toBe(1)
  expect(results.filter(({ outcome }) => outcome === 'replayed').length).toBe(89)
  const answers = results.map((result) => 'verification' in result && result.verification)
  expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1)
  expect([await count('verifications'), await count('deliveries')]).toEqual([1, 1])
  expect(await count('answers')).toBe(1)
})

test('Idempotency-Keys that are past their time are one verification each, on three nodes at once', async () => {
  await openThree()
  const old = times(30, () => newRequest())
  const first = old.map((idempotency) => startCommand({ idempotency }))
  await Promise.all(first.map((command, index) => startOn(index % 3, command)))
  const commands = old.flatMap((request) => {
    const idempotency = { ...request, fingerprint: bytes(32), since: noon }
    return times(3, () => startCommand({ now: noon + dayMs, idempotency }))
  })

  const results = await Promise.all(commands.map((command, index) => startOn(index % 3, command)))

  expect(results.filter(({ outcome }) => outcome === 'started').length).toBe(30)
  expect(results.filter(({ outcome }) => outcome === 'replayed').length).toBe(60)
  expect(await count('verifications')).toBe(60)
})

test('refused starts on three nodes at once leave nothing of their Idempotency-Key', async () => {
  await openThree()
  const idempotency = newRequest()
  const rates = [{ name: 'app_day', max: 1, windowMs: dayMs }] as const
  const full = { key: bytes(32), rates: [...rates] }
  await startOn(0, startCommand({ limits: [full] }))

  const results = await Promise.all(
    times(60, (index) => startOn(index % 3, startCommand({ idempotency, limits: [full] }))),
  )

  expect(results.filter(({ outcome }) => outcome === 'limited').length).toBe(60)
  expect(await count('answers')).toBe(0)
  expect((await startOn(1, startCommand({ idempotency }))).outcome).toBe('started')
})

test('1500 starts that share recipients and apps in every order never wait in a circle', async () => {
  const people = times(60, () => bytes(32))
  const apps = times(5, () => bytes(32))
  const rates = [{ name: 'app_day', max: 100_000, windowMs: dayMs }] as const
  const row = (key = bytes(32)) => ({ key, rates: [...rates] })
  const commands = times(1500, (index) => {
    const [own, across, other] = [7, 11, 13].map((step) => people[(index * step) % people.length])
    const further = newRecipient({ limits: [row(other)] })
    const route = [
      { channel: 'email', recipient: 0, endpointId: 'endpoint' },
      { channel: 'sms', recipient: 1, endpointId: 'other' },
    ] as const
    const command = startCommand({ limits: [row(apps[index % apps.length])] })
    const recipient = newRecipient({ limits: [row(own), row(across)] })
    return { ...command, recipients: [recipient, further], route: [...route] }
  })

  const results = await startOnThree(commands)

  expect(results.filter(({ outcome }) => outcome === 'started').length).toBe(1500)
  const [{ deadlocks }] = await database.unsafe(
    'select deadlocks::int from pg_stat_database where datname = current_database()',
  )
  expect(deadlocks).toBe(0)
  const [{ starts }] = await database.unsafe('select sum(starts)::int as starts from app_minutes')
  expect(starts).toBe(1500)
  expect(await count('verification_recipients')).toBe(1500)
})

test('a start whose answer is lost is unknown, and its Idempotency-Key then gives the answer', async () => {
  await openThree()
  const idempotency = newRequest()
  const command = startCommand({ idempotency })
  // The driver sends a statement before its values, and asks for their types.
  const cut = disturbed.cutAnswerTo(command.verification.id)

  const code = await problemCode(startOn(0, command))
  await cut
  const again = await startOn(1, startCommand({ idempotency }))

  expect(code).toBe('store_unavailable')
  expect(again).toMatchObject({
    outcome: 'replayed',
    verification: { id: command.verification.id },
  })
  expect(await count('verifications')).toBe(1)
})

test('a node that nobody hears any more holds no row of an app', async () => {
  await openThree()
  const app = { key: bytes(32), rates: [{ name: 'app_day' as const, max: 99, windowMs: dayMs }] }
  const start = (node: number) => startOn(node, startCommand({ limits: [app] }))
  const command = startCommand({ limits: [app] })
  const cut = disturbed.cutAnswerTo(command.verification.id)
  const lost = problemCode(startOn(0, command))
  await cut
  disturbed.block()

  // The role waits two seconds for a lock, and is then refused.
  const results = await Promise.all(times(20, (index) => start(1 + (index % 2))))
  disturbed.unblock()

  expect(results.filter(({ outcome }) => outcome === 'started').length).toBe(20)
  expect([await lost, await count('verifications')]).toEqual(['store_unavailable', 21])
})

test('an answer that names another verification is nobody’s', async () => {
  await openThree()
  const [{ arguments: list, result }] = await database.unsafe(
    `select pg_get_function_arguments(oid) as arguments, pg_get_function_result(oid) as result
    from pg_proc where proname = '${versioned('start_many__v')}'`,
  )
  await database.unsafe(`create or replace function ${versioned('start_many__v')}(${list})
    returns ${result} language sql as $$
      select number, 'another', 'started', null, null::bigint, 1::bigint, false, null
      from generate_series(1, 2::bigint) as number $$`)

  const codes = times(2, () => problemCode(startOn(1, startCommand())))
  expect(await Promise.all(codes)).toEqual(['store_unavailable', 'store_unavailable'])
})
