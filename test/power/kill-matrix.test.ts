import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { adminToken, call, createApp, wrongCode } from '../e2e/client.ts'
import { type MailSink, mailSink } from '../e2e/mail-sink.ts'
import {
  eventually,
  executable,
  killAll,
  run,
  type Server,
  scratch,
  start,
} from '../support/executable.ts'
import { again, environmentOf, inside, killAtEach, killsOf, type Place, serving } from './kills.ts'
import { askWithToken } from './live.ts'

setDefaultTimeout(120_000)
executable()
const { folder, remove } = scratch()
/** Kills at each kind of plain write; at names and fsyncs every call is tried. */
const writesMax = 2
const template = join(folder, 'template')
let sink: MailSink
let liveKey: string
/** The id and the valid code of a verification. */
let good: { id: string; code: string }
/** The status of each verification before the kills, and after a restore. */
let former: States
let restored: States
let asked = 0

type States = Record<string, string>

beforeAll(async () => {
  sink = await mailSink()
  await install()
})
afterEach(killAll)
afterAll(async () => {
  await sink.close()
  remove()
})

test('a backup that is killed at any call harms nothing, and is made when run again', async () => {
  const command = ['backup', '{}/new.db']
  const breaches = await breachesOf('backup', command, async (killed) => {
    const said = await complaintsAbout(killed, [former])
    const target = join(killed, 'new.db')
    const repeated = await again(killed, command)
    // The second run finds the first run's backup, which must be complete.
    if (repeated.length > 0 && !existsSync(target)) return [...said, ...repeated]
    const fresh = join(killed, 'fresh')
    mkdirSync(join(fresh, 'data'), { recursive: true })
    copyFileSync(join(killed, 'data/master.key'), join(fresh, 'data/master.key'))
    const whole = await again(fresh, ['restore', target])
    if (whole.length > 0) return [...said, ...repeated, ...whole]
    const all = Object.fromEntries(Object.entries(former).map(([id, was]) => [id, endOf(was)]))
    return [...said, ...(await complaintsAbout(fresh, [all]))]
  })

  expect(breaches).toEqual([])
})

test('a restore that is killed at any call leaves all of the old or all of the new', async () => {
  const command = ['restore', '--force', '{}/backup.db']
  const breaches = await breachesOf('restore', command, async (killed) => {
    const said = await complaintsAbout(killed, [former, restored], { refusal: /restore/ })
    const repeated = await again(killed, command)
    return [...said, ...repeated, ...(await complaintsAbout(killed, [restored]))]
  })

  expect(breaches).toEqual([])
})

test('a rotation that is killed at any call loses no master key and no code', async () => {
  const command = ['key', 'rotate']
  const beside = async (server: Server) => {
    const found = await statesOf(server)
    return Bun.deepEquals(found, former) ? [] : ['the server that ran beside it has lost its way']
  }
  const breaches = await breachesOf(
    'rotate',
    command,
    async (killed) => {
      const said = await complaintsAbout(killed, [former], { also: stillSends })
      const repeated = await again(killed, command)
      return [...said, ...repeated, ...(await complaintsAbout(killed, [former]))]
    },
    { beside },
  )

  expect(breaches).toEqual([])
})

test('a first start that is killed at any call is followed by one that can be used', async () => {
  const empty = join(folder, 'empty')
  mkdirSync(join(empty, 'data'), { recursive: true })
  const breaches = await breachesOf('first', ['serve'], looksUsable, { from: empty })

  expect(breaches).toEqual([])
})

async function breachesOf(
  name: string,
  command: string[],
  look: (folder: string) => Promise<string[]>,
  { from = template, beside }: { from?: string; beside?: Place['beside'] } = {},
): Promise<string[]> {
  const kills = await killsOf(from, join(folder, name, 'counted'), command, writesMax)
  // A command that makes none of these calls would pass without a kill.
  expect(kills.filter(({ call }) => call !== 'write').length).toBeGreaterThan(5)
  const place: Place = {
    ...{ template: from, folder: join(folder, name), command },
    ...(beside && { beside }),
  }
  const { breaches, killed } = await killAtEach(kills, place, look)
  expect(killed).toBeGreaterThan(0.8 * kills.length)
  return breaches
}

