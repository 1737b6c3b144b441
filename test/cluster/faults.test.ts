import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { join } from 'node:path'
import { SQL } from 'bun'
import { type Answer, call, createApp, wrongCode } from '../e2e/client.ts'
import { type MailSink, mailSink } from '../e2e/mail-sink.ts'
import { type PgBouncer, startPgBouncer } from '../postgres/pgbouncer.ts'
import { type Disturbed, proxyTo } from '../postgres/proxy.ts'
import { type PostgresServer, startPostgres } from '../postgres/server.ts'
import { startStandby, withStandby } from '../postgres/standby.ts'
import {
  eventually,
  executable,
  killAll,
  type Server,
  scratch,
  start,
} from '../support/executable.ts'

setDefaultTimeout(60_000)
executable()
const { folder, remove } = scratch()
const masterKey = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64')
let server: PostgresServer
const ends: (() => Promise<void>)[] = []

beforeAll(async () => {
  server = await startPostgres({ settings: withStandby })
})
afterEach(async () => {
  await killAll()
  for (const end of ends.splice(0).reverse()) await end()
})
afterAll(async () => {
  await server.stop()
  remove()
})

/** A node: node -> proxy -> PgBouncer -> server, with a verification of before the fault. */
type Story = {
  node: Server
  sink: MailSink
  proxy: Disturbed
  bouncer: PgBouncer
  database: string
  token: string
  key: string
  id: string
  code: string
}

let count = 0

