import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { join } from 'node:path'
import { SQL } from 'bun'
import { type PgBouncer, startPgBouncer } from '../postgres/pgbouncer.ts'
import { type PostgresServer, startPostgres } from '../postgres/server.ts'
import {
  type Environment,
  eventually,
  executable,
  killAll,
  logLines,
  run,
  scratch,
  start,
} from '../support/executable.ts'
import { type Certificate, makeCertificate } from '../support/smtp.ts'
import { call } from './client.ts'
import { cluster } from './postgres-cluster.ts'

setDefaultTimeout(60_000)
executable()
const { folder, remove } = scratch()
const { adminToken, nodeOf } = cluster(folder)
let certificate: Certificate
let server: PostgresServer
let bouncers: Record<'transaction' | 'session' | 'statement', PgBouncer>

beforeAll(async () => {
  certificate = makeCertificate()
  // The certificate has the first of the two addresses.
  const settings = { listen_addresses: '127.0.0.1,127.0.0.2' }
  server = await startPostgres({ tls: certificate, settings })
  const bouncer = (poolMode: 'transaction' | 'session' | 'statement') =>
    startPgBouncer(server.port, { settings: { pool_mode: poolMode } })
  bouncers = {
    transaction: await bouncer('transaction'),
    session: await bouncer('session'),
    statement: await bouncer('statement'),
  }
})
afterEach(killAll)
afterAll(async () => {
  remove()
  certificate.remove()
  for (const { stop } of Object.values(bouncers)) await stop()
  await server.stop()
})

type Finding = { check: string; status: string; detail: string; next: string | null }

/** The findings of doctor about the database, by check. */
async function examine(env: Environment): Promise<Record<string, Finding>> {
  const { stdout, stderr } = await run(['doctor', '--json'], env)
  expect(stderr).toBe('')
  const { findings } = JSON.parse(stdout) as { findings: Finding[] }
  return Object.fromEntries(findings.map((finding) => [finding.check, finding]))
}

const shown = (
  { status, detail }: Finding | undefined = { check: '', status: '', detail: '', next: null },
) => `${status}: ${detail}`

