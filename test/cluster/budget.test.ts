import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { SQL } from 'bun'
import { dayMs } from '../../src/domain/verification/limits.ts'
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

test('200 starts at once over three nodes get as many short codes as fit the guess budget', async () => {
  const options = { recipientKey: bytes(32), budget: [{ max: 25, windowMs: dayMs }] }
  const started = await Promise.all(
    times(200, (index) =>
      stores[index % 3]?.verifications.start(startCommand({ ...options, now: noon + index })),
    ),
  )

  const formats = started.map((result) =>
    result?.outcome === 'started' ? result.verification.codeFormat : result?.outcome,
  )
  expect(formats.filter((format) => format === 'numeric').length).toBe(5)
  expect(formats.filter((format) => format === 'crockford').length).toBe(195)
})
