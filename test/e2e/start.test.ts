import { afterAll, afterEach, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  eventually,
  executable,
  finished,
  killAll,
  type Server,
  scratch,
  start,
} from '../support/executable.ts'
import { call } from './client.ts'

setDefaultTimeout(30_000)
executable()
const { folder, remove } = scratch()
afterEach(killAll)
afterAll(remove)

/** The lines are printed after the log line `listening`. */
async function curlLines({ stderr }: Server): Promise<string[]> {
  await eventually(() => stderr().includes('Ctrl-C'))
  return stderr().match(/^curl .+$/gm) ?? []
}

test('the first three curl lines of serve --dev start a verification and check its code', async () => {
  const server = await start(['serve', '--dev'], {}, { cwd: folder })
  const lines = (await curlLines(server)).slice(0, 3)
  const answers: string[] = []
  for (const line of lines) {
    const { exitCode, stdout, stderr } = await finished(['bash', '-c', line])
    expect(exitCode, stderr).toBe(0)
    answers.push(stdout)
  }
  const page = await call(`${server.base}/dev/inbox`)
  const [, path = ''] = /<script type="module" src="([^"]+)"/.exec(page.text) ?? []
  const script = await call(`${server.base}${path}`)
  await server.stop()

  expect(lines).toHaveLength(3)
  const [started = '', inbox = '', checked = ''] = answers
  expect(JSON.parse(started)).toMatchObject({ status: 'pending', channel: 'inbox' })
  expect(JSON.parse(inbox)).toMatchObject({ items: [{ subject: expect.any(String) }] })
  expect(JSON.parse(checked)).toMatchObject({ valid: true, status: 'approved' })
  expect(page.status).toBe(200)
  expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
  expect(path).toStartWith('/ui/main-')
  expect(script.status).toBe(200)
})

test('the last three curl lines of serve --dev are the original API, word for word', async () => {
  const server = await start(['serve', '--dev'], {}, { cwd: folder })
  const lines = (await curlLines(server)).slice(3)
  const answers: string[] = []
  for (const line of lines) {
    const { exitCode, stdout, stderr } = await finished(['bash', '-c', line])
    expect(exitCode, stderr).toBe(0)
    answers.push(stdout.trim())
  }
  await server.stop()

  expect(answers).toEqual([
    'Registration of secretKey succeeded.',
    expect.stringMatching(/^[0-9A-Za-z]{30}$/),
    'OTP Matched!',
  ])
})

test('the printed lines work a second time, for a new address', async () => {
  const server = await start(['serve', '--dev'], {}, { cwd: folder })
  const [first = ''] = await curlLines(server)
  const again = first.replace('date +%s', 'date +%s%N')
  const answers = [await finished(['bash', '-c', first]), await finished(['bash', '-c', again])]
  const stopped = await server.stop()

  for (const { stdout } of answers) expect(JSON.parse(stdout)).toMatchObject({ status: 'pending' })
  expect(stopped).toBe(0)
})

test('serve --dev leaves no data directory and no file', async () => {
  const own = join(folder, 'tmp')
  mkdirSync(own)
  const server = await start(['serve', '--dev'], { TMPDIR: own }, { cwd: folder })
  const before = [...new Bun.Glob('**').scanSync({ cwd: own, dot: true })]
  await server.stop()
  const after = [...new Bun.Glob('**').scanSync({ cwd: own, dot: true })]

  expect(before.some((path) => path.endsWith('otpmint.db'))).toBe(true)
  expect(after.filter((path) => !path.endsWith('.node'))).toEqual([])
})

test('NODE_ENV=development in the environment makes no answer reveal internals', async () => {
  const env = { NODE_ENV: 'development', ENV: 'development', OTPMINT_DATA_DIR: join(folder, 'dev') }
  const { base, stop, stdout } = await start(['serve'], env, { cwd: folder })
  const answers = [
    await call(`${base}/nowhere`),
    await call(`${base}/v1/apps`, undefined, { raw: '{"broken' }),
    await call(`${base}/verify-otp`, undefined, { raw: '{"broken' }),
    await call(`${base}/verify-otp`, { shareableKey: { toString: 1 }, otp: [] }),
    await call(`${base}/%ff%00`),
    await call(`${base}/v1/verifications/%2e%2e`, undefined, { method: 'PUT' }),
    await call(`${base}/otp`, { mail: 'a@example.com', secretKey: 'x'.repeat(9000) }),
  ]
  await stop()

  for (const { status, text } of answers) {
    expect(status).toBeGreaterThanOrEqual(400)
    expect(status).toBeLessThan(500)
    expect(text).not.toMatch(/\bat \S+ \(|\.ts\b|\.js:|bunfs|stack|elysia|typebox|node_modules/i)
  }
  expect(stdout()).not.toContain('development')
})

test('a .env and a bunfig.toml in the working directory have no effect', async () => {
  const cwd = join(folder, 'cwd')
  mkdirSync(cwd)
  const trace = join(cwd, 'preloaded')
  writeFileSync(join(cwd, 'preload.ts'), `require('node:fs').writeFileSync('${trace}', '')`)
  writeFileSync(join(cwd, 'bunfig.toml'), 'preload = ["./preload.ts"]\n')
  writeFileSync(join(cwd, '.env'), 'OTPMINT_DEVELOPER_MODE=true\nOTPMINT_NONSENSE=1\n')
  writeFileSync(join(cwd, '.env.production'), 'OTPMINT_OPEN_REGISTRATION=true\n')
  const server = await start(['serve'], { OTPMINT_DATA_DIR: join(cwd, 'data') }, { cwd })
  const inbox = await call(`${server.base}/dev/inbox`)
  const registration = await call(`${server.base}/reg_secretkey`, {})
  await server.stop()

  expect(await Bun.file(trace).exists()).toBe(false)
  expect(inbox.status).toBe(404)
  expect(registration.status).toBe(401)
})
