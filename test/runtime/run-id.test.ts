import { afterAll, expect, setDefaultTimeout, test } from 'bun:test'
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { Settings } from '../../src/config/load.ts'
import { revokeKey } from '../../src/domain/app/manage.ts'
import { registerApp } from '../../src/domain/app/register.ts'
import { emailNames } from '../../src/domain/app/smtp-fields.ts'
import { verifyAudit } from '../../src/domain/audit.ts'
import { newId } from '../../src/domain/id.ts'
import { createLog } from '../../src/log.ts'
import { restoreInPlace } from '../../src/runtime/backup.ts'
import { dataDirectory } from '../../src/runtime/data-directory.ts'
import { type OpenPorts, openDirectory, openPorts } from '../../src/runtime/open.ts'
import { adoptForeign, isForeign, listActiveKeys, markRun } from '../../src/runtime/run-id.ts'
import { live } from '../keys/live-codes.ts'
import { addApp } from '../support/world.ts'
import { eventLog, scratch } from './fixture.ts'

setDefaultTimeout(60_000)

const { newPath, settings, remove } = scratch('run-id')
afterAll(remove)

/** Handles the run id as a start does; returns the events that it logged. */
async function start(at: Settings, work: (ports: OpenPorts) => Promise<void> = async () => {}) {
  const directory = dataDirectory(at.dataDir)
  mkdirSync(directory.root, { recursive: true, mode: 0o700 })
  const { ports, close } = await openDirectory(at, directory, directory.database)
  const { lines, write } = eventLog()
  const log = createLog({ level: 'info', write, clock: ports.clock })
  if (await isForeign(ports)) await adoptForeign(ports, log)
  await markRun(ports)
  await work(ports)
  await close()
  return lines
}

/** Starts a live verification; returns a way to test later whether its code is still valid. */
async function pending(ports: OpenPorts) {
  const codes = await live(ports, ports.keyring)
  await codes.start()
  return codes
}

const copyOf = (at: Settings, name: string) => `${dataDirectory(at.dataDir).root}/${name}`

test('a database that is started several times is never foreign', async () => {
  const at = settings(newPath())
  for (let run = 0; run < 3; run++) {
    expect(await start(at)).toEqual([])
  }
  // Neither after a command has opened it.
  const { close } = await openPorts(at)
  await close()
  expect(await start(at)).toEqual([])
})

test('an older copy that was put back revives no code, and the start logs it', async () => {
  const at = settings(newPath())
  const directory = dataDirectory(at.dataDir)
  const started: { id?: string; appId?: string } = {}
  await start(at, async (ports) => {
    await pending(ports)
    const { items } = await ports.apps.list({ limit: 1, cursor: null })
    started.appId = items[0]?.id ?? ''
  })
  copyFileSync(directory.database, copyOf(at, 'old'))
  await start(at)
  copyFileSync(copyOf(at, 'old'), directory.database)

  const lines = await start(at, async (ports) => {
    const query = { appId: started.appId ?? '', mode: 'live', now: ports.clock.now() } as const
    const page = await ports.verifications.list({ ...query, limit: 10, cursor: null })
    expect(page.items.map(({ forgotten }) => forgotten)).toEqual([true])
    const [last] = (await ports.audit.after(0, 100)).slice(-2)
    expect(last).toMatchObject({ action: 'store.expire_pending', who: 'server' })
    expect((await verifyAudit(ports, { now: ports.clock.now(), keptMs: 1 })).ok).toBe(true)
  })

  expect(lines.map(({ event }) => event)).toEqual(['database_foreign', 'key_active', 'key_active'])
  expect(lines[0]).toMatchObject({ count: 1 })
  expect(lines[1]?.['detail']).toMatch(/^otpm_(live|test)_\.\.\.[0-9A-Za-z]{4}$/)
  expect(await start(at)).toEqual([])
})

const cli = { who: 'cli', requestId: null }

/** Registers an app without a mail server through the original API; returns its id. */
async function registerSecretKey(ports: OpenPorts): Promise<string> {
  const mail = { names: emailNames, mail: null }
  const { id } = await registerApp(
    { ...ports, egress: { reach: async () => 'public' }, tryLogin: async () => null },
    cli,
    { ...mail, secretKey: newId(ports.random), name: 'Old', registeredBy: 'admin', address: null },
  )
  return id
}

/** The record of the audit log that names the active keys; there must be one only. */
async function auditedKeys({ audit }: OpenPorts) {
  const records = await audit.after(0, 500)
  const found = records.filter(({ action }) => action === 'store.active_keys')
  expect(found).toHaveLength(1)
  return found[0]
}

