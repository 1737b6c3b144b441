import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { SQL } from 'bun'
import { idAt, newTimedId } from '../src/domain/id.ts'
import { dayMs } from '../src/domain/verification/limits.ts'
import { startCall } from '../src/store/postgres/start-command.ts'
import { openPostgresStore } from '../src/store/postgres/store.ts'
import { versioned } from '../src/store/postgres/versioned.ts'
import { systemRandom, systemTimers } from '../src/system.ts'
import { bin } from '../test/postgres/programs.ts'
import { type PostgresServer, startPostgres } from '../test/postgres/server.ts'
import { newRecipient, startCommand } from '../test/support/commands.ts'
import { type Served, serve } from './executable.ts'
import { checkLines, startLines, type WrkResult, wrk } from './load.ts'
import { besides, type Finding, finding } from './report.ts'
import type { Bench, Measure } from './run.ts'
import { seed, sentStatements } from './seed.ts'
import { openSink } from './sink.ts'

/** More requests than the fastest of them sends in a second. */
const perSecondMax = { checks: 20_000, starts: 12_000 }
const connections = 64
const appsOfMany = 25

type Run = WrkResult & { cpuMicros: number }
type Cluster = { ownerUrl: string; env: Record<string, string> }

/**
 * Measures one node and two over PostgreSQL beside a node over SQLite and beside the database alone.
 * The server commits to the disk, as in service; it shares the processors with everything else.
 */
export const postgres: Measure = async (bench) => {
  const server = await startPostgres({
    fsync: true,
    settings: { autovacuum: 'on', shared_buffers: '512MB', max_wal_size: '4GB' },
  })
  try {
    return [
      ...(await measureChecks(bench, server)),
      ...(await measureStarts(bench, server)),
      ...(await measureClaims(bench, server)),
    ]
  } finally {
    await server.stop()
  }
}

/** Settings of a node of a new database. */
async function createCluster(server: PostgresServer): Promise<Cluster> {
  const url = await server.create('otpmint')
  const secret = (length: number) => Buffer.from(systemRandom.bytes(length)).toString('base64')
  const env = {
    OTPMINT_DATABASE_URL: url,
    OTPMINT_MASTER_KEY: secret(32),
    OTPMINT_ADMIN_TOKEN: secret(48).replaceAll(/[^A-Za-z0-9]/g, ''),
  }
  // Without the time limits of the service.
  const ownerUrl = url.replace('//otpmint@', '//postgres@')
  return { ownerUrl, env }
}

