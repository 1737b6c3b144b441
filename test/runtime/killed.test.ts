import { afterAll, expect, setDefaultTimeout, test } from 'bun:test'
import { cpSync, existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Settings } from '../../src/config/load.ts'
import { rotateKey } from '../../src/runtime/keys.ts'
import { openPorts } from '../../src/runtime/open.ts'
import { startRuntime } from '../../src/runtime.ts'
import { addApp } from '../support/world.ts'
import { eventLog, scratch } from './fixture.ts'
import { killedAt } from './killed-at.ts'

setDefaultTimeout(120_000)
const { newPath, settings, remove } = scratch('killed')
afterAll(remove)

const note = { table: 't', row: 'r', column: 'c' }

/** Starts a server, runs `look` against it and stops it; returns the events that it logged. */
async function served(at: Settings, look: (url: string) => Promise<void>) {
  const { events, write } = eventLog()
  const server = await startRuntime(at, { write, tell: null, pid: 1 })
  try {
    await look(server.url)
  } finally {
    await server.stop()
  }
  return events()
}

test('after a first start that was killed at any moment the next start succeeds', async () => {
  for (let nth = 1; ; nth++) {
    const at = settings(newPath())
    const wasKilled = await killedAt(nth, 'start', at.dataDir)
    const events = await served(at, async (url) => {
      const token = readFileSync(join(at.dataDir, 'admin.token'), 'utf8').trim()
      const headers = { authorization: `Bearer ${token}` }
      expect((await fetch(`${url}/readyz`)).status).toBe(200)
      expect((await fetch(`${url}/v1/apps`, { headers })).status).toBe(200)
    })
    expect(events).not.toContain('database_foreign')

    const { ports, close } = await openPorts(at)
    const records = await ports.audit.after(0, 10)
    expect(records.map(({ action }) => action)).toEqual(['store.create'])
    await close()
    rmSync(at.dataDir, { recursive: true })
    if (!wasKilled) break
  }
})

test('a key rotation that was killed at any moment is finished by the next one', async () => {
  const first = settings(newPath())
  await served(first, async () => {})
  const { ports, close } = await openPorts(first)
  const { app } = await addApp(ports)
  const sealed = ports.keyring.seal(app.id, app.dataKey, note, 'a secret')
  await close()
  const opened = async (at: Settings) => {
    const { ports, close } = await openPorts(at)
    const dataKey = (await ports.apps.get(app.id))?.dataKey
    const secret = dataKey && ports.keyring.open(app.id, dataKey, note, sealed)
    await close()
    return secret
  }

  for (let nth = 1; ; nth++) {
    const at = settings(newPath())
    cpSync(first.dataDir, at.dataDir, { recursive: true })
    const wasKilled = await killedAt(nth, 'rotate', at.dataDir)
    // Every second time the rotation runs again before anything else opens the keyset.
    if (nth % 2 === 0) expect(await opened(at)).toBe('a secret')
    await rotateKey(at, { newKeyFile: null, onProgress: () => {} })
    expect(await opened(at)).toBe('a secret')
    expect(existsSync(join(at.dataDir, 'master.key.next'))).toBe(false)
    rmSync(at.dataDir, { recursive: true })
    if (!wasKilled) break
  }
})
