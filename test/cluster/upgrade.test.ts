import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { SQL } from 'bun'
import { call, createApp, wrongCode } from '../e2e/client.ts'
import { type MailSink, mailSink } from '../e2e/mail-sink.ts'
import { cluster } from '../e2e/postgres-cluster.ts'
import { type PostgresServer, startPostgres } from '../postgres/server.ts'
import {
  type Environment,
  eventually,
  executable,
  finished,
  killAll,
  run,
  scratch,
  start,
} from '../support/executable.ts'
import { buildNext } from './upgrade/build.ts'

setDefaultTimeout(240_000)
executable()
const { folder, remove } = scratch()
const built = scratch()
const { adminToken, nodeOf } = cluster(folder)
let server: PostgresServer
let sink: MailSink
let program: string

beforeAll(async () => {
  program = buildNext(built.folder)
  server = await startPostgres()
  sink = await mailSink()
})
afterEach(killAll)
afterAll(async () => {
  remove()
  built.remove()
  await sink.close()
  await server.stop()
})

type Place = { url: string; env: Environment; owner: SQL; ofOwner: Environment }

/** A database of this version, which the role of the migrations owns. */
async function createPlace(): Promise<Place> {
  const url = server.url(await server.createEmpty(), 'otpmint')
  const ownerUrl = url.replace('//otpmint@', '//otpmint_migrate@')
  const env = nodeOf(url)
  const ofOwner = { ...env, OTPMINT_DATABASE_MIGRATE_URL: ownerUrl }
  expect((await run(['migrate'], ofOwner)).exitCode).toBe(0)
  return { url, env, ofOwner, owner: new SQL({ url: ownerUrl, max: 1 }) }
}

/** Runs `otpmint migrate` of the next version. */
async function migrateOn({ ofOwner }: Place): Promise<unknown> {
  const { exitCode, stdout, stderr } = await finished([program, 'migrate', '--json'], ofOwner)
  expect(exitCode, stderr).toBe(0)
  return JSON.parse(stdout)
}

/** Verifies people over and over: each step at the next of the nodes that are there. */
function keepVerifying(key: string) {
  const nodes: string[] = []
  const faults: string[] = []
  let approved = 0
  let asked = 0
  let isOver = false

  async function ask(path: string, body: unknown, status: number) {
    const answer = await call(`${nodes[asked++ % nodes.length]}/v1/verifications${path}`, body, {
      token: key,
    })
    if (answer.status !== status) faults.push(`${path || 'start'}: ${answer.status} ${answer.text}`)
    return answer.json
  }
  async function verify(to: string) {
    const { id } = await ask('', { to }, 201)
    await eventually(() => sink.to(to).length > 0)
    const code = sink.to(to)[0]?.code ?? ''
    await ask(`/${id}/check`, { code: wrongCode(code) }, 200)
    if ((await ask(`/${id}/check`, { code }, 200)).valid === true) approved++
  }
  async function work(worker: number) {
    for (let round = 0; !isOver; round++) {
      await verify(`w${worker}-${round}-${key.slice(-6).toLowerCase()}@example.com`).catch(
        (error) => {
          faults.push(String(error))
        },
      )
    }
  }
  let working: Promise<unknown> = Promise.resolve()
  return {
    begin(first: string) {
      nodes.push(first)
      working = Promise.all([0, 1, 2].map(work))
    },
    nodes,
    /** Waits until so many more were approved. */
    async more(count: number) {
      const enough = approved + count
      await eventually(() => approved >= enough || faults.length > 0, 60_000)
    },
    async end() {
      isOver = true
      await working
      return { faults: faults.slice(0, 5), approved }
    },
  }
}

test('nodes of two versions serve the same verifications while the schema is moved on', async () => {
  const place = await createPlace()
  const old = await start(['serve'], place.env)
  const { liveKey, id } = await createApp(old, adminToken, { port: sink.port })
  const people = keepVerifying(liveKey)
  people.begin(old.base)
  await people.more(10)

  const expanded = await migrateOn(place)
  await people.more(10)
  const next = await start(['serve'], nodeOf(place.url), { program })
  people.nodes.push(next.base)
  await people.more(20)
  const again = await migrateOn(place)
  await people.more(10)
  people.nodes.splice(0, 1)
  await people.more(10)
  await old.stop()
  const contracted = await migrateOn(place)
  await people.more(10)
  const { faults, approved } = await people.end()

  expect([expanded, again, contracted]).toEqual([
    { before: 1, after: 2, older: 1, contracted: false },
    { before: 2, after: 2, older: 1, contracted: false },
    { before: 2, after: 2, older: 0, contracted: true },
  ])
  expect(faults).toEqual([])
  expect(approved).toBeGreaterThanOrEqual(70)
  const [app] = await place.owner.unsafe('select label from apps where id = $1', [id])
  expect(app.label).toBe('ACME')
  const left = await place.owner.unsafe(`select proname from pg_proc where proname ~ '_v1$'`)
  expect([...left]).toEqual([])
  await next.stop()
  await place.owner.close()
})

test('a node of the version before that was silent while its schema was taken away refuses', async () => {
  const place = await createPlace()
  const old = await start(['serve'], place.env)
  const { liveKey } = await createApp(old, adminToken, { port: sink.port })
  await migrateOn(place)

  process.kill(old.pid, 'SIGSTOP')
  let contracted: unknown
  await eventually(async () => {
    contracted = await migrateOn(place)
    return JSON.stringify(contracted).includes('"contracted":true')
  }, 60_000)
  process.kill(old.pid, 'SIGCONT')

  const asked = Array.from({ length: 20 }, (_, index) =>
    call(`${old.base}/v1/verifications`, { to: `late${index}@example.com` }, { token: liveKey }),
  )
  const statuses = new Set((await Promise.all(asked)).map(({ status }) => status))
  const ready = await call(`${old.base}/readyz`)
  const { exitCode, stderr } = await run(['serve'], nodeOf(place.url))

  expect([...statuses]).toEqual([503])
  expect(ready.status).toBe(503)
  expect(exitCode).toBe(78)
  expect(stderr).toContain('The database has schema 2, this executable knows 1')
  expect(sink.mails.filter(({ raw }) => raw.includes('late'))).toEqual([])
  await place.owner.close()
})