async function measureChecks(bench: Bench, server: PostgresServer): Promise<Finding[]> {
  const { rounds, seconds } = bench
  const each = Math.ceil((seconds * perSecondMax.checks) / 5)
  bench.progress('verifications are stored in both stores')
  const filled = { smtpPort: null, pending: each * (rounds + 1) }

  const local = bench.directory()
  const inFile = await seed(local, filled)
  const overFile = [await serve('otpmint', local)]
  const cluster = await createCluster(server)
  const [first, second] = [bench.directory(), bench.directory()]
  const inServer = await seed(first, { ...filled, pending: filled.pending * 3 }, cluster.env)
  const owner = new SQL({ url: cluster.ownerUrl, max: 1 })
  for (const statement of [...sentStatements, 'analyze']) await owner.unsafe(statement)
  await owner.close()
  const nodes = [
    await serve('otpmint', first, cluster.env),
    await serve('otpmint', second, cluster.env),
  ]

  const runs: Record<'file' | 'one' | 'two' | 'shared', Run[]> = {
    file: [],
    one: [],
    two: [],
    shared: [],
  }
  const postmaster = server.postmaster().pid
  for (let round = 0; round <= rounds; round++) {
    bench.progress(`checks over PostgreSQL, round ${round} of ${rounds}`)
    const next = (from: typeof inFile) => ({
      lines: checkLines(from.pending.splice(0, each)),
      authorization: from.liveKey,
    })
    const done = {
      file: await load(overFile, { ...next(inFile), directory: local, seconds }),
      one: await load(
        nodes.slice(0, 1),
        { ...next(inServer), directory: first, seconds },
        postmaster,
      ),
      two: await load(nodes, { ...next(inServer), directory: first, seconds }, postmaster),
      shared: await load(
        nodes,
        { ...next(inServer), directory: first, seconds, each: connections / nodes.length },
        postmaster,
      ),
    }
    // The first round warms up the runtime's compiler.
    if (round > 0) {
      for (const name of ['file', 'one', 'two', 'shared'] as const) runs[name].push(done[name])
    }
  }
  await Promise.all([...overFile, ...nodes].map((node) => node.stop()))

  const of = (name: keyof typeof runs, key: keyof Run = 'perSecond') =>
    runs[name].map((run) => run[key])
  const one = finding(
    `checks of a node over PostgreSQL, ${connections} connections`,
    '/s',
    of('one'),
  )
  const cpuOf = (name: 'two' | 'shared', what: string) =>
    finding(
      `processor time of two nodes and the database for a check, ${what}`,
      'us',
      of(name, 'cpuMicros'),
    )
  const ofOne = { what: 'of one node', values: of('one', 'cpuMicros') }
  const atMost = { atMost: 1.15 }
  return [
    besides(one, of('one'), { what: 'over SQLite', values: of('file') }, { atLeast: 0.6 }),
    finding(
      `checks of two nodes over PostgreSQL on the same machine, ${connections} connections each`,
      '/s',
      of('two'),
    ),
    besides(cpuOf('two', `${connections} connections each`), of('two', 'cpuMicros'), ofOne, atMost),
    besides(
      cpuOf('shared', `${connections} connections in all`),
      of('shared', 'cpuMicros'),
      ofOne,
      atMost,
    ),
  ]
}

async function measureStarts(bench: Bench, server: PostgresServer): Promise<Finding[]> {
  const runs: Record<'one' | 'many' | 'alone', number[]> = { one: [], many: [], alone: [] }
  for (let round = 0; round <= bench.rounds; round++) {
    bench.progress(`starts over PostgreSQL, round ${round} of ${bench.rounds}`)
    const done = {
      alone: await functionAlone(bench, server),
      one: await starting(bench, server, 1),
      many: await starting(bench, server, appsOfMany),
    }
    if (round > 0) for (const name of ['alone', 'one', 'many'] as const) runs[name].push(done[name])
  }
  const many = finding(
    `starts of ${appsOfMany} apps over PostgreSQL, nothing sent`,
    '/s',
    runs.many,
  )
  const one = finding('starts of one app over PostgreSQL, nothing sent', '/s', runs.one)
  const alone = { what: 'pgbench, the function of a start alone', values: runs.alone }
  return [
    besides(many, runs.many, alone, { atLeast: 0.6 }),
    besides(one, runs.one, { what: 'many apps', values: runs.many }, { atLeast: 0.8 }),
  ]
}

/**
 * Runs the function of a start in the database, from sixteen clients of pgbench that do nothing else.
 * The clients of as many apps as in `starting` name new recipients.
 */
async function functionAlone(bench: Bench, server: PostgresServer): Promise<number> {
  const url = await server.create('otpmint')
  const file = join(bench.directory(), 'start.sql')
  await Bun.write(file, startScript())
  const flags = ['-n', '-c', '16', '-j', '2', '-T', String(bench.seconds), '-f', file, url]
  const child = Bun.spawn([join(bin, 'pgbench'), ...flags], { stdio: ['ignore', 'pipe', 'pipe'] })
  const text = await new Response(child.stdout).text()
  const perSecond = Number(/^tps = ([\d.]+)/m.exec(text)?.[1])
  if (!(perSecond > 0) || !/failed transactions: 0 /.test(text)) {
    throw new Error(`pgbench said: ${text}${await new Response(child.stderr).text()}`)
  }
  return perSecond
}