test('keys and secretKeys that are active in a foreign database are logged and audited', async () => {
  const at = settings(newPath())
  const ids: string[] = []
  await start(at, async (ports) => {
    const { app } = await addApp(ports)
    const [kept, revoked] = await ports.apps.keys(app.id)
    await revokeKey(ports, cli, { appId: app.id, keyId: revoked?.id ?? '' })
    ids.push(kept?.id ?? '', await registerSecretKey(ports))
  })
  rmSync(dataDirectory(at.dataDir).runId)

  const [key, secretKeyApp] = ids
  const lines = await start(at, async (ports) => {
    const record = await auditedKeys(ports)
    expect(record).toMatchObject({ who: 'server', object: 'database' })
    const named = record?.detail.split(', ').sort()
    expect(named).toEqual([`key ${key}`, `secretKey of ${secretKeyApp}`])
  })

  const logged = lines.filter(({ event }) => event === 'key_active')
  const named = logged.map((line) => line['key_id'] ?? line['app_id']).sort()
  expect(named).toEqual([key, secretKeyApp].sort())
})

test('one record of the audit log names at most 100 keys and counts the others', async () => {
  const at = settings(newPath())
  await start(at, async (ports) => {
    for (let app = 0; app < 52; app++) await addApp(ports)
    await listActiveKeys(ports, cli)
    const record = await auditedKeys(ports)
    expect(record?.detail.match(/key [0-9A-Za-z]{22}/g)).toHaveLength(100)
    expect(record?.detail).toEndWith(', and 4 more')
  })
})

test('a served database without its run id file is foreign; one that was never served is not', async () => {
  const at = settings(newPath())
  await start(at, async (ports) => void (await pending(ports)))
  rmSync(dataDirectory(at.dataDir).runId)
  expect((await start(at)).map(({ event }) => event)).toContain('database_foreign')

  for (const garbage of ['', 'something else', '\0'.repeat(40)]) {
    writeFileSync(dataDirectory(at.dataDir).runId, garbage)
    expect((await start(at)).map(({ event }) => event)).toContain('database_foreign')
  }

  const fresh = settings(newPath())
  mkdirSync(fresh.dataDir, { mode: 0o700 })
  writeFileSync(dataDirectory(fresh.dataDir).runId, 'of a database that was deleted\n')
  expect(await start(fresh)).toEqual([])
})

test('a start that is killed while it writes the run id leaves a database that is not foreign', async () => {
  for (const moment of ['before the store', 'after the store'] as const) {
    const at = settings(newPath())
    await start(at, async (ports) => void (await pending(ports)))
    const directory = dataDirectory(at.dataDir)
    const { ports, close } = await openDirectory(at, directory, directory.database)
    const meta: OpenPorts['meta'] = {
      ...ports.meta,
      write: async (...facts) => {
        if (moment === 'after the store') await ports.meta.write(...facts)
        throw new Error('killed')
      },
    }
    await expect(markRun({ ...ports, meta })).rejects.toThrow('killed')
    await close()

    expect(readFileSync(directory.runId, 'utf8').trim().split('\n')).toHaveLength(2)
    expect(await start(at)).toEqual([])
    expect(readFileSync(directory.runId, 'utf8').trim().split('\n')).toHaveLength(1)
  }
})

test('restore --in-place expires pending verifications, lists and audits the active keys', async () => {
  const at = settings(newPath())
  await start(at, async (ports) => {
    await pending(ports)
    const { app, testKey } = await addApp(ports, { name: 'Second' })
    const revoked = (await ports.apps.keys(app.id)).find(({ mode }) => mode === 'test')
    await revokeKey(ports, cli, { appId: app.id, keyId: revoked?.id ?? '' })
    expect(testKey).toEndWith(revoked?.lastFour ?? 'no key')
  })

  const { expired, activeKeys: active } = await restoreInPlace(at, { pid: 1 })

  expect(expired).toBe(1)
  expect(active.map(({ appName, key }) => `${appName} ${key?.mode}`).sort()).toEqual([
    'Acme live',
    'Acme test',
    'Second live',
  ])
  const { ports, close } = await openPorts(at)
  const [last] = (await ports.audit.after(0, 100)).slice(-2)
  expect(last).toMatchObject({ action: 'store.expire_pending', who: 'cli', detail: 'expired 1' })
  await close()
  expect(await start(at)).toEqual([])
})