async function begin(on: PostgresServer = server): Promise<Story> {
  const direct = await on.create()
  const bouncer = await startPgBouncer(on.port)
  const proxy = await proxyTo(bouncer.port)
  const sink = await mailSink()
  ends.push(bouncer.stop, proxy.close, sink.close)
  const token = 'admin-token-of-a-cluster-0123456789'
  const node = await start(['serve'], {
    OTPMINT_DATABASE_URL: direct.replace(/:\d+\//, `:${proxy.port}/`),
    OTPMINT_DATABASE_DIRECT_URL: direct,
    OTPMINT_MASTER_KEY: masterKey,
    OTPMINT_ADMIN_TOKEN: token,
    OTPMINT_DATA_DIR: join(folder, `node${++count}`),
  })
  const { liveKey: key } = await createApp(node, token, { port: sink.port })
  const to = 'before@example.com'
  const { json, text } = await call(`${node.base}/v1/verifications`, { to }, { token: key })
  if (json.id === undefined) throw new Error(text)
  await eventually(() => sink.to(to).length === 1)
  const database = new URL(direct).pathname.slice(1)
  const code = sink.mails[0]?.code ?? ''
  return { node, sink, proxy, bouncer, database, token, key, id: json.id, code }
}

/** Every kind of request that writes; each must end within the bound. */
async function writesOf({ node, token, key, id, code }: Story): Promise<Answer[]> {
  const url = `${node.base}/v1/verifications`
  const startedAt = performance.now()
  const answers = await Promise.all([
    call(url, { to: 'during@example.com' }, { token: key }),
    call(`${url}/${id}/check`, { code }, { token: key }),
    call(`${url}/${id}/check`, { code: wrongCode(code) }, { token: key }),
    call(`${url}/${id}/cancel`, {}, { token: key }),
    call(`${node.base}/v1/apps`, { name: 'Another' }, { token }),
    call(`${node.base}/readyz`),
  ])
  // A wait for a lane and a statement, for what needs two of each; and a busy machine.
  expect(performance.now() - startedAt).toBeLessThan(20_000)
  return answers
}

/** Expects 503 with Retry-After, and nothing approved or sent. */
async function expectRefusal({ node, sink }: Story, answers: Answer[]): Promise<void> {
  for (const { status, json, headers, text } of answers) {
    expect([status, json.code], text).toEqual([503, 'store_unavailable'])
    expect(headers.get('content-type')).toBe('application/problem+json')
    expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
  }
  expect((await call(`${node.base}/healthz`)).status).toBe(200)
  expect(sink.to('during@example.com')).toEqual([])
}

/** Expects that everything works, without a restart, and nothing refused was done. */
async function expectRecovery(story: Story, { attemptsLeft = 4 } = {}): Promise<void> {
  const { node, sink, key, id, code } = story
  await eventually(async () => (await call(`${node.base}/readyz`)).status === 200)
  const url = `${node.base}/v1/verifications`
  const right = await call(`${url}/${id}/check`, { code }, { token: key })
  const again = await call(`${url}/${id}/check`, { code }, { token: key })
  const to = 'after@example.com'
  const next = await call(url, { to }, { token: key })
  await eventually(() => sink.to(to).length === 1)
  const stopped = await node.stop()

  expect(right.json).toMatchObject({ valid: true, attempts_left: attemptsLeft })
  expect(again.json.code).toBe('verification_used')
  expect(next.status).toBe(201)
  expect(sink.to('during@example.com')).toEqual([])
  expect(stopped).toBe(0)
}

/**
 * For faults that leave unknown what was done: expects that it holds together, that nothing is sent
 * more than twice, and that all works without a restart.
 */
async function expectConsistency(story: Story): Promise<void> {
  const { node, sink, key, id, code } = story
  await eventually(async () => (await call(`${node.base}/readyz`)).status === 200)
  const url = `${node.base}/v1/verifications`
  const shown = await call(`${url}/${id}`, undefined, { token: key })
  const check = await call(`${url}/${id}/check`, { code }, { token: key })
  const again = await call(`${url}/${id}/check`, { code }, { token: key })
  const to = 'after@example.com'
  const next = await call(url, { to }, { token: key })
  await eventually(() => sink.to(to).length === 1)
  const stopped = await node.stop()

  // A check of before, whose connection was given up, may be done after the first of these answers.
  const wasUsed = check.json.code === 'verification_used'
  expect([check.json.valid === true, wasUsed]).toEqual([!wasUsed, wasUsed])
  if (shown.json.status !== 'pending') expect(wasUsed).toBe(true)
  expect(again.json.valid).toBeUndefined()
  expect(next.status).toBe(201)
  expect(sink.to('during@example.com').length).toBeLessThanOrEqual(2)
  expect(stopped).toBe(0)
}

const asAdmin = (story: Story, on = server) => new SQL({ url: on.url(story.database), max: 1 })

test('a server that is frozen answers 503 within the bound, and all holds together when it wakes up', async () => {
  const story = await begin()
  server.postmaster().signalTree('SIGSTOP')
  const answers = await writesOf(story)
  await expectRefusal(story, answers)
  server.postmaster().signalTree('SIGCONT')

  await expectConsistency(story)
})

test('a network that loses everything answers 503 within the bound, and all holds together after it', async () => {
  const story = await begin()
  story.proxy.block()
  const answers = await writesOf(story)
  await expectRefusal(story, answers)
  story.proxy.unblock()

  await expectConsistency(story)
})

test('one frozen backend makes no more than one turn of requests fail', async () => {
  const story = await begin()
  const { node, key, database } = story
  const [frozen] = await server.admin.unsafe(
    `select pid from pg_stat_activity where datname = '${database}' and usename = 'otpmint'
      and application_name = 'otpmint' and query not like 'listen%' limit 1`,
  )
  process.kill(frozen.pid, 'SIGSTOP')
  const statuses: number[] = []
  for (let count = 0; count < 60; count++) {
    const { status } = await call(
      `${node.base}/v1/verifications`,
      { to: `p${count}@example.com` },
      { token: key },
    )
    statuses.push(status)
  }
  process.kill(frozen.pid, 'SIGCONT')

  expect(statuses.filter((status) => status !== 201).length).toBeLessThanOrEqual(2)
  expect(statuses.filter((status) => status !== 201 && status !== 503)).toEqual([])
  await expectConsistency(story)
})

test('a check whose commit is not answered is 503, and its code is not accepted again', async () => {
  const story = await begin()
  const { node, proxy, key, id, code } = story
  const cut = proxy.cutAnswerTo('check_many')
  const url = `${node.base}/v1/verifications/${id}/check`
  const unknown = await call(url, { code }, { token: key })
  await cut
  const again = await call(url, { code }, { token: key })

  expect([unknown.status, unknown.json.code]).toEqual([503, 'store_unavailable'])
  expect(again.json.code).toBe('verification_used')
  await expectConsistency(story)
})

test('a wrong check whose commit is not answered has spent its attempt', async () => {
  const story = await begin()
  const { node, proxy, key, id, code } = story
  const cut = proxy.cutAnswerTo('check_many')
  const url = `${node.base}/v1/verifications/${id}/check`
  const unknown = await call(url, { code: wrongCode(code) }, { token: key })
  await cut

  expect(unknown.status).toBe(503)
  await expectRecovery(story, { attemptsLeft: 3 })
})

test('a start whose commit is not answered is 503; asked again with its Idempotency-Key it is one', async () => {
  const story = await begin()
  const { node, sink, proxy, key } = story
  const cut = proxy.cutAnswerTo('start_many')
  const to = 'unknown@example.com'
  const headers = { 'idempotency-key': 'once' }
  const ask = () => call(`${node.base}/v1/verifications`, { to }, { token: key, headers })
  const unknown = await ask()
  await cut
  const again = await ask()
  const later = await ask()

  expect([unknown.status, unknown.json.code]).toEqual([503, 'store_unavailable'])
  expect([again.status, later.status]).toEqual([201, 201])
  expect(again.text).toBe(later.text)
  const rows = await asAdmin(story).unsafe(
    "select 1 from verifications where created_at > 0 and status = 'pending'",
  )
  expect(rows.length).toBe(2)
  expect(sink.to(to).length).toBeLessThanOrEqual(2)
  await expectConsistency(story)
})

test('locked tables answer 503 within the time-outs of the role, and nothing was done', async () => {
  const story = await begin()
  const holder = asAdmin(story)
  await holder.unsafe('begin')
  await holder.unsafe('lock table verifications, limits, meta, apps, audit_state in exclusive mode')
  const answers = await writesOf(story)
  await expectRefusal(story, answers)
  await holder.unsafe('rollback')
  await holder.close()

  await expectRecovery(story)
})

test('a role that became read-only answers 503, and recovers without a restart', async () => {
  const story = await begin()
  const set = async (value: string) => {
    await server.admin.unsafe(`alter role otpmint set default_transaction_read_only = ${value}`)
    await server.admin.unsafe(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${story.database}'
        and usename = 'otpmint'`,
    )
  }
  await set('on')
  const url = `${story.node.base}/v1/verifications/${story.id}`
  // A connection that was closed while nobody used it may cost its next user an answer.
  await eventually(async () => (await call(`${story.node.base}/readyz`)).status === 503)
  const answers = await writesOf(story)
  await expectRefusal(story, answers)
  const read = await call(url, undefined, { token: story.key })
  await set('off')

  expect(read.json).toMatchObject({ status: 'pending', attempts_left: 5 })
  await expectRecovery(story)
})

test('a standby answers 503 until it is promoted, and has everything that was acknowledged', async () => {
  const story = await begin()
  const standby = await startStandby(server)
  const behind = await startPgBouncer(standby.port)
  ends.push(standby.stop, behind.stop)
  await standby.catchUp()
  story.proxy.lead(behind.port)
  story.proxy.cut()
  await eventually(async () => (await call(`${story.node.base}/readyz`)).status === 503)
  const answers = await writesOf(story)
  await expectRefusal(story, answers)
  standby.promote()

  await expectRecovery(story)
})

test('a server that is killed answers 503, and recovers with everything that was acknowledged', async () => {
  const own = await startPostgres({ settings: { synchronous_commit: 'on' } })
  ends.push(own.stop)
  const story = await begin(own)
  own.postmaster().signalTree('SIGKILL')
  await own.postmaster().exited
  const answers = await writesOf(story)
  await expectRefusal(story, answers)
  await own.restart()

  await expectRecovery(story)
})

test('a full disk answers 503, loses nothing that was acknowledged, and recovers', async () => {
  const own = await startPostgres({ diskMb: 160, settings: { synchronous_commit: 'on' } })
  ends.push(own.stop)
  const story = await begin(own)
  const { node, sink, key } = story
  const url = `${node.base}/v1/verifications`
  // Room for the log, so that a table is the first that finds none.
  await own.admin.unsafe('select pg_switch_wal()')
  const free = own.fillDisk(512)
  const started: string[] = []
  const refused: string[] = []
  for (let round = 0; round < 200 && refused.length === 0; round++) {
    const people = Array.from({ length: 20 }, (_, index) => `p${round}-${index}@example.com`)
    const answers = await Promise.all(people.map((to) => call(url, { to }, { token: key })))
    for (const [index, { status, json }] of answers.entries()) {
      expect([201, 503]).toContain(status)
      if (status === 503) expect(json.code).toBe('store_unavailable')
      ;(status === 201 ? started : refused).push(people[index] ?? '')
    }
  }
  free()

  expect(started.length).toBeGreaterThan(0)
  expect(refused.length).toBeGreaterThan(0)
  await eventually(() => started.every((to) => sink.to(to).length > 0), 30_000)
  expect(refused.filter((to) => sink.to(to).length > 0)).toEqual([])
  expect(started.filter((to) => sink.to(to).length > 2)).toEqual([])
  await expectRecovery(story)
})

/** A load on a node that begins to fail: what it was told, and what was refused or left unknown. */
function createLoad({ node, sink, key }: Story) {
  const url = `${node.base}/v1/verifications`
  const ids = new Map<string, string>()
  const refused: string[] = []
  const approved: string[] = []
  const unknown: string[] = []
  const check = async (to: string) => {
    const code = sink.to(to)[0]?.code
    const { status, json } = await call(`${url}/${ids.get(to)}/check`, { code }, { token: key })
    return status === 503 ? 'unknown' : json.valid === true ? 'approved' : (json.code ?? '')
  }
  return {
    ...{ ids, refused, approved, unknown, check },
    /** Starts some, and checks those of before whose mail has come, all at once. */
    async round(number: number): Promise<void> {
      const waiting = [...ids.keys()].filter((to) => {
        return sink.to(to).length > 0 && !approved.includes(to) && !unknown.includes(to)
      })
      const people = Array.from({ length: 20 }, (_, index) => `p${number}-${index}@example.com`)
      const starts = people.map(async (to) => {
        const { status, json, text } = await call(url, { to }, { token: key })
        if (status === 201) ids.set(to, json.id ?? '')
        else refused.push(to)
        if (status !== 201) expect([status, json.code], text).toEqual([503, 'store_unavailable'])
      })
      const checks = waiting.map(async (to) => {
        const ended = await check(to)
        expect(['approved', 'unknown']).toContain(ended)
        ;(ended === 'approved' ? approved : unknown).push(to)
      })
      await Promise.all([...starts, ...checks])
    },
  }
}

test('a full disk of the log ends the server: 503 until it is back, with all that was acknowledged', async () => {
  // No segments are kept for later, so that the next one is needed soon.
  const kept = { wal_recycle: 'off', min_wal_size: '2MB', wal_level: 'replica' }
  const settings = { ...kept, synchronous_commit: 'on' }
  const own = await startPostgres({ walDiskMb: 32, settings })
  ends.push(own.stop)
  const story = await begin(own)
  const load = createLoad(story)
  // What fills such a disk: a standby that is gone, for which the log is kept.
  await own.admin.unsafe("select pg_create_physical_replication_slot('gone', true)")
  let round = 0
  while (load.approved.length < 20 && round < 50) await load.round(round++)
  const free = own.fillWalDisk()
  let hasEnded = false
  void own.postmaster().exited.then(() => (hasEnded = true))
  // The server panics when it needs the next segment, and again when it recovers.
  while (!hasEnded && round < 400) await load.round(round++)
  await expectRefusal(story, await writesOf(story))
  free()
  await own.restart()
  await eventually(async () => (await call(`${story.node.base}/readyz`)).status === 200)
  const { ids, refused, approved, unknown, check } = load
  const started = [...ids.keys()]
  await eventually(() => started.every((to) => story.sink.to(to).length > 0), 30_000)
  const checkAll = async () =>
    new Map(await Promise.all(started.map(async (to) => [to, await check(to)] as const)))
  const [first, second] = [await checkAll(), await checkAll()]

  expect(hasEnded).toBe(true)
  expect(own.postmaster().output()).toContain('PANIC:  could not write to file "pg_wal/')
  expect(approved.length).toBeGreaterThan(0)
  const used = 'verification_used'
  for (const to of started) {
    const answers = unknown.includes(to)
      ? ['approved', used]
      : [approved.includes(to) ? used : 'approved']
    expect(answers, to).toContain(first.get(to) ?? '')
    expect(second.get(to), to).toBe(used)
  }
  expect(refused.filter((to) => story.sink.to(to).length > 2)).toEqual([])
  expect(started.filter((to) => story.sink.to(to).length > 2)).toEqual([])
  await expectRecovery(story)
}, 180_000)