describe('doctor over PostgreSQL', () => {
  test('says what the role, its time-outs, TLS, the clock and standbys are', async () => {
    const url = await server.create()
    const node = await start(['serve'], nodeOf(url))
    let found = await examine(nodeOf(url))
    // The first sweep makes partitions meanwhile.
    await eventually(async () => {
      found = await examine(nodeOf(url))
      return found['database']?.status === 'ok'
    })
    await node.stop()

    expect(shown(found['role'])).toBe(
      'ok: otpmint reads and writes rows and calls functions, and defines nothing',
    )
    expect(shown(found['database'])).toMatch(/^ok: test_\d+ at 127.0.0.1:\d+, PostgreSQL 15\./)
    expect(shown(found['time-outs'])).toBe(
      'ok: statement_timeout 3000 ms, lock_timeout 2000 ms, idle_in_transaction_session_timeout 5000 ms',
    )
    expect(shown(found['tls'])).toMatch(/^ok: none: 127.0.0.1:\d+ is on this machine$/)
    expect(shown(found['clock'])).toMatch(/^ok: -?\d ms off the database's, give or take \d+ ms$/)
    expect(shown(found['standby'])).toContain('warning: no standby confirms commits')
    expect(shown(found['pooler'])).toBe('ok: none')
    expect(shown(found['nodes'])).toBe('ok: 1 live')
    for (const check of ['data directory', 'disk']) expect(found[check]).toBeUndefined()
  })

  test('runs in a server too, which tells its database and nodes, and makes no backup', async () => {
    const url = await server.create()
    const [node, other] = await Promise.all([
      start(['serve'], nodeOf(url)),
      start(['serve'], nodeOf(url)),
    ])
    const ask = (method: string, path: string) =>
      call(`${node.base}${path}`, undefined, { method, token: adminToken })
    type Told = { database: object; disk: null; node: string; nodes: { id: string }[] }

    const { json, text } = await ask('GET', '/v1/server')
    const { database, disk, node: own, nodes } = json as unknown as Told
    expect([database, disk]).toEqual([{ kind: 'postgres', bytes: null }, null])
    expect(nodes.map(({ id }) => id)).toContain(own)
    expect(nodes).toHaveLength(2)
    expect(text).not.toContain(new URL(url).pathname)
    const { items } = (await ask('POST', '/v1/server/examine')).json as unknown as {
      items: Finding[]
    }
    const found = Object.fromEntries(items.map((finding) => [finding.check, finding]))
    expect(shown(found['nodes'])).toBe('ok: 2 live')
    expect(shown(found['same settings'])).toBe(
      'ok: live servers have the same limits and other settings',
    )
    expect(shown(found['pooler'])).toBe('ok: none')
    for (const method of ['GET', 'POST']) {
      expect((await ask(method, '/v1/server/backups')).json.code).toBe('backup_elsewhere')
    }
    await Promise.all([node.stop(), other.stop()])
  })

  test('names the settings that live servers have differently, as each of them does once in its log', async () => {
    const url = await server.create()
    const adminToken = 'another-admin-token-0123456789abcdef'
    const differing = {
      OTPMINT_LIMIT_APP_STARTS_PER_MINUTE: '700',
      OTPMINT_ADMIN_TOKEN: adminToken,
      // May be another one on each machine.
      OTPMINT_CONNECTIONS_MAX: '70',
    }
    const nodes = [
      await start(['serve'], nodeOf(url)),
      await start(['serve'], nodeOf(url, differing)),
    ]
    const lines = () =>
      nodes.map((node) =>
        logLines(node.stdout()).flatMap(({ event, detail }) =>
          event === 'settings_differ' ? [detail] : [],
        ),
      )
    const names = 'OTPMINT_ADMIN_TOKEN, OTPMINT_LIMIT_APP_STARTS_PER_MINUTE'
    await eventually(() => lines().every((told) => told.length > 0))
    const { stdout } = await run(['doctor', '--json'], nodeOf(url))
    const { findings } = JSON.parse(stdout) as { findings: Finding[] }
    const output = stdout + nodes.map((node) => node.stdout()).join('')
    await Promise.all(nodes.map((node) => node.stop()))

    expect(findings.filter(({ check }) => check === 'same settings').map(shown)).toEqual([
      'warning: OTPMINT_ADMIN_TOKEN differs between live servers',
      'warning: OTPMINT_LIMIT_APP_STARTS_PER_MINUTE differs between live servers: 600 and 700',
    ])
    expect(lines()).toEqual([[names], [names]])
    expect(output).not.toContain(adminToken)
    expect(stdout).not.toMatch(/[0-9a-f]{64}/)
  })

  test('warns of time-outs that are missing or long, with the statement that sets them', async () => {
    const url = await server.create()
    const name = new URL(url).pathname.slice(1)
    await server.admin.unsafe(`alter role otpmint in database ${name} set statement_timeout = 0`)
    const found = await examine(nodeOf(url))
    expect(shown(found['time-outs'])).toBe('warning: statement_timeout is not set for otpmint')
    expect(found['time-outs']?.next).toStartWith(
      `ALTER ROLE "otpmint" SET statement_timeout = '3s'`,
    )
  })

  test('tells the mode of a pooler, and whether wake-ups go past it', async () => {
    const url = await server.create()
    const through = (mode: keyof typeof bouncers, more: Environment = {}) =>
      nodeOf(bouncers[mode].through(url), more)
    const direct = { OTPMINT_DATABASE_DIRECT_URL: url }
    const pooled = { OTPMINT_DATABASE_DIRECT_URL: bouncers.session.through(url) }
    const said = async (env: Environment) => shown((await examine(env))['pooler'])

    expect(await said(through('transaction', direct))).toBe(
      'ok: in transaction mode; wake-ups go past it',
    )
    expect(await said(through('transaction'))).toContain(
      'warning: in transaction mode, and wake-ups',
    )
    expect(await said(through('session', direct))).toBe('ok: in session mode; wake-ups go past it')
    expect(await said(through('transaction', pooled))).toContain(
      'failed: OTPMINT_DATABASE_DIRECT_URL leads through a pooler',
    )
  })

  test('and a start refuse a pooler that lets no transaction begin, and a migration through one', async () => {
    const url = await server.create()
    const statement = await run(['serve'], nodeOf(bouncers.statement.through(url)))
    expect([statement.exitCode, statement.stderr]).toEqual([
      78,
      expect.stringContaining('a pooler in statement mode'),
    ])
    const owner = bouncers.transaction.through(url.replace('//otpmint@', '//otpmint_migrate@'))
    const migrate = await run(['migrate'], nodeOf(url, { OTPMINT_DATABASE_MIGRATE_URL: owner }))
    expect([migrate.exitCode, migrate.stderr]).toEqual([
      78,
      expect.stringContaining('OTPMINT_DATABASE_MIGRATE_URL: a pooler is in between'),
    ])
  })
})

describe('the way to PostgreSQL', () => {
  const withTls = (url: string, host: string, query: string) =>
    `${url.replace('@127.0.0.1:', `@${host}:`)}?${query}`

  test('may be encrypted, with a certificate that is verified', async () => {
    const url = await server.create()
    const verified = withTls(
      url,
      'localhost',
      `sslmode=verify-full&sslrootcert=${certificate.caFile}`,
    )
    const node = await start(['serve'], nodeOf(verified))
    const pids = await server.admin.unsafe(
      `select ssl from pg_stat_ssl join pg_stat_activity using (pid) where datname = '${new URL(url).pathname.slice(1)}'`,
    )
    const found = await examine(nodeOf(verified))
    await node.stop()

    expect(pids.length).toBeGreaterThan(0)
    expect(pids.every(({ ssl }: { ssl: boolean }) => ssl)).toBe(true)
    expect(shown(found['tls'])).toMatch(/^ok: the certificate of localhost:\d+ is verified$/)

    const authority = withTls(
      url,
      '127.0.0.2',
      `sslmode=verify-ca&sslrootcert=${certificate.caFile}`,
    )
    expect(shown((await examine(nodeOf(authority)))['tls'])).toContain('and not its name')
  })

  test.each([
    ['of another authority', 'localhost', 'sslmode=verify-full', 'is not trusted'],
    [
      'for another name',
      '127.0.0.2',
      'sslmode=verify-full&sslrootcert=FILE',
      'is for another name',
    ],
  ])('is refused with a certificate %s', async (_, host, query, says) => {
    const url = withTls(await server.create(), host, query.replace('FILE', certificate.caFile))
    const { exitCode, stderr } = await run(['serve'], nodeOf(url))
    expect([exitCode, stderr]).toEqual([78, expect.stringContaining(says)])
  })

  test('may be a Unix socket, in both spellings', async () => {
    const url = await server.create()
    const name = new URL(url).pathname.slice(1)
    const socket = encodeURIComponent(server.folder)
    for (const place of [
      `postgres://otpmint@${socket}:${server.port}/${name}`,
      `postgres://otpmint@localhost:${server.port}/${name}?host=${socket}`,
    ]) {
      const node = await start(['serve'], nodeOf(place))
      expect((await call(`${node.base}/readyz`)).status).toBe(200)
      await node.stop()
    }
  })
})

test('backup and restore are left to PostgreSQL; what was put back is expired in place', async () => {
  const url = await server.create()
  const env = nodeOf(url)
  const node = await start(['serve'], env)
  const { json: app } = await call(`${node.base}/v1/apps`, { name: 'Acme' }, { token: adminToken })
  const started = await call(
    `${node.base}/v1/verifications`,
    { to: 'ada@example.com' },
    { token: app.test_key ?? '' },
  )
  for (const command of [
    ['backup', join(folder, 'copy')],
    ['restore', join(folder, 'copy')],
  ]) {
    const { exitCode, stderr } = await run(command, env)
    expect([exitCode, stderr]).toEqual([
      78,
      expect.stringContaining('PostgreSQL is backed up and restored by its own tools'),
    ])
  }
  const inPlace = await run(['restore', '--in-place', '--json'], env)
  const check = await call(
    `${node.base}/v1/verifications/${started.json.id}/check`,
    { code: '000000' },
    { token: app.test_key ?? '' },
  )
  await node.stop()

  expect(inPlace.exitCode, inPlace.stderr).toBe(0)
  expect(JSON.parse(inPlace.stdout)).toMatchObject({ expired: 1 })
  expect(check.json['code']).toBe('verification_expired')
})

test('a role of the service cannot delete audit records by itself', async () => {
  const sql = new SQL({ url: await server.create(), max: 1 })
  await expect(sql.unsafe('delete from audit')).rejects.toThrow('permission denied')
  await expect(sql.unsafe('create table mine (id int)')).rejects.toThrow('permission denied')
  await sql.close()
})