/** A call as a node makes it for one start, with other ids and keys in each. */
function startScript(): string {
  const now = Date.now()
  const [recipient, everywhere, app] = [11, 22, 33].map((byte) => new Uint8Array(32).fill(byte))
  if (!recipient || !everywhere || !app) throw new Error('three keys')
  const rates = (count: number) => {
    return Array.from({ length: count }, () => ({
      name: 'app_day' as const,
      max: 1e6,
      windowMs: dayMs,
    }))
  }
  const own = { key: recipient, rates: rates(3) }
  const command = startCommand({ now, ttlMs: dayMs, lease: null })
  const { commands, requests } = startCall([
    {
      ...command,
      recipients: [newRecipient({ limits: [own, { key: everywhere, rates: rates(1) }] })],
      limits: [{ key: app, rates: rates(2) }],
      budget: [
        { max: 1000, windowMs: dayMs },
        { max: 5000, windowMs: 30 * dayMs },
      ],
    },
  ])
  const text = commands
    .replaceAll(command.verification.id, '@verification@')
    .replaceAll(command.delivery.id, '@delivery@')
    .replaceAll("'", "''")
  const id = (prefix: string) => `'${prefix}' || lpad(:n::text, 22, '0')`
  const key = (prefix: string, value: string) =>
    `decode('${prefix}' || lpad(${value}::text, 62, '0'), 'hex')`
  const begin = command.verification.id.slice(0, 8)
  return `\\set n random(1, 1000000000000000)
\\set a random(1, ${appsOfMany})
select * from ${versioned('start_many__v')}(
  replace(replace('${text}', '@verification@', ${id(begin)}), '@delivery@', ${id(begin)})::jsonb,
  array[${key('0b', ':n')}, ${key('16', ':n')}, ${key('21', ':a')}],
  '${requests}'::jsonb, :a % 16);
`
}

/**
 * Starts through the compiled executable. The mail server accepts connections and sends nothing, so
 * that the sender only waits.
 */
async function starting(bench: Bench, server: PostgresServer, apps: number): Promise<number> {
  const sink = await openSink({ hangs: true })
  const { env } = await createCluster(server)
  const directory = bench.directory()
  const keys: string[] = []
  for (let made = 0; made < apps; made++) {
    const app = { smtpPort: sink.port, connectionsMax: Math.ceil(50 / apps) }
    keys.push((await seed(directory, app, env)).liveKey)
  }
  const node = await serve('otpmint', directory, env)
  const lines = (name: string, count: number) =>
    startLines(name, count).map((line, index) => `${line}\tBearer ${keys[index % apps]}`)
  const job = { url: node.url, directory, authorization: keys[0] ?? '', connections }
  const { seconds } = bench
  await wrk({ ...job, lines: lines('early', perSecondMax.starts), seconds: 1 })
  const run = await wrk({ ...job, lines: lines('late', seconds * perSecondMax.starts), seconds })
  await node.stop('SIGKILL')
  sink.stop()
  return run.perSecond
}

const claimers = 3
const claimedAtOnce = 200

/** Three nodes lease the due deliveries of one lane, each on connections of its own. */
async function measureClaims(bench: Bench, server: PostgresServer): Promise<Finding[]> {
  const queued = bench.quick ? 20_000 : 60_000
  const values: number[] = []
  let twice = 0
  for (let round = 0; round < bench.rounds; round++) {
    bench.progress(`claims over PostgreSQL, round ${round + 1} of ${bench.rounds}`)
    const url = await server.create('otpmint')
    const now = Date.now()
    await queue(url, queued, now)
    const connect = () => new SQL({ url, max: 1, prepare: false, bigint: true })
    const ids: string[] = []
    const begunAt = performance.now()
    await Promise.all(
      Array.from({ length: claimers }, async (_, index) => {
        const store = await openPostgresStore({
          connect,
          timers: systemTimers,
          random: systemRandom,
        })
        const seen = { dueWithinMs: dayMs, silentSince: now - 15_000, from: idAt(now - dayMs) }
        const due = { node: `n${index}`, now, ...seen }
        const lane = { appId: 'app', channel: 'email', endpointId: 'endpoint' } as const
        // The leases of a node that is not seen are free.
        const state = { keysetVersion: 1, nextKeyId: null }
        await store.nodes.beat({ id: due.node, seenAt: now, ...state })
        for (;;) {
          const command = { ...due, lane, leaseUntil: now + 90_000, limit: claimedAtOnce }
          const claimed = await store.deliveries.claim(command)
          if (claimed.length === 0) break
          ids.push(...claimed.map(({ id }) => id))
        }
        await store.close()
      }),
    )
    values.push((ids.length * 1000) / (performance.now() - begunAt))
    twice += ids.length - new Set(ids).size + (queued - new Set(ids).size)
  }
  const rate = finding(`claims of ${claimers} nodes, ${claimedAtOnce} at a time`, '/s', values)
  return [
    { ...rate, judged: { figure: rate.value, atLeast: 10_000 } },
    {
      ...{ what: 'deliveries that were claimed twice or not at all', value: twice, unit: '' },
      judged: { figure: twice, atMost: 0 },
    },
  ]
}

