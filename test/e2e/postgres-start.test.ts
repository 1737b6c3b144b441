import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SQL } from 'bun'
import { type Environment, run, start } from '../support/executable.ts'
import { call } from './client.ts'
import { clusterOnServer } from './postgres-cluster.ts'

setDefaultTimeout(60_000)
const place = clusterOnServer()
const { adminToken, nodeOf, folder } = place

/** What a start says that is refused with 78. */
async function refusalOf(env: Environment, command = ['serve']): Promise<string[]> {
  const { exitCode, stdout, stderr } = await run(command, env)
  expect([exitCode, stdout], stderr).toEqual([78, ''])
  return stderr.trim().split('\n')
}

async function as(url: string, statements: string): Promise<unknown[]> {
  const sql = new SQL({ url, max: 1 })
  const rows = await sql.unsafe(statements)
  await sql.close()
  return rows
}

const owner = (url: string) => url.replace('//otpmint@', '//otpmint_migrate@')
const superuser = (url: string) => url.replace('//otpmint@', '//postgres@')

describe('a server over PostgreSQL', () => {
  test('starts on a migrated database, is ready, and makes no file with a secret', async () => {
    const env = nodeOf(await place.server.create())
    const node = await start(['serve'], env)
    const ready = await call(`${node.base}/readyz`)
    const apps = await call(`${node.base}/v1/apps`, undefined, { token: adminToken })
    const stopped = await node.stop()

    expect([ready.status, apps.status, stopped]).toEqual([200, 200, 0])
    const left = await as(superuser(env['OTPMINT_DATABASE_URL'] ?? ''), 'select id from nodes')
    expect(left).toHaveLength(0)
    const { stdout } = await Bun.$`ls ${env['OTPMINT_DATA_DIR'] ?? ''}`.quiet()
    expect(stdout.toString().split('\n').filter(Boolean)).toEqual(['serve.lock'])
  })

  test('runs where it cannot write a directory, and commands reach the same database', async () => {
    const url = await place.server.create()
    const env = nodeOf(url, { OTPMINT_DATA_DIR: '/proc/nowhere' })
    const node = await start(['serve'], env)
    const created = await run(['app', 'create', 'Acme', '--json'], env)
    const apps = await call(`${node.base}/v1/apps`, undefined, { token: adminToken })
    await node.stop()

    expect(created.exitCode, created.stderr).toBe(0)
    expect(apps.text).toContain('Acme')
  })

  test('generates neither master key nor admin token', async () => {
    const {
      OTPMINT_MASTER_KEY: _,
      OTPMINT_ADMIN_TOKEN: __,
      ...env
    } = nodeOf(await place.server.create())
    expect(await refusalOf(env)).toEqual([
      expect.stringContaining('there is no master key, and with PostgreSQL none is generated'),
      expect.stringContaining('there is no admin token, and with PostgreSQL none is generated'),
    ])
  })
})

describe('a migration', () => {
  test('is needed before a start without its role, and done by "otpmint migrate"', async () => {
    const url = place.server.url(await place.server.createEmpty(), 'otpmint')
    const env = nodeOf(url)
    expect(await refusalOf(env)).toEqual([
      expect.stringMatching(/^otpmint: OTPMINT_DATABASE_URL: .*run "otpmint migrate" with OTPMINT/),
    ])
    expect(await refusalOf(env, ['migrate'])).toEqual([
      'otpmint: OTPMINT_DATABASE_MIGRATE_URL is missing: the role that owns the tables',
    ])

    const withOwner = { ...env, OTPMINT_DATABASE_MIGRATE_URL: owner(url) }
    const first = await run(['migrate', '--json'], withOwner)
    const second = await run(['migrate'], withOwner)
    const node = await start(['serve'], env)
    await node.stop()

    expect([first.exitCode, JSON.parse(first.stdout)]).toEqual([
      0,
      { before: 0, after: 1, older: 0, contracted: true },
    ])
    expect(second.stdout).toBe('schema 1: nothing to do\n')
  })

  test('is done once by ten servers that start at once on an empty database', async () => {
    const url = place.server.url(await place.server.createEmpty(), 'otpmint')
    const more = { OTPMINT_DATABASE_MIGRATE_URL: owner(url) }
    const nodes = await Promise.all(
      Array.from({ length: 10 }, () => start(['serve'], nodeOf(url, more), { withinMs: 50_000 })),
    )
    const states = await Promise.all(nodes.map(({ base }) => call(`${base}/readyz`)))
    const stopped = await Promise.all(nodes.map((node) => node.stop()))

    expect(states.map(({ status }) => status)).toEqual(Array(10).fill(200))
    expect(stopped).toEqual(Array(10).fill(0))
  })
})

