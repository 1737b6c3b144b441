import { afterAll, afterEach, expect, setDefaultTimeout, test } from 'bun:test'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { eventually, executable, killAll, run, scratch, start } from '../support/executable.ts'
import { adminToken, call, createApp } from './client.ts'
import { mailSink } from './mail-sink.ts'

setDefaultTimeout(90_000)
executable()
const { folder, remove } = scratch()
afterEach(killAll)
afterAll(remove)

const library = ['x86_64-linux-gnu', 'aarch64-linux-gnu']
  .map((triple) => `/usr/lib/${triple}/faketime/libfaketimeMT.so.1`)
  .find((path) => existsSync(path))

type Shown = {
  explanation: string
  options: { endpoint: string; approved_percent: number | null }[]
}

test('mail leaves a server whose messages nobody reads, and the verification says why', async () => {
  if (!library) throw new Error('libfaketime is missing: install the package faketime')
  const clock = join(folder, 'clock')
  const jump = (offset: string) => writeFileSync(clock, `${offset}\n`)
  jump('+0')
  const dataDir = join(folder, 'data')
  const environment = {
    OTPMINT_DATA_DIR: dataDir,
    LD_PRELOAD: library,
    FAKETIME_TIMESTAMP_FILE: clock,
    FAKETIME_NO_CACHE: '1',
    DONT_FAKE_MONOTONIC: '1',
  }
  const server = await start(['serve'], environment)
  const token = adminToken(dataDir)
  const [swallowing, working] = [await mailSink(), await mailSink()]
  const policy = { learned_route: true }
  const app = await createApp(server, token, { port: swallowing.port, policy })
  const url = `${server.base}/v1/verifications`
  const email = { host: '127.0.0.1', port: working.port, security: 'none', user: null }
  const body = { channel: 'email', email: { ...email, from: 'no-reply@acme.test' } }
  const added = await call(`${server.base}/v1/apps/${app.id}/endpoints`, body, { token })
  const second = added.json.id ?? ''

  /** Starts as many, and types the codes of those that the working server got. */
  async function send(count: number, name: string): Promise<{ ids: string[]; arrived: number }> {
    const persons = Array.from({ length: count }, (_, index) => `${name}${index}@example.com`)
    const ids = await Promise.all(
      persons.map(async (to) => (await call(url, { to }, { token: app.liveKey })).json.id ?? ''),
    )
    const got = (to: string) => swallowing.to(to).length + working.to(to).length
    await eventually(() => persons.every((to) => got(to) === 1))
    const read = persons.map((to) => working.to(to)[0]?.code)
    const checks = read.map((code, index) =>
      code === undefined
        ? null
        : call(`${url}/${ids[index]}/check`, { code }, { token: app.liveKey }),
    )
    for (const check of checks) if (check) expect((await check).json.valid).toBe(true)
    return { ids, arrived: read.filter((code) => code !== undefined).length }
  }
  const counted = async () => {
    const answer = await call(`${server.base}/v1/stats?by=endpoint,domain`, undefined, { token })
    const items = (answer.json.items ?? []) as unknown as { handed_over: number }[]
    return items.reduce((sum, item) => sum + item.handed_over, 0)
  }
  const learned = (messages: number) =>
    eventually(async () => (await counted()) === messages, 25_000)

  const before = await send(40, 'before')
  jump('+3m')
  await learned(40)
  const between = await send(40, 'between')
  jump('+6m')
  await learned(80)
  const after = await send(40, 'after')
  const details = await call(`${url}/${after.ids[0]}`, undefined, { token: app.liveKey })
  const stats = await run(['stats', '--by', 'endpoint,domain'], environment)
  const shown = await run(['verification', 'show', app.id, after.ids[0] ?? ''], environment)

  expect(before.arrived).toBeLessThan(10)
  expect(between.arrived).toBeGreaterThan(25)
  expect(after.arrived).toBeGreaterThan(30)
  const [delivery] = details.json.deliveries ?? []
  const chosen = (delivery as unknown as { chosen: Shown }).chosen
  expect(chosen.options.find(({ endpoint }) => endpoint === second)?.approved_percent).toBe(100)
  expect(chosen.explanation).toMatch(/^(100 % approved here, 0 % there|0 % approved here, 100 %)/)
  expect(shown.stdout).toContain(chosen.explanation)
  expect(stats.stdout).toMatch(
    new RegExp(`${app.id}\\t${second}\\texample\\.com\\t\\d+\\t\\d+\\t1\\n`),
  )
  await Promise.all([swallowing.close(), working.close()])
  expect(await server.stop()).toBe(0)
})
