import { afterAll, afterEach, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { waitingMax } from '../../src/domain/webhook/message.ts'
import { webhookTypes } from '../../src/domain/webhook/webhook.ts'
import { eventually, executable, killAll, scratch, start } from '../support/executable.ts'
import { freePort } from '../support/port.ts'
import { adminToken, call, createApp } from './client.ts'

setDefaultTimeout(60_000)
executable()
const root = join(import.meta.dir, '../..')
const page = await Bun.file(join(root, 'docs/events.md')).text()
const { folder, remove } = scratch()
// Below the repository, so that the receiver finds the packages.
const programs = join(root, 'dist/event-receivers')
let running: Bun.Subprocess | null = null
afterEach(async () => {
  running?.kill()
  await killAll()
})
afterAll(() => {
  remove()
  rmSync(programs, { recursive: true, force: true })
})

function program(language: string): string {
  const text = new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``).exec(page)?.[1]
  if (text === undefined) throw new Error(`docs/events.md has no receiver in ${language}`)
  return text
}

test.each([
  ['ts', 'receiver.ts', [process.execPath]],
  ['python', 'receiver.py', ['python3']],
])(
  'the receiver of docs/events.md in %s takes what is signed, once, and nothing else',
  async (language, file, runner) => {
    mkdirSync(programs, { recursive: true })
    const path = join(programs, file)
    writeFileSync(path, program(language))
    const port = freePort()
    const dataDir = join(folder, language)
    const env = { OTPMINT_DATA_DIR: dataDir, OTPMINT_EGRESS_ALLOW: '127.0.0.0/8' }
    const server = await start(['serve'], env)
    const token = adminToken(dataDir)
    const { id: app, testKey } = await createApp(server, token, { port: 25 })
    const hooks = `${server.base}/v1/apps/${app}/webhooks`
    const url = `http://127.0.0.1:${port}/`
    const added = await call(hooks, { url, test_events: true }, { token })
    const secret = String(added.json['secret'])
    const receiver = Bun.spawn([...runner, path], {
      env: { PATH: process.env['PATH'] ?? '', WEBHOOK_SECRET: secret, PORT: String(port) },
      stdout: 'pipe',
      stderr: 'inherit',
    })
    running = receiver
    let printed = ''
    const reading = (async () => {
      for await (const chunk of receiver.stdout) printed += Buffer.from(chunk).toString()
    })()
    await eventually(() => printed.includes('ready\n'))

    const to = 'ada@example.com'
    const started = await call(`${server.base}/v1/verifications`, { to }, { token: testKey })
    const { id = '' } = started.json
    await call(`${server.base}/v1/verifications/${id}/cancel`, {}, { token: testKey })
    await eventually(() => printed.includes(`verification.canceled ${id}\n`))
    const one = `${hooks}/${added.json.id}`
    expect((await call(`${one}/test`, {}, { token })).text).toBe('{"delivered":true,"code":204}')
    const settled = async () => {
      const { json } = await call(hooks, undefined, { token })
      return (json.items as unknown as { waiting: number }[])[0]?.waiting === 0
    }
    await eventually(settled)
    const again = await call(
      `${one}/replay`,
      { from: '2026-01-01T00:00:00Z', only_dead: false },
      { token },
    )
    expect(Number(again.json['replayed'])).toBeGreaterThan(0)
    await eventually(settled)
    expect(printed.split(`verification.canceled ${id}\n`)).toHaveLength(2)
    const rotated = await call(`${one}/rotate`, { keep_former_seconds: 0 }, { token })
    expect(rotated.status).toBe(200)
    expect((await call(`${one}/test`, {}, { token })).text).toBe('{"delivered":false,"code":401}')
    expect((await fetch(url, { method: 'POST', body: '{}' })).status).toBe(401)

    receiver.kill()
    await reading
    await server.stop()
  },
)

test('docs/events.md names every type and the bound of what may wait', () => {
  const rows = [...page.matchAll(/^\| `([a-z.]+)` \|/gm)].map(([, type = '']) => type)
  expect(rows).toEqual([...webhookTypes])
  expect(page).toContain(`At most ${waitingMax.toLocaleString('en')} messages wait`)
})
