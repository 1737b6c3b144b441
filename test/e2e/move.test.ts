import { Database } from 'bun:sqlite'
import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { join } from 'node:path'
import { fillOld } from '../../bench/seed.ts'
import { type PostgresServer, startPostgres } from '../postgres/server.ts'
import {
  type Environment,
  eventually,
  executable,
  killAll,
  logLines,
  run,
  type Server,
  scratch,
  start,
} from '../support/executable.ts'
import { call, createApp } from './client.ts'
import { createLoad, inParallel, type Load, misdirected, random, undelivered } from './kill-load.ts'
import { type MailSink, mailSink } from './mail-sink.ts'

setDefaultTimeout(400_000)
executable()
const { folder, remove } = scratch()
let postgres: PostgresServer

beforeAll(async () => {
  postgres = await startPostgres()
})
afterEach(killAll)
afterAll(async () => {
  await postgres.stop()
  remove()
})

const rows = 20_000
/** Of a verification that the load knows nothing of. */
const firstRecipient = 'first@example.com'
const kills = 8
const loadSettings = {
  OTPMINT_LIMIT_APP_STARTS_PER_MINUTE: '1000000',
  OTPMINT_RESEND_AFTER_SECONDS: '5',
  OTPMINT_ATTEMPTS_MAX: '5',
}
const [masterKey, otherKey] = [1, 2].map(() => {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64')
}) as [string, string]
const admin = 'otpm_admin_0123456789abcdefghijklmnopqrstuvwxyz'
const keys = { OTPMINT_MASTER_KEY: masterKey, OTPMINT_ADMIN_TOKEN: admin }

/** The settings of a new, empty database. */
async function newDatabase(): Promise<Environment> {
  const name = new URL(await postgres.create()).pathname.slice(1)
  return {
    OTPMINT_DATABASE_URL: postgres.url(name, 'otpmint'),
    OTPMINT_DATABASE_MIGRATE_URL: postgres.url(name, 'otpmint_migrate'),
  }
}

