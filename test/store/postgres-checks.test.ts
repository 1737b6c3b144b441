import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { SQL } from 'bun'
import type { AttemptCommand, AttemptResult } from '../../src/domain/verification/stores.ts'
import { openPostgresStore, type PostgresStore } from '../../src/store/postgres/store.ts'
import { versioned } from '../../src/store/postgres/versioned.ts'
import { systemRandom, systemTimers } from '../../src/system.ts'
import { type PostgresServer, startPostgres } from '../postgres/server.ts'
import {
  addPlainApp,
  appKey,
  attempt,
  bytes,
  keyOf,
  minuteMs,
  newRequest,
  noon,
  plainApp,
  startCommand,
  times,
  webhook,
  withAudit,
} from '../support/commands.ts'
import { eventually } from '../support/executable.ts'

setDefaultTimeout(60_000)

let server: PostgresServer
let nodes: PostgresStore[] = []
/** The superuser's connection to their database. */
let admin: SQL

beforeAll(async () => {
  server = await startPostgres()
})
afterAll(async () => {
  await closeAll()
  await server.stop()
})

async function closeAll(): Promise<void> {
  await Promise.all(nodes.map((node) => node.close()))
  await admin?.close()
}

/** Three nodes over a new database; answers the first one. */
async function openThree(): Promise<PostgresStore> {
  await closeAll()
  const url = await server.create()
  admin = new SQL({ url: url.replace('otpmint@', 'postgres@'), max: 1 })
  const connect = () => new SQL({ url, max: 1, prepare: false, bigint: true })
  const options = { connect, timers: systemTimers, random: systemRandom, lanes: 4 }
  nodes = await Promise.all(times(3, () => openPostgresStore(options)))
  return nodeAt(0)
}

function nodeAt(index: number): PostgresStore {
  const node = nodes[index % nodes.length]
  if (!node) throw new Error('there is no node')
  return node
}

/** Each check on the next node, all at once. */
function checkAll(commands: AttemptCommand[]): Promise<AttemptResult[]> {
  return Promise.all(
    commands.map((command, index) => nodeAt(index).verifications.chargeAttempt(command)),
  )
}

const judged = (results: AttemptResult[]) => results.filter(({ outcome }) => outcome === 'judged')

async function count(rows: string): Promise<number> {
  const [row] = await admin.unsafe(`select count(*)::int as count from ${rows}`)
  return row.count
}

async function statsOf(appId: string) {
  const query = { appId, from: noon, to: noon + minuteMs, bucketMs: minuteMs }
  const [row] = await nodeAt(0).stats.read(query)
  return row && { checks: row.checks, failures: row.failures, approvals: row.approvals }
}

test('500 parallel guesses on three nodes are judged as often as attempts are allowed', async () => {
  const command = startCommand({ attemptsMax: 7 })
  await (await openThree()).verifications.start(command)

  const results = await checkAll(times(500, () => attempt(command, false)))

  expect(judged(results).length).toBe(7)
  const exhausted = { outcome: 'refused', verification: { attemptsSpent: 7 } }
  for (const result of results)
    if (result.outcome !== 'judged') expect(result).toMatchObject(exhausted)
  expect(await count("events where type = 'verification.exhausted'")).toBe(1)
  expect(await statsOf('app')).toEqual({ checks: 7, failures: 7, approvals: 0 })
})

test('of 200 parallel right codes on three nodes one is approved', async () => {
  const command = startCommand()
  await (await openThree()).verifications.start(command)

  const results = await checkAll(times(200, () => attempt(command, true)))

  const approved = { status: 'approved', attemptsSpent: 1 }
  expect(judged(results)).toMatchObject([{ verification: approved }])
  for (const result of results) expect(result).toMatchObject({ verification: approved })
  expect(await count("events where type = 'verification.approved'")).toBe(1)
  expect(await count('deliveries where due_at is not null')).toBe(0)
  expect(await statsOf('app')).toEqual({ checks: 1, failures: 0, approvals: 1 })
})

test('one Idempotency-Key on three nodes at once spends one attempt and has one answer', async () => {
  const command = startCommand()
  await (await openThree()).verifications.start(command)
  const check = attempt(command, false, { idempotency: newRequest() })

  const results = await checkAll(times(90, () => check))

  expect(judged(results).length).toBe(1)
  expect(results.filter(({ outcome }) => outcome === 'replayed').length).toBe(89)
  const answers = results.map((result) => 'verification' in result && result.verification)
  expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1)
  expect(await nodeAt(1).verifications.get(keyOf(command))).toMatchObject({ attemptsSpent: 1 })
})

