import { afterAll, afterEach, expect, setDefaultTimeout, test } from 'bun:test'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { eventually, executable, killAll, logLines, scratch, start } from '../support/executable.ts'
import { adminToken, call, createApp, wrongCode } from './client.ts'
import { mailSink } from './mail-sink.ts'

setDefaultTimeout(90_000)
executable()
const { folder, remove } = scratch()
afterEach(killAll)
afterAll(remove)

const library = ['x86_64-linux-gnu', 'aarch64-linux-gnu']
  .map((triple) => `/usr/lib/${triple}/faketime/libfaketimeMT.so.1`)
  .find((path) => existsSync(path))

/** Jumps of the wall clock before each operation, as libfaketime spells them. */
const jumps = ['+20s', '-25s', '+6h', '-6h', '+40d', '+0', '-3d', '+2y', '+0', '-2y', '+0']

test('clock jumps of seconds to years lock no recipient out and lose no code', async () => {
  if (!library) throw new Error('libfaketime is missing: install the package faketime')
  const clock = join(folder, 'clock')
  const jump = (offset: string) => writeFileSync(clock, `${offset}\n`)
  jump('+0')
  const dataDir = join(folder, 'data')
  const server = await start(['serve'], {
    OTPMINT_DATA_DIR: dataDir,
    LD_PRELOAD: library,
    FAKETIME_TIMESTAMP_FILE: clock,
    FAKETIME_NO_CACHE: '1',
    DONT_FAKE_MONOTONIC: '1',
  })
  const sink = await mailSink()
  const app = await createApp(server, adminToken(dataDir), { port: sink.port })
  const url = `${server.base}/v1/verifications`
  const post = (path: string, body: unknown) => call(url + path, body, { token: app.liveKey })

  for (const [index, offset] of jumps.entries()) {
    jump(offset)
    const to = `person${index}@example.com`
    const started = await post('', { to })
    expect([offset, started.status, started.text]).toEqual([offset, 201, expect.any(String)])
    await eventually(() => sink.to(to).length > 0)
    const code = sink.to(to)[0]?.code ?? ''
    const wrong = await post(`/${started.json.id}/check`, { code: wrongCode(code) })
    const right = await post(`/${started.json.id}/check`, { code })
    expect([offset, wrong.json.valid, right.json.valid]).toEqual([offset, false, true])
    expect(sink.to(to).length).toBe(1)
  }
  jump('+6h')
  await eventually(() => logLines(server.stdout()).some(({ event }) => event === 'clock_stepped'))

  // With the right time again, a recipient of while the clock was years ahead gets a new code.
  jump('+2y')
  await post('', { to: 'traveller@example.com' })
  jump('+0')
  const now = await call(`${server.base}/readyz`)
  const other = await post('', { to: 'other@example.com' })
  await sink.close()
  expect([now.status, other.status]).toEqual([200, 201])
  expect(await server.stop()).toBe(0)
})
