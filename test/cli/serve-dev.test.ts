import { afterEach, expect, test } from 'bun:test'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../../src/cli/run.ts'
import { command, type Served, served, temporary, terminal } from './terminal.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

async function start(argv: string[] = [], given = {}): Promise<Served> {
  const server = await served(['--dev', ...argv], given)
  cleanups.push(server.stop)
  while (!server.io.errors().includes('Ctrl-C')) await Bun.sleep(5)
  return server
}

function curlLines({ io }: Served): string[] {
  return io
    .errors()
    .split('\n')
    .filter((line) => line.startsWith('curl '))
}

async function shell(line: string): Promise<string> {
  const child = Bun.spawn(['sh', '-c', line], { stdout: 'pipe', stderr: 'pipe' })
  const text = await new Response(child.stdout).text()
  await child.exited
  return text.trimEnd()
}

async function shellJson(line: string) {
  return JSON.parse(await shell(line))
}

test('the first three printed lines start a verification, show its code and check it', async () => {
  const server = await start()
  const [mint = '', show = '', check = ''] = curlLines(server)

  const started = await shellJson(mint)
  const inbox = await shellJson(show)
  const checked = await shellJson(check)

  expect(started).toMatchObject({ status: 'pending', delivery: { status: 'sent' } })
  expect(inbox.items[0].code).toMatch(/^\d{6}$/)
  expect(checked).toMatchObject({ valid: true, id: started.id, status: 'approved' })
})

test('the last three printed lines do the same through the original API', async () => {
  const server = await start()
  const [register = '', send = '', verify = ''] = curlLines(server).slice(3)

  const registered = await shell(register)
  const shareableKey = await shell(send)
  const verified = await shell(verify)
  const again = await shell(verify)

  expect(registered).toBe('Registration of secretKey succeeded.')
  expect(shareableKey).toMatch(/^[0-9A-Za-z]{30}$/)
  expect(verified).toBe('OTP Matched!')
  expect(again).toStartWith('Error: ')
})

test('the temporary directory is removed at the end', async () => {
  const server = await start()
  const [, scratch = ''] = /tee (\S+)\/started\.json/.exec(server.io.errors()) ?? []
  expect(existsSync(join(scratch, 'data', 'otpmint.db'))).toBe(true)

  await server.stop()

  expect(scratch).not.toBe('')
  expect(existsSync(scratch)).toBe(false)
})

test('SIGHUP also removes the temporary directory', async () => {
  const { path, remove } = temporary()
  cleanups.push(remove)
  const main = join(import.meta.dir, '../../src/main.ts')
  const server = Bun.spawn([process.execPath, main, 'serve', '--dev', '--port', '0'], {
    env: { TMPDIR: path, OTPMINT_METRICS_LISTEN: 'off', OTPMINT_DASHBOARD_LISTEN: 'off' },
    stdout: 'ignore',
    stderr: 'pipe',
  })
  let said = ''
  const decoder = new TextDecoder()
  for await (const chunk of server.stderr) {
    said += decoder.decode(chunk)
    if (said.includes('Ctrl-C')) break
  }
  const made = readdirSync(path)
  server.kill('SIGHUP')
  const code = await server.exited

  expect(made.filter((name) => name.startsWith('otpmint-dev-'))).toHaveLength(1)
  expect(readdirSync(path)).toEqual([])
  expect(code).toBe(0)
})

test('a named directory is kept, and every start shows a key that works', async () => {
  const { path, remove } = temporary()
  cleanups.push(remove)
  for (const round of [1, 2, 3]) {
    const server = await start(['--data-dir', path])
    const [mint = ''] = curlLines(server)

    expect([round, (await shellJson(mint.replace('ada-', `ada-${round}-`))).status]).toEqual([
      round,
      'pending',
    ])
    await server.stop()
  }
  const { out } = await command(['app', 'list', '--data-dir', path])
  expect(out.trimEnd().split('\n').length).toBe(1)
})

test('developer mode listens on loopback only', async () => {
  const flag = await command(['serve', '--dev', '--host', '0.0.0.0'])
  const variable = await command(['serve', '--dev'], { env: { OTPMINT_HOST: '0.0.0.0' } })

  expect([flag.code, variable.code]).toEqual([78, 78])
  for (const { err } of [flag, variable]) expect(err).toContain('loopback')
})

test('at a terminal serve --dev prints text and no log', async () => {
  const { path, remove } = temporary()
  cleanups.push(remove)
  const given = { isTerminal: true, env: { NO_COLOR: '1', OTPMINT_LOG_LEVEL: '' } }
  const io = terminal(given)
  const ended = run(['serve', '--dev', '--port', '0', '--data-dir', path], io)
  while (!io.errors().includes('Ctrl-C')) await Bun.sleep(5)
  io.signal()

  expect(await ended).toBe(0)
  expect(io.output()).toBe('')
  expect(io.errors()).toMatch(/\/dev\/inbox\n/)
})
