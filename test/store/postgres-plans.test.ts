import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { SQL } from 'bun'
import type { StartCommand } from '../../src/domain/verification/stores.ts'
import { openPostgresStore, type PostgresStore } from '../../src/store/postgres/store.ts'
import { versioned } from '../../src/store/postgres/versioned.ts'
import { systemRandom, systemTimers } from '../../src/system.ts'
import { type PostgresServer, startPostgres } from '../postgres/server.ts'
import { attempt, bytes, noon, startCommand, times } from '../support/commands.ts'
import { eventually } from '../support/executable.ts'

// Functions keep their plans as long as their connection lives, or until there are new statistics. So
// there are none here: a new database has to be fast before its first `analyze`.

setDefaultTimeout(60_000)

let server: PostgresServer

beforeAll(async () => {
  server = await startPostgres({ settings: { autovacuum: 'off' } })
})
afterAll(() => server.stop())

function open(url: string): Promise<PostgresStore> {
  const connect = () => new SQL({ url, max: 1, prepare: false, bigint: true })
  return openPostgresStore({ connect, timers: systemTimers, random: systemRandom, lanes: 1 })
}

test('a check that was planned on an empty database reads as little when it is full', async () => {
  const url = await server.create()
  const { verifications, close } = await open(url)
  const connect = () => new SQL({ url, max: 1, prepare: false })
  const [early, late] = [connect(), connect()]
  const [first, ...commands] = times(2001, (index) => startCommand({ now: noon + index }))
  const [warming, one, other] = commands
  if (!first || !warming || !one || !other) throw new Error('too few')

  await verifications.start(first)
  await pagesOf(early, first)
  await Promise.all(commands.map(verifications.start))
  await pagesOf(late, warming)

  const pages = [await pagesOf(early, one), await pagesOf(late, other)]
  await Promise.all([early.close(), late.close(), close()])
  for (const count of pages) expect(count).toBeWithin(1, 100)
})

test('a start that was planned on an empty database reads only what is its recipient’s', async () => {
  const url = await server.create()
  const [early, late] = await Promise.all([open(url), open(url)])
  const recipientKey = bytes(32)
  const own = times(22, (index) => startCommand({ now: noon + index, recipientKey }))
  const others = times(1000, () => startCommand())

  for (const command of own.slice(0, 2)) await early.verifications.start(command)
  await Promise.all(others.map(late.verifications.start))
  for (const command of own.slice(2)) await early.verifications.start(command)

  // What connections have counted is there once they have ended.
  await Promise.all([early.close(), late.close()])
  const admin = new SQL({ url: url.replace('otpmint@', 'postgres@'), max: 1 })
  await eventually(async () => {
    const [row] = await admin.unsafe(`select count(*)::int as count from pg_stat_activity
      where datname = current_database()`)
    return row.count === 1
  })
  const [read] = await admin.unsafe(`select (seq_tup_read + idx_tup_fetch)::int as rows
    from pg_stat_user_tables where relname = 'verifications_default'`)
  await admin.close()
  // Each of its starts goes back through all before it, and may look at a row twice.
  expect(read.rows).toBeLessThan(2 * 22 * 22)
})

/** The pages of tables and indexes that an approval reads over this connection. */
async function pagesOf(connection: SQL, command: StartCommand): Promise<number> {
  const { digest } = command.short
  const check = {
    ...{ ...attempt(command, true), number: 0, approved: 'a', exhausted: 'b' },
    digests: { [command.verification.codeKeyId]: Buffer.from(digest).toString('hex') },
  }
  const call = versioned('select outcome from check_many__v($1::jsonb, 1, 600000)')
  const [row] = await connection.unsafe(`explain (analyze, buffers, format json) ${call}`, [
    JSON.stringify([check]),
  ])
  const [{ Plan: plan }] = row['QUERY PLAN']
  return plan['Shared Hit Blocks'] + plan['Shared Read Blocks']
}