describe('a start is refused', () => {
  test('with everything that is wrong in the URLs at once, and without their passwords', async () => {
    const lines = await refusalOf({
      OTPMINT_DATABASE_URL: 'postgres://otpmint:canary@db.example.com/otpmint?sslmode=require',
      OTPMINT_DATABASE_DIRECT_URL: 'postgres://otpmint:canary@10.0.0.1/otpmint?sslmode=disable',
      OTPMINT_DATABASE_MIGRATE_URL: 'postgres://otpmint:canary@127.0.0.1?statement_timeout=3',
      OTPMINT_DATA_DIR: join(folder, 'never'),
    })
    const says = [
      /_URL has an sslmode that would let anybody between here and db.example.com read/,
      /_DIRECT_URL has an sslmode that would let anybody between here and 10.0.0.1 read/,
      /_MIGRATE_URL must name a database/,
      /_MIGRATE_URL takes the parameters sslmode, sslrootcert, host only/,
      /there is no master key/,
      /there is no admin token/,
    ]
    for (const pattern of says) expect(lines.filter((line) => pattern.test(line))).toHaveLength(1)
    expect(lines).toHaveLength(says.length)
    expect(lines.join()).not.toContain('canary')
  })

  test('where the role may do too much: a superuser, the owner, and what PUBLIC may', async () => {
    const url = await place.server.create()
    expect(await refusalOf(nodeOf(superuser(url)))).toEqual([
      expect.stringContaining('role postgres is or may superuser, CREATEROLE'),
    ])
    expect(await refusalOf(nodeOf(owner(url)))).toEqual([
      expect.stringContaining('role otpmint_migrate may define tables in schema public'),
      expect.stringContaining('role otpmint_migrate owns'),
    ])
    await as(
      owner(url),
      'grant create on schema public to public; grant truncate on apps to public',
    )
    expect(await refusalOf(nodeOf(url))).toEqual([
      expect.stringContaining('role otpmint may define tables in schema public'),
      expect.stringContaining('role otpmint may do too much with apps (truncate)'),
    ])
  })

  test('where the role may do too little, until it is granted by "otpmint migrate"', async () => {
    const url = await place.server.create()
    await as(
      owner(url),
      `revoke update, delete on verifications from otpmint; revoke select on meta from otpmint;
      revoke execute on function cut_audit_v1() from otpmint`,
    )
    expect(await refusalOf(nodeOf(url))).toEqual([
      expect.stringMatching(
        /too little with meta \(select\), verifications \((update, delete|delete, update)\)/,
      ),
      expect.stringContaining('may not call cut_audit_v1'),
    ])
    const migrated = await run(
      ['migrate'],
      nodeOf(url, { OTPMINT_DATABASE_MIGRATE_URL: owner(url) }),
    )
    expect(migrated.exitCode, migrated.stderr).toBe(0)
    await (await start(['serve'], nodeOf(url))).stop()
  })

  test('where the schema is newer, or another application has the tables', async () => {
    const newer = await place.server.create()
    await as(owner(newer), 'insert into schema_version (version) values (7)')
    const says = 'The database has schema 7, this executable knows 1: use a newer otpmint'
    expect(await refusalOf(nodeOf(newer))).toEqual([`otpmint: ${says}`])
    const withOwner = nodeOf(newer, { OTPMINT_DATABASE_MIGRATE_URL: owner(newer) })
    expect(await refusalOf(withOwner, ['migrate'])).toEqual([`otpmint: ${says}`])

    const foreign = place.server.url(await place.server.createEmpty(), 'otpmint')
    await as(owner(foreign), 'create table customers (id int)')
    expect((await refusalOf(nodeOf(foreign)))[0]).toContain('tables of another application')
    expect(
      await refusalOf(nodeOf(foreign, { OTPMINT_DATABASE_MIGRATE_URL: owner(foreign) })),
    ).toEqual([
      expect.stringContaining('schema public has a table customers of another application'),
    ])
  })

  test('with the master key of another cluster, whose nodes go on', async () => {
    const url = await place.server.create()
    const node = await start(['serve'], nodeOf(url))
    const other = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64')
    expect(await refusalOf(nodeOf(url, { OTPMINT_MASTER_KEY: other }))).toEqual([
      expect.stringContaining("the master key is not this database's"),
      expect.stringContaining('1 node of another cluster serves this database'),
    ])
    expect((await call(`${node.base}/readyz`)).status).toBe(200)
    await node.stop()
  })

  test('where two URLs lead to different databases', async () => {
    const url = await place.server.create()
    const env = nodeOf(url, { OTPMINT_DATABASE_DIRECT_URL: await place.server.create() })
    expect(await refusalOf(env)).toEqual([
      'otpmint: OTPMINT_DATABASE_DIRECT_URL leads to another database than OTPMINT_DATABASE_URL',
    ])
  })

  test('of developer mode, which has a database of its own', async () => {
    expect(await refusalOf(nodeOf(await place.server.create()), ['serve', '--dev'])).toEqual([
      expect.stringContaining('OTPMINT_DATABASE_URL'),
    ])
  })

  test('with one sentence where the database, the role or the server is not there', async () => {
    const url = await place.server.create()
    expect(await refusalOf(nodeOf(url.replace(/[^/]+$/, 'nowhere')))).toEqual([
      expect.stringContaining('has no database nowhere'),
    ])
    const away = await run(['serve'], nodeOf('postgres://otpmint:canary@127.0.0.1:1/otpmint'))
    expect([away.exitCode, away.stderr]).toEqual([
      1,
      'otpmint: OTPMINT_DATABASE_URL: 127.0.0.1:1 cannot be used (ERR_POSTGRES_CONNECTION_REFUSED)\n',
    ])
  })
})

test('the URLs are not in the log, the report of doctor or what a failed start says', async () => {
  const url = (await place.server.create()).replace('//otpmint@', '//otpmint:canary-password@')
  const file = join(folder, 'url')
  writeFileSync(file, url, { mode: 0o600 })
  const env = nodeOf(url)
  delete env['OTPMINT_DATABASE_URL']
  const withFile = { ...env, OTPMINT_DATABASE_URL_FILE: file, OTPMINT_LOG_LEVEL: 'debug' }
  const node = await start(['serve'], withFile)
  const doctor = await run(['doctor', '--json'], withFile)
  await node.stop()
  const wrong = await run(['serve'], {
    ...withFile,
    OTPMINT_DATABASE_DIRECT_URL: 'postgres://otpmint:canary-direct@127.0.0.1:1/otpmint',
  })

  expect(doctor.stdout).toContain('those of the server that runs on')
  for (const text of [node.stdout(), node.stderr(), doctor.stdout, doctor.stderr, wrong.stderr]) {
    expect(text).not.toContain('canary')
  }
  expect(wrong.exitCode).toBe(1)
})