test('a check for an app that has changed since its caller was found does nothing', async () => {
  const stores = await openThree()
  const { id: appId } = await addPlainApp(stores)
  const [key, hash] = [appKey(appId), bytes(32)]
  await withAudit(stores, (append) => stores.apps.addKey({ key, hash, activeMax: 1 }, append))
  const [mine, foreign] = [startCommand({ appId }), startCommand({ now: noon + 1 })]
  for (const command of [mine, foreign]) await stores.verifications.start(command)
  const recalled = async () => {
    const found = await stores.apps.recallByKey(hash)
    return found?.asOf ?? 0
  }
  const asOf = await recalled()
  const answered = attempt(mine, false, { asOf, idempotency: newRequest() })
  expect(await checkAll([answered])).toMatchObject([{ outcome: 'judged' }])

  // Another node than the one that has it in memory.
  const revoke = { appId, keyId: key.id, now: noon + 1 }
  const other = nodeAt(1)
  await withAudit(other, (append) => other.apps.revokeKey(revoke, append))

  expect(await recalled()).toBe(asOf)
  const charge = stores.verifications.chargeAttempt
  const results = await Promise.all([
    charge(attempt(mine, true, { asOf })),
    charge(answered),
    charge(attempt(foreign, false)),
    charge(attempt(foreign, false, { asOf: 1 })),
  ])
  expect(results.map(({ outcome }) => outcome)).toEqual([
    'app_changed',
    'app_changed',
    'judged',
    'app_changed',
  ])
  expect(await stores.verifications.get(keyOf(mine))).toMatchObject({
    ...{ status: 'pending', attemptsSpent: 1 },
  })
  expect(await statsOf(appId)).toEqual({ checks: 1, failures: 1, approvals: 0 })
  expect(await stores.apps.findByKey(hash)).toBeNull()
  expect(await stores.apps.recallByKey(hash)).toBeNull()
})

test('webhooks are told once of an approval and of an exhaustion, whatever the nodes', async () => {
  const { apps, audit, verifications } = await openThree()
  const { id: appId } = await addPlainApp({ apps, audit }, plainApp({ webhooks: [webhook()] }))
  const [right, wrong] = [startCommand({ appId }), startCommand({ appId, now: noon + 1 })]
  for (const command of [right, wrong]) await verifications.start(command)

  const results = await checkAll(
    times(200, (index) => attempt(index % 2 ? right : wrong, index % 2 === 1)),
  )

  expect(judged(results).length).toBe(1 + wrong.verification.attemptsMax)
  for (const type of ['verification.approved', 'verification.exhausted']) {
    expect([await count(`events where type = '${type}'`)]).toEqual([1])
    expect([await count(`webhook_messages where type = '${type}'`)]).toEqual([1])
  }
  expect(await statsOf(appId)).toEqual({ checks: 6, failures: 5, approvals: 1 })
})

test('checks of the same verifications in every order never wait in a circle', async () => {
  const { verifications } = await openThree()
  const commands = times(60, (index) => startCommand({ now: noon + index, attemptsMax: 100 }))
  await Promise.all(commands.map(verifications.start))
  // Each node meets them in another order.
  const guesses = times(3000, (index) => {
    const step = [7, 11, 13][index % 3] ?? 1
    const command = commands[(Math.floor(index / 3) * step) % commands.length] ?? startCommand()
    return attempt(command, false, { idempotency: index % 5 === 0 ? newRequest() : null })
  })

  const results = await checkAll(guesses)

  expect(judged(results).length).toBe(3000)
  // What connections have counted is there once they have ended.
  await Promise.all(nodes.splice(0).map((node) => node.close()))
  await eventually(
    async () => (await count('pg_stat_activity where datname = current_database()')) === 1,
  )
  const [{ deadlocks }] = await admin.unsafe(
    'select deadlocks::int from pg_stat_database where datname = current_database()',
  )
  expect(deadlocks).toBe(0)
})