/** Starts a move without the switch and kills it after a while; false when it had ended before. */
async function killedMove(env: Environment, afterMs: number): Promise<boolean> {
  const command = [executable(), 'move', '--to', 'postgres', '--prepare']
  const path = process.env['PATH'] ?? ''
  const child = Bun.spawn(command, {
    env: { PATH: path, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const timer = setTimeout(() => child.kill('SIGKILL'), afterMs)
  await child.exited
  clearTimeout(timer)
  return child.signalCode === 'SIGKILL'
}

type Story = { load: Load; sink: MailSink; liveKey: string; old: Server; dataDir: string }

async function begin(name: string): Promise<Story> {
  const dataDir = join(folder, name)
  const env = { OTPMINT_DATA_DIR: dataDir, ...keys, ...loadSettings }
  const sink = await mailSink(() => random(40))
  const first = await start(['serve'], env)
  const { liveKey } = await createApp(first, admin, { port: sink.port })
  await call(`${first.base}/v1/verifications`, { to: firstRecipient }, { token: liveKey })
  await first.stop()
  fillOld(dataDir, rows)
  const load = createLoad(liveKey, sink, { workers: 4, isBroken: true })
  return { load, sink, liveKey, old: await start(['serve'], env), dataDir }
}

/** Every acknowledged verification is there with its attempts; each code is accepted once. */
async function judge({ load, sink }: Story, { base }: Server): Promise<void> {
  await inParallel(load.all, (known) => load.compare(base, known))
  await eventually(() => undelivered(load, sink).length === 0, 60_000)
  await inParallel(load.all, (known) => load.checkRight(base, known))
  await inParallel(load.all, (known) => load.checkRight(base, known))
  expect(load.violations.slice(0, 5)).toEqual([])
  expect(misdirected(load, sink).filter((to) => to !== firstRecipient)).toEqual([])
}

test('a served database is moved under load, with the mover killed many times, and back', async () => {
  const story = await begin('served')
  const { load, sink, liveKey, old, dataDir } = story
  const database = await newDatabase()
  const env = { OTPMINT_DATA_DIR: dataDir, ...keys, ...loadSettings, ...database }
  const ends = new AbortController()
  const working = load.run(old.base, ends.signal)

  let killed = 0
  let longestMs = 2_500
  for (let tries = 0; killed < kills && tries < kills * 4; tries++) {
    const begunAt = performance.now()
    if (await killedMove(env, 100 + random(longestMs))) killed++
    // It had ended by then: the next one is killed sooner.
    else longestMs = Math.round((performance.now() - begunAt) / 2)
    await eventually(() => load.acknowledged.length > 0)
  }
  const moved = await run(['move', '--to', 'postgres', '--json'], env)
  const refused = await call(
    `${old.base}/v1/verifications`,
    { to: 'late@example.com' },
    { token: liveKey },
  )
  ends.abort()
  await working

  expect([moved.exitCode, moved.stderr]).toEqual([0, expect.any(String)])
  const { tables } = JSON.parse(moved.stdout)
  const count = tables.find(({ table }: { table: string }) => table === 'verifications').rows
  expect(count).toBeGreaterThan(rows + load.all.filter(({ id }) => id !== null).length)
  expect(killed).toBe(kills)
  expect([refused.status, refused.json.code]).toEqual([503, 'store_unavailable'])
  expect(refused.headers.get('retry-after')).toBe('5')
  expect((await call(`${old.base}/readyz`)).status).toBe(503)
  await old.stop()

  const node = await start(['serve'], { ...env, OTPMINT_DATA_DIR: join(folder, 'node') })
  await judge(story, node)
  const verified = await run(['audit', 'verify'], {
    ...env,
    OTPMINT_DATA_DIR: join(folder, 'node'),
  })
  expect(verified.exitCode).toBe(0)
  await node.stop()

  const back = join(folder, 'back')
  const left = await run(['move', '--to', `sqlite:${back}`], {
    ...env,
    OTPMINT_DATA_DIR: join(folder, 'node'),
  })
  expect([left.exitCode, left.stderr]).toEqual([0, expect.any(String)])
  const last = await start(['serve'], { OTPMINT_DATA_DIR: back, ...keys, ...loadSettings })
  await inParallel(load.all, (known) => load.compare(last.base, known))
  await inParallel(load.all, (known) => load.checkRight(last.base, known))
  expect(load.violations.slice(0, 5)).toEqual([])
  expect(logLines(last.stdout()).map(({ event }) => event)).not.toContain('database_foreign')
  await last.stop()
  await sink.close()
  // The load had what it is about.
  const started = load.all.filter(({ id }) => id !== null)
  expect(started.length).toBeGreaterThan(50)
  expect(started.filter(({ approved }) => approved === 'yes').length).toBeGreaterThan(50)
})

/** Kills a move when it has written this text. */
async function killedAt(env: Environment, text: string): Promise<void> {
  const command = [executable(), 'move', '--to', 'postgres']
  const path = process.env['PATH'] ?? ''
  const child = Bun.spawn(command, {
    env: { PATH: path, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let written = ''
  const decoder = new TextDecoder()
  for await (const chunk of child.stderr) {
    written += decoder.decode(chunk, { stream: true })
    if (written.includes(text)) child.kill('SIGKILL')
  }
  await child.exited
  expect(written).toContain(text)
}

test.each(['0%', '33%', '66%', '100%'])(
  'a mover that is killed when it has switched %s leaves one database that goes on',
  async (share) => {
    const dataDir = join(folder, `switch-${share}`)
    const env = { OTPMINT_DATA_DIR: dataDir, ...keys, ...loadSettings }
    const sink = await mailSink()
    const old = await start(['serve'], env)
    const { liveKey } = await createApp(old, admin, { port: sink.port })
    const load = createLoad(liveKey, sink, { workers: 4, isBroken: true })
    const ends = new AbortController()
    const working = load.run(old.base, ends.signal)
    const all = { ...env, ...(await newDatabase()) }

    await killedAt(all, `switching: ${share}`)
    const moved = await run(['move', '--to', 'postgres'], all)
    ends.abort()
    await working

    const isOver = moved.exitCode === 1 && moved.stderr.includes('was moved to')
    expect([moved.stderr, moved.exitCode === 0 || isOver]).toEqual([moved.stderr, true])
    const late = await call(
      `${old.base}/v1/verifications`,
      { to: 'l@example.com' },
      { token: liveKey },
    )
    expect(late.status).toBe(503)
    await old.stop()
    const again = await run(['serve'], env)
    expect([again.exitCode, again.stderr]).toEqual([1, expect.stringContaining('was moved to')])
    const node = await start(['serve'], { ...all, OTPMINT_DATA_DIR: `${dataDir}-node` })
    await judge({ load, sink, liveKey, old, dataDir }, node)
    await node.stop()
    await sink.close()
  },
)

test('an old database that is opened again after the switch ends what was pending in it', async () => {
  const dataDir = join(folder, 'reopened')
  const env = { OTPMINT_DATA_DIR: dataDir, ...keys }
  const sink = await mailSink()
  const old = await start(['serve'], env)
  const { liveKey } = await createApp(old, admin, { port: sink.port })
  const started = await call(
    `${old.base}/v1/verifications`,
    { to: 'a@example.com' },
    { token: liveKey },
  )
  await eventually(() => sink.to('a@example.com').length > 0)
  const all = { ...env, ...(await newDatabase()) }
  expect((await run(['move', '--to', 'postgres'], all)).exitCode).toBe(0)

  const beside = await run(['move', '--reopen'], env)
  await old.stop()
  const reopened = await run(['move', '--reopen', '--json'], env)

  expect([beside.exitCode, beside.stderr]).toEqual([1, expect.stringContaining('stop it')])
  expect(JSON.parse(reopened.stdout)).toMatchObject({ expired: 1 })
  const again = await start(['serve'], env)
  const checked = await call(
    `${again.base}/v1/verifications/${started.json.id}/check`,
    { code: sink.to('a@example.com')[0]?.code },
    { token: liveKey },
  )
  expect(checked.json.code).toBe('verification_expired')
  await again.stop()
  await sink.close()
})

test('what cannot be moved is refused with the reason, and changes nothing', async () => {
  const dataDir = join(folder, 'refused')
  const env = { OTPMINT_DATA_DIR: dataDir, ...keys }
  const [one, other] = [await newDatabase(), await newDatabase()]
  await (await start(['serve'], env)).stop()
  await (await start(['serve'], { ...env, ...other, OTPMINT_DATA_DIR: `${dataDir}-node` })).stop()
  const refusals: [string[], Environment, number, string][] = [
    [['--to', 'mysql'], env, 2, '--to must be postgres or sqlite:DIR'],
    [['--to', 'sqlite:', '--prepare'], env, 2, '--to must be postgres or sqlite:DIR'],
    [['--reopen', '--to', 'postgres'], env, 2, '--reopen takes no other place'],
    [['--reopen'], env, 1, 'this database is not moved'],
    [['--to', 'postgres'], env, 78, 'OTPMINT_DATABASE_URL is missing'],
    [['--to', 'postgres'], { ...env, ...other }, 1, 'is not empty'],
    [['--to', `sqlite:${dataDir}`], { ...env, ...other }, 1, 'otpmint.db exists'],
    [
      ['--to', 'postgres'],
      { ...env, ...one, OTPMINT_MASTER_KEY: otherKey },
      78,
      "the master key is not this database's",
    ],
  ]
  for (const [args, settings, exitCode, says] of refusals) {
    const ran = await run(['move', ...args], settings)
    expect([args, ran.exitCode, ran.stderr]).toEqual([
      args,
      exitCode,
      expect.stringContaining(says),
    ])
  }
  expect((await run(['move', '--to', 'postgres', '--prepare'], { ...env, ...one })).exitCode).toBe(
    0,
  )
  const elsewhere = await run(['move', '--to', 'postgres'], { ...env, ...(await newDatabase()) })
  expect(elsewhere.stderr).toContain('is being moved to')
  const half = await run(['serve'], { ...env, ...one, OTPMINT_DATA_DIR: `${dataDir}-half` })
  expect([half.exitCode, half.stderr]).toEqual([1, expect.stringContaining('is being filled')])
})

test('a row that PostgreSQL cannot store ends a move with the reason', async () => {
  const dataDir = join(folder, 'unfit')
  const env = { OTPMINT_DATA_DIR: dataDir, ...keys }
  await (await start(['serve'], env)).stop()
  const database = new Database(join(dataDir, 'otpmint.db'))
  database.run(`insert into events (at, type, data) values (1, 'a' || char(0), '{}')`)
  database.close()

  const ran = await run(['move', '--to', 'postgres'], { ...env, ...(await newDatabase()) })

  const says = 'a row does not fit into the new database (SQLSTATE 22021)'
  expect([ran.exitCode, ran.stderr]).toEqual([1, expect.stringContaining(says)])
  await (await start(['serve'], env)).stop()
})

test('a backup that was made while a move was prepared is restored as a database of its own', async () => {
  const dataDir = join(folder, 'backed-up')
  const env = { OTPMINT_DATA_DIR: dataDir, ...keys }
  const old = await start(['serve'], env)
  const prepared = await run(['move', '--to', 'postgres', '--prepare'], {
    ...env,
    ...(await newDatabase()),
  })
  const file = join(folder, 'backup.db')
  const made = await run(['backup', file], env)
  await old.stop()
  const other = { ...env, OTPMINT_DATA_DIR: `${dataDir}-restored` }
  const restored = await run(['restore', file], other)

  expect([prepared, made, restored].map(({ exitCode }) => exitCode)).toEqual([0, 0, 0])
  const again = await run(['move', '--reopen'], other)
  expect(again.stderr).toContain('this database is not moved')
})