/** Puts deliveries of one lane into the outbox. */
async function queue(url: string, count: number, now: number): Promise<void> {
  const sql = new SQL({ url, max: 1, prepare: false })
  const ids = Array.from({ length: count }, () => newTimedId(systemRandom, now - 1000))
  await sql.unsafe(
    `insert into deliveries (id, app_id, mode, verification_id, channel, endpoint_id, status,
       created_at, expires_at, try_at, due_at, leased_by)
     select id, 'app', 'live', id, 'email', 'endpoint', 'queued', $2::bigint, $3::bigint, $2, $2, ''
     from unnest($1::text[]) as id`,
    [ids, now - 1000, now + dayMs] as never,
  )
  await sql.unsafe('analyze deliveries')
  await sql.close()
}

type Load = {
  lines: string[]
  authorization: string
  directory: string
  seconds: number
  /** Connections to each node; those of one node where it is absent. */
  each?: number
}

/** Sends requests to the nodes at once, and takes their processor time and the database's. */
async function load(nodes: Served[], job: Load, postmaster: number | null = null): Promise<Run> {
  const used = () => {
    const own = nodes.reduce((sum, node) => sum + node.cpuSeconds(), 0)
    return own + (postmaster === null ? 0 : secondsOfTree(postmaster))
  }
  const before = used()
  const runs = await Promise.all(
    nodes.map(({ url }, index) => {
      const lines = job.lines.filter((_, line) => Math.floor(line / 5000) % nodes.length === index)
      const file = join(job.directory, `node-${index}`)
      mkdirSync(file, { recursive: true })
      const share = { ...job, directory: file, lines, connections: job.each ?? connections }
      return wrk({ ...share, url })
    }),
  )
  const sum = (of: (run: WrkResult) => number) => runs.reduce((total, run) => total + of(run), 0)
  const requests = sum((run) => run.requests)
  return {
    perSecond: sum((run) => run.perSecond),
    p50: Math.max(...runs.map(({ p50 }) => p50)),
    p99: Math.max(...runs.map(({ p99 }) => p99)),
    requests,
    cpuMicros: ((used() - before) * 1e6) / requests,
  }
}

/** The processor time of a process and of all its children, also of those that have ended. */
export function secondsOfTree(root: number): number {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  const stats = all.flatMap((pid) => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      const [, parent, , , , , , , , , , ...times] = stat
        .slice(stat.lastIndexOf(')') + 2)
        .split(' ')
      const [user, system, userOfEnded, systemOfEnded] = times.map(Number)
      return [
        {
          pid: Number(pid),
          parent: Number(parent),
          times: [user, system, userOfEnded, systemOfEnded],
        },
      ]
    } catch {
      // It has ended meanwhile.
      return []
    }
  })
  const own = stats.filter(({ pid, parent }) => pid === root || parent === root)
  const ticks = own.flatMap(({ pid, times }) => (pid === root ? times : times.slice(0, 2)))
  return ticks.reduce((total: number, value) => total + (value ?? 0), 0) / 100
}