test('a check that has waited for another one is refused with what that one left', async () => {
  const { verifications } = await openThree()
  const command = startCommand({ attemptsMax: 5 })
  await verifications.start(command)

  const result = await admin.begin(async (other) => {
    await other.unsafe('update verifications set attempts_spent = 5')
    const check = verifications.chargeAttempt(attempt(command, false))
    await isWaiting(other)
    return { check }
  })

  expect(await result.check).toMatchObject({
    outcome: 'refused',
    verification: { attemptsSpent: 5 },
  })
})

test('an approval ends the delivery of a resend that it has waited for', async () => {
  const { verifications } = await openThree()
  const command = startCommand()
  await verifications.start(command)

  const result = await admin.begin(async (resend) => {
    await resend.unsafe('update verifications set resends_spent = 1')
    await resend.unsafe(`
      insert into deliveries select (jsonb_populate_record(deliveries, '{"id": "resent"}')).*
      from deliveries`)
    const check = verifications.chargeAttempt(attempt(command, true))
    await isWaiting(resend)
    return { check }
  })

  expect(await result.check).toMatchObject({ outcome: 'judged' })
  expect(await count('deliveries')).toBe(2)
  expect(await count('deliveries where due_at is not null')).toBe(0)
})

/** Resolves once a check waits for a row that this transaction has locked. */
async function isWaiting(transaction: SQL): Promise<void> {
  await eventually(async () => {
    const [row] = await transaction.unsafe(`select count(*)::int as count from pg_stat_activity
      where wait_event_type = 'Lock' and datname = current_database()`)
    return row.count > 0
  })
}

test('a wrong code changes no index', async () => {
  const { verifications } = await openThree()
  const command = startCommand({ attemptsMax: 5, checkDelaysMs: [0, 0, 0, 0, 0] })
  await verifications.start(command)

  for (let index = 0; index < 5; index++) await verifications.chargeAttempt(attempt(command, false))

  // What connections have counted is there once they have ended.
  await Promise.all(nodes.splice(0).map((node) => node.close()))
  const updates = async () => {
    const [row] = await admin.unsafe(`select n_tup_upd::int as all, n_tup_hot_upd::int as hot
      from pg_stat_user_tables where relname = 'verifications_default'`)
    return row
  }
  await eventually(async () => (await updates()).all === 5)
  expect(await updates()).toEqual({ all: 5, hot: 5 })
})

test('an answer of another verification is not believed', async () => {
  const { verifications } = await openThree()
  const [one, other] = [startCommand(), startCommand({ now: noon + 1 })]
  for (const command of [one, other]) await verifications.start(command)
  const [{ id }] = await admin.unsafe('select max(id) as id from verifications')
  await admin.unsafe(
    versioned(`
      alter function check_many__v rename to check_many_really;
      create function check_many__v(jsonb, bigint, bigint) returns table (number bigint,
        outcome text, kept_answer text, kept_at bigint, verification verifications)
      language sql as $$
        select number, outcome, kept_answer, kept_at,
          (select stored from verifications as stored where id = '${id}')
        from check_many_really($1, $2, $3)
      $$`),
  )

  await expect(verifications.chargeAttempt(attempt(one, true))).rejects.toMatchObject({
    code: 'store_unavailable',
  })
  expect(await verifications.chargeAttempt(attempt(other, false))).toMatchObject({
    outcome: 'judged',
  })
})

test('expirePending ends more than one transaction takes', async () => {
  const { verifications } = await openThree()
  const commands = times(1001, (index) => startCommand({ now: noon + index }))
  await Promise.all(commands.map(verifications.start))

  const command = { now: noon + 2000, event: 'verification.expired' } as const
  expect(await verifications.expirePending(command)).toBe(1001)
  expect(await count("events where type = 'verification.expired'")).toBe(1001)
  expect(await count('verifications where code_digest is not null')).toBe(0)
  expect(await count('deliveries where due_at is not null')).toBe(0)
})

test('expirePending goes on where those that it has found were ended by others meanwhile', async () => {
  const { verifications } = await openThree()
  const commands = times(501, (index) => startCommand({ now: noon + index }))
  await Promise.all(commands.map(verifications.start))

  const result = await admin.begin(async (other) => {
    await other.unsafe(`update verifications set code_digest = null, status = 'canceled'
      where id in (select id from verifications order by id limit 500)`)
    const expired = verifications.expirePending({ now: noon + 600, event: 'verification.expired' })
    await isWaiting(other)
    return { expired }
  })

  expect(await result.expired).toBe(1)
})
