import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { SQL } from 'bun'
import { dayMs } from '../../src/domain/verification/limits.ts'
import { openPostgresStore } from '../../src/store/postgres/store.ts'
import { systemRandom, systemTimers } from '../../src/system.ts'
import { type PostgresServer, startPostgres } from '../postgres/server.ts'
import { startStandby, withStandby } from '../postgres/standby.ts'
import { noon, sweepCommand } from '../support/commands.ts'

setDefaultTimeout(60_000)

let server: PostgresServer
const closing: (() => Promise<void>)[] = []

beforeAll(async () => {
  server = await startPostgres({ settings: withStandby })
})
afterAll(async () => {
  await Promise.all(closing.map((close) => close()))
  await server.stop()
})

/** A store whose steady clock stands still, after the superuser has changed the database. */
async function opened(change: (name: string) => string = () => 'select 1') {
  const url = await server.create('otpmint')
  const name = new URL(url).pathname.slice(1)
  const admin = new SQL({ url: server.url(name), max: 1 })
  closing.push(() => admin.close())
  await admin.unsafe(change(name))
  return { url, name, admin, ...(await open(url)) }
}

async function open(url: string) {
  const clock = { monotonic: 0 }
  const connect = () => new SQL({ url, max: 1, prepare: false, bigint: true })
  const timers = { ...systemTimers, monotonic: () => clock.monotonic }
  const store = await openPostgresStore({ connect, timers, random: systemRandom })
  closing.push(store.close)
  return { clock, maintenance: store.maintenance }
}

test('the turn of a node that is silent is free, that of one which gave a sign of life is not', async () => {
  const { maintenance, admin } = await opened()
  const take = (node: string, now: number) =>
    maintenance.takeTurn({ job: 'bot', node, now, until: now + 90_000 })
  expect(await take('a', noon)).toBe(true)
  await admin.unsafe(`insert into nodes (id, seen_at, keyset_version, schema_version)
    values ('a', ${noon}, 1, 1)`)

  expect(await take('b', noon + 13_000)).toBe(false)
  expect(await take('b', noon + 13_001)).toBe(true)
})

const unavailable = { code: 'store_unavailable' }

test('readiness is a write, of which there is at most one a second', async () => {
  const { admin, maintenance, clock } = await opened()
  const written = async () => {
    const rows = await admin`select encode(value, 'hex') as value from meta where name ~ '^ready '`
    return rows.map(({ value }: { value: string }) => value)
  }
  await maintenance.ready()
  const first = await written()
  expect(first).toHaveLength(1)
  clock.monotonic = 999
  await maintenance.ready()
  expect(await written()).toEqual(first)
  clock.monotonic = 1000
  await maintenance.ready()
  expect(await written()).not.toEqual(first)
  expect(await written()).toHaveLength(1)
})

test('a database that takes no writes is not ready, and says why, until it takes them', async () => {
  const readOnly = (name: string) => `alter database ${name} set default_transaction_read_only = on`
  const { url, name, maintenance } = await opened(readOnly)
  await expect(maintenance.ready()).rejects.toMatchObject(unavailable)
  expect(await maintenance.faults()).toEqual([
    'the database: it takes no writes: see default_transaction_read_only',
  ])

  await server.admin.unsafe(`alter database ${name} reset default_transaction_read_only`)
  const again = await open(url)
  await again.maintenance.ready()
  expect(await again.maintenance.faults()).toEqual([])
})

test('a standby is not ready and says what it is', async () => {
  const { name } = await opened()
  const standby = await startStandby(server)
  closing.push(standby.stop)
  await standby.catchUp()
  const { maintenance } = await open(standby.url(name, 'otpmint'))

  await expect(maintenance.ready()).rejects.toMatchObject(unavailable)
  expect(await maintenance.faults()).toEqual([
    'the database: it is a standby, which takes no writes: connect to the primary',
  ])
})

test('a schema that is too old, and commits that a crash loses, are faults', async () => {
  const { maintenance } = await opened(
    (name) => `delete from schema_version; alter database ${name} set synchronous_commit = off`,
  )
  expect(await maintenance.faults()).toEqual([
    'the database: its schema has version 0, not 1: run otpmint migrate',
    'the database: a crash loses what was acknowledged: set synchronous_commit to on',
  ])
})

test('a partition that was not made for tomorrow is a fault', async () => {
  const { maintenance, admin } = await opened()
  await maintenance.sweep(sweepCommand(Date.now()))
  expect(await maintenance.faults()).toEqual([])

  const date = new Date(Date.now() + dayMs).toISOString().slice(0, 10)
  await admin.unsafe(`drop table deliveries_${date.replaceAll('-', '')}`)
  expect(await maintenance.faults()).toEqual([
    `the database: deliveries has no partition for ${date}: let a server run, which makes it`,
  ])
})
