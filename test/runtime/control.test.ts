import { afterAll, expect, setDefaultTimeout, test } from 'bun:test'
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { redactedSettings } from '../../src/config/load.ts'
import { createLog } from '../../src/log.ts'
import {
  askServer,
  listenForControl,
  pauseSending,
  type ServerReport,
} from '../../src/runtime/control.ts'
import { dataDirectory, prepareDataDirectory } from '../../src/runtime/data-directory.ts'
import { eventLog, scratch } from './fixture.ts'

setDefaultTimeout(60_000)

const { newPath, settings, remove } = scratch('control')
afterAll(remove)

const token = 'otpm_admin_0123456789abcdefghijklmnopqrstuvwxyz'
const finding = { check: 'server', status: 'ok', detail: 'version 1', next: null } as const

/** The pauses that servers of these tests were asked for, in seconds. */
const paused: number[] = []

function listen(dataDir: string, runtimeDirectory: string | null = null) {
  const { lines, write } = eventLog()
  const log = createLog({ level: 'info', write, clock: { now: () => 0 } })
  const directory = dataDirectory(dataDir)
  prepareDataDirectory(directory)
  const report = async (): Promise<ServerReport> => ({
    settings: redactedSettings({ ...settings(dataDir), adminToken: token }),
    findings: [finding],
    dashboardUrl: null,
  })
  const control = listenForControl(directory, {
    ...{ runtimeDirectory, log, report },
    pause: (seconds) => void paused.push(seconds),
  })
  return { ...control, path: directory.control, lines }
}

test('a running server answers its settings, without secrets, and its findings', async () => {
  const dataDir = newPath()
  const { close, path } = listen(dataDir)

  const said = await askServer(dataDir)
  const mode = statSync(path).mode & 0o777
  await close()

  expect(said?.findings).toEqual([finding])
  expect(said?.settings.dataDir).toBe(dataDir)
  expect(said?.settings.adminToken).toBe('(set)')
  expect(JSON.stringify(said)).not.toContain(token)
  expect(mode).toBe(0o600)
  expect(existsSync(path)).toBe(false)
})

test('only GET is answered', async () => {
  const dataDir = newPath()
  const { close, path } = listen(dataDir)

  const statuses = []
  for (const method of ['POST', 'PUT', 'DELETE']) {
    statuses.push((await fetch('http://otpmint/', { unix: path, method })).status)
  }
  await close()

  expect(statuses).toEqual([405, 405, 405])
})

test('without a running server there is no answer, whatever file has the name of the socket', async () => {
  const dataDir = newPath()
  expect(await askServer(dataDir)).toBeNull()
  const { path, close } = listen(dataDir)
  await close()
  for (const text of ['', 'no path', '/nowhere/control.sock']) {
    writeFileSync(path, text)
    expect(await askServer(dataDir)).toBeNull()
  }
  expect(await askServer('')).toBeNull()
})

test('a socket that a killed server left is replaced', async () => {
  const dataDir = newPath()
  const path = dataDirectory(dataDir).control
  mkdirSync(dataDir, { mode: 0o700 })
  const script = `Bun.serve({ unix: ${JSON.stringify(path)}, fetch: () => new Response() })
    process.kill(process.pid, 'SIGKILL')`
  await Bun.spawn([process.execPath, '-e', script]).exited
  expect(statSync(path).isSocket()).toBe(true)
  expect(await askServer(dataDir)).toBeNull()

  const { close } = listen(dataDir)
  const said = await askServer(dataDir)
  await close()

  expect(said?.findings).toEqual([finding])
})

test('a path that is too long for a socket is replaced by one in the runtime directory', async () => {
  const dataDir = join(newPath(), 'd'.repeat(100))
  const runtimeDirectory = newPath()
  mkdirSync(runtimeDirectory)
  const other = join(newPath(), 'e'.repeat(100))

  const one = listen(dataDir, runtimeDirectory)
  const two = listen(other, runtimeDirectory)
  const said = await askServer(dataDir)
  const saidToo = await askServer(other)
  const pointer = readFileSync(one.path, 'utf8').trim()
  const mode = statSync(pointer).mode & 0o777
  await one.close()
  await two.close()

  expect(said?.settings.dataDir).toBe(dataDir)
  expect(saidToo?.settings.dataDir).toBe(other)
  expect(pointer).toStartWith(runtimeDirectory)
  expect(mode).toBe(0o600)
  expect([existsSync(pointer), existsSync(one.path)]).toEqual([false, false])
})

test('a server that cannot make its socket logs that and goes on', async () => {
  const { close, lines } = listen(join(newPath(), 'd'.repeat(100)))
  await close()

  expect(lines).toMatchObject([{ event: 'control_unavailable' }])
})

test('a running server is asked to pause its sending, for a minute at most', async () => {
  const dataDir = newPath()
  const { close } = listen(dataDir)

  expect(await pauseSending(dataDir, 30)).toBe(true)
  expect(await pauseSending(dataDir, 0)).toBe(true)
  expect(await pauseSending(dataDir, 61)).toBe(false)
  expect(await pauseSending(dataDir, Number.NaN)).toBe(false)
  await close()

  expect(await pauseSending(dataDir, 30)).toBe(false)
  expect(paused).toEqual([30, 0])
})