async function looksUsable(killed: string): Promise<string[]> {
  const keyBefore = readIfThere(join(killed, 'data/master.key'))
  return serving(killed, async (server, dataDir) => {
    const said = await askWithToken(server, dataDir)
    const keyAfter = readIfThere(join(dataDir, 'master.key'))
    if (keyBefore !== null && keyBefore !== keyAfter) said.push('the master key was replaced')
    if (said.length > 0) return said
    await createApp(server, adminToken(dataDir), { port: sink.port })
    return []
  }).catch((error: unknown) => [String(error)])
}

type Also = {
  /** The message of a server that may refuse to start. */
  refusal?: RegExp
  also?: (server: Server) => Promise<string[]>
}

/** Starts a server on what a kill left, which must be in one of these states. */
async function complaintsAbout(
  killed: string,
  allowed: States[],
  { refusal, also = async () => [] }: Also = {},
): Promise<string[]> {
  try {
    return await serving(killed, async (server) => {
      const found = await statesOf(server)
      const fits = allowed.some((states) => Bun.deepEquals(states, found))
      const said = fits ? [] : [`the server says ${JSON.stringify(Object.values(found))}`]
      return [...said, ...(await also(server))]
    })
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error)
    return refusal?.test(words.replaceAll(killed, '')) ? [] : [words]
  }
}

/** Checks that an earlier code is accepted, and that the data key opens: a mail is sent. */
async function stillSends({ base }: Server): Promise<string[]> {
  const token = liveKey
  const { id, code } = good
  const to = `k${asked++}@example.com`
  const checked = await call(`${base}/v1/verifications/${id}/check`, { code }, { token })
  const said = checked.json.valid === true ? [] : [`a live code gets ${checked.text}`]
  const started = await call(`${base}/v1/verifications`, { to }, { token })
  if (started.status !== 201) return [...said, `a start gets ${started.text}`]
  await eventually(() => sink.to(to).length > 0)
  return said
}

async function statesOf({ base }: Server): Promise<States> {
  const ids = Object.keys(former ?? {})
  const states = ids.map(async (id) => {
    const { status, json } = await call(`${base}/v1/verifications/${id}`, undefined, {
      token: liveKey,
    })
    return [id, status === 200 ? `${json.status}, ${json.attempts_left} left` : String(status)]
  })
  return Object.fromEntries(await Promise.all(states))
}

/** Checks that a restore has ended all pending verifications. */
function endOf(state: string): string {
  return state.replace('pending', 'expired')
}

/** Creates an app, a backup, and later changes that are in the log when the server is killed. */
async function install(): Promise<void> {
  const dataDir = join(template, 'data')
  mkdirSync(dataDir, { recursive: true })
  const server = await start(['serve'], environmentOf(template))
  liveKey = (await createApp(server, adminToken(dataDir), { port: sink.port })).liveKey
  const ask = async (path: string, body: unknown) => {
    const url = `${server.base}/v1/verifications${path}`
    return (await call(url, body, { token: liveKey })).json
  }
  const mint = async (to: string) => {
    const { id = '' } = await ask('', { to })
    await eventually(() => sink.to(to).length > 0)
    return { id, code: sink.to(to)[0]?.code ?? '' }
  }
  const wrong = ({ id, code }: typeof good) => ask(`/${id}/check`, { code: wrongCode(code) })
  const right = ({ id, code }: typeof good) => ask(`/${id}/check`, { code })

  const [failed, used, canceled] = [
    await mint('a@b.test'),
    await mint('c@b.test'),
    await mint('d@b.test'),
  ]
  await wrong(failed)
  await right(used)
  await ask(`/${canceled.id}/cancel`, {})
  const made = await run(inside(template, ['backup', '{}/backup.db']), environmentOf(template))
  expect(made.stderr).not.toContain('cannot')
  former = Object.fromEntries([failed, used, canceled].map(({ id }) => [id, '']))
  const inBackup = await statesOf(server)
  const late = await mint('e@b.test')
  good = await mint('f@b.test')
  await right(failed)
  await right(late)
  await wrong(good)
  former = { ...former, [late.id]: '', [good.id]: '' }
  former = await statesOf(server)
  restored = Object.fromEntries(Object.keys(former).map((id) => [id, endOf(inBackup[id] ?? '404')]))
  await server.kill()
  expect(readdirSync(dataDir)).toContain('otpmint.db-wal')
}

function readIfThere(path: string): string | null {
  return existsSync(path) ? readFileSync(path, 'utf8') : null
}
