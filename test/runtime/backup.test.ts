import { Database } from 'bun:sqlite'
import { afterAll, expect, setDefaultTimeout, test } from 'bun:test'
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { Settings } from '../../src/config/load.ts'
import type { App } from '../../src/domain/app/app.ts'
import { deleteApp, revokeKey } from '../../src/domain/app/manage.ts'
import { verifyAudit } from '../../src/domain/audit.ts'
import { backUp, restore } from '../../src/runtime/backup.ts'
import {
  dataDirectory,
  holdDataDirectory,
  refuseHalfRestored,
} from '../../src/runtime/data-directory.ts'
import { type OpenPorts, openDirectory, openPorts } from '../../src/runtime/open.ts'
import { isForeign, markRun } from '../../src/runtime/run-id.ts'
import { inspectDatabase } from '../../src/store/sqlite/inspect.ts'
import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import { systemTimers } from '../../src/system.ts'
import { live } from '../keys/live-codes.ts'
import { addApp } from '../support/world.ts'
import { refusal, scratch } from './fixture.ts'
import { killedAt } from './killed-at.ts'

setDefaultTimeout(60_000)
const { newPath, settings, remove } = scratch('restore')
afterAll(remove)

const cli = { who: 'cli', requestId: null }

/** An installation after one start and stop; `work` is done in it. */
async function installation(work: (ports: OpenPorts) => Promise<void> = async () => {}) {
  const at = settings(newPath())
  const directory = dataDirectory(at.dataDir)
  mkdirSync(directory.root, { mode: 0o700 })
  const { ports, close } = await openDirectory(at, directory, directory.database)
  await markRun(ports)
  await work(ports)
  await close()
  return at
}

async function inside<Value>(at: Settings, work: (ports: OpenPorts) => Promise<Value>) {
  const { ports, close } = await openPorts(at)
  try {
    return await work(ports)
  } finally {
    await close()
  }
}

const backup = async (at: Settings) => {
  const file = newPath()
  await inside(at, (ports) => backUp(ports, file))
  return file
}
const names = (at: Settings) =>
  inside(at, async ({ apps }) => {
    const { items } = await apps.list({ limit: 100, cursor: null })
    return items.map(({ name }) => name).sort()
  })
const asides = (at: Settings) =>
  readdirSync(at.dataDir).filter((name) => name.startsWith('otpmint.db.before-'))

test('a backup is complete, has mode 0600, replaces no file and follows no link', async () => {
  const at = await installation(async (ports) => void (await addApp(ports, { name: 'One' })))
  const file = await backup(at)
  const dangling = newPath()
  symlinkSync(newPath(), dangling)

  expect(statSync(file).mode & 0o777).toBe(0o600)
  const again = await refusal(() => inside(at, (ports) => backUp(ports, file)))
  expect(again).toMatchObject({ exitCode: 1, says: expect.stringContaining('exists') })
  const linked = await refusal(() => inside(at, (ports) => backUp(ports, dangling)))
  expect(linked.exitCode).toBe(1)
  expect(existsSync(dangling)).toBe(false)
})

test('a restored database has its apps, none of its live codes, and an unbroken audit', async () => {
  const at = await installation(async (ports) => {
    const codes = await live(ports, ports.keyring)
    await codes.start()
  })
  const file = await backup(at)
  const there = settings(newPath())
  mkdirSync(there.dataDir, { mode: 0o700 })
  copyFileSync(join(at.dataDir, 'master.key'), join(there.dataDir, 'master.key'))

  const restored = await restore(there, { file, force: false, pid: 1 })

  expect(restored).toMatchObject({ expired: 1, revoked: 0, keptAside: null })
  expect(restored.activeKeys.map(({ key }) => key?.mode).sort()).toEqual(['live', 'test'])
  await inside(there, async (ports) => {
    const [done, listed] = (await ports.audit.after(0, 100)).slice(-2)
    expect(done).toMatchObject({ action: 'store.restore', detail: 'expired 1 revoked 0' })
    expect(listed).toMatchObject({ action: 'store.active_keys', who: 'cli' })
    for (const { key } of restored.activeKeys) expect(listed?.detail).toContain(key?.id ?? '?')
    expect((await verifyAudit(ports, { now: ports.clock.now(), keptMs: 1 })).ok).toBe(true)
    // The next start does not take it for a foreign copy.
    expect(await isForeign(ports)).toBe(false)
  })
})

test('keys revoked and apps deleted after the backup stay unusable, and only those', async () => {
  const apps: App[] = []
  const at = await installation(async (ports) => {
    for (const name of ['One', 'Two', 'Three']) apps.push((await addApp(ports, { name })).app)
  })
  const file = await backup(at)
  const [one, two, three] = apps.map(({ id }) => id)
  await inside(at, async (ports) => {
    const [key] = await ports.apps.keys(one ?? '')
    await revokeKey(ports, cli, { appId: one ?? '', keyId: key?.id ?? '' })
    await deleteApp(ports, cli, two ?? '')
  })

  const restored = await restore(at, { file, force: true, pid: 1 })

  expect(restored.revoked).toBe(3)
  expect(restored.revocationsKnown).toBe(true)
  const active = restored.activeKeys.map(({ appId }) => appId).sort()
  expect(active).toEqual([one, three, three].sort() as string[])
  expect(await names(at)).toEqual(['One', 'Three', 'Two'])
  // A secretKey cannot be revoked, so a deleted app that a restore brings back is paused.
  expect(restored.paused).toBe(1)
  await inside(at, async (ports) => {
    const policies = await Promise.all(
      apps.map(async ({ id }) => (await ports.apps.get(id))?.policy),
    )
    expect(policies).toEqual([{}, { paused: true }, {}])
    expect((await verifyAudit(ports, { now: ports.clock.now(), keptMs: 1 })).ok).toBe(true)
  })
})

test('an existing database is replaced with --force only, and is kept complete', async () => {
  const at = await installation(async (ports) => void (await addApp(ports, { name: 'One' })))
  const file = await backup(at)
  await inside(at, async (ports) => void (await addApp(ports, { name: 'Two' })))

  const refused = await refusal(() => restore(at, { file, force: false, pid: 1 }))
  const { keptAside } = await restore(at, { file, force: true, pid: 1 })

  expect(refused).toMatchObject({ exitCode: 1, says: expect.stringContaining('--force') })
  expect(await names(at)).toEqual(['One'])
  rmSync(join(at.dataDir, 'otpmint.db'))
  copyFileSync(keptAside ?? '', join(at.dataDir, 'otpmint.db'))
  expect(await names(at)).toEqual(['One', 'Two'])
})

test('a damaged database is replaced together with its log, and both are kept', async () => {
  const at = await installation(async (ports) => void (await addApp(ports, { name: 'One' })))
  const file = await backup(at)
  writeFileSync(join(at.dataDir, 'otpmint.db'), 'damage'.repeat(1000))
  writeFileSync(join(at.dataDir, 'otpmint.db-wal'), 'log')

  const { keptAside, revocationsKnown } = await restore(at, { file, force: true, pid: 1 })

  expect(revocationsKnown).toBe(false)
  expect(readFileSync(keptAside ?? '', 'utf8')).toStartWith('damage')
  expect(readFileSync(`${keptAside}-wal`, 'utf8')).toBe('log')
  expect(await names(at)).toEqual(['One'])
})

test('a restore is refused while a server runs, and while a command uses the database', async () => {
  const at = await installation()
  const file = await backup(at)
  const held = holdDataDirectory(dataDirectory(at.dataDir), 4242)
  const served = await refusal(() => restore(at, { file, force: true, pid: 1 }))
  held.release()
  const used = await inside(at, (ports) => {
    return ports.apps.list({ limit: 1, cursor: null }).then(() => {
      return refusal(() => restore(at, { file, force: true, pid: 1 }))
    })
  })

  expect(served.says).toContain('pid 4242')
  expect(used.says).toContain('another otpmint uses')
  expect(await names(at)).toEqual([])
})

test('without the right master key nothing is restored and the advice says why', async () => {
  const file = await backup(await installation())
  const without = settings(newPath())
  const other = await installation()

  const lost = await refusal(() => restore(without, { file, force: false, pid: 1 }))
  const wrong = await refusal(() => restore(other, { file, force: true, pid: 1 }))

  for (const { exitCode, says } of [lost, wrong]) {
    expect(exitCode).toBe(78)
    expect(says).toContain('not in the backup')
  }
  expect(existsSync(join(without.dataDir, 'otpmint.db'))).toBe(false)
  expect(asides(other)).toEqual([])
})

test('a file that was never served, or is not wholly of OtpMint, is refused', async () => {
  const at = await installation()
  const garbage = newPath()
  writeFileSync(garbage, 'no database at all\n'.repeat(500))
  const changed: string[] = []
  for (const sql of [
    'create trigger evil after insert on audit begin select 1; end',
    'alter table apps add column evil text',
    'drop index apps_open; create unique index apps_open on apps (name)',
  ]) {
    const file = await backup(at)
    const database = new Database(file)
    database.run(sql)
    database.close()
    changed.push(file)
  }

  const keyless = newPath()
  await (await openSqliteStore({ path: keyless, timers: systemTimers })).close()

  for (const file of [garbage, ...changed, keyless, newPath()]) {
    const { exitCode } = await refusal(() => restore(at, { file, force: true, pid: 1 }))
    expect(exitCode).toBe(1)
  }
  expect(asides(at)).toEqual([])
})

/** A data directory as a killed server leaves it: the newest app is only in the write-ahead log. */
async function killedServer() {
  const at = await installation(async (ports) => void (await addApp(ports, { name: 'One' })))
  const file = await backup(at)
  const copy = newPath()
  await inside(at, async (ports) => {
    await addApp(ports, { name: 'Two' })
    cpSync(at.dataDir, copy, { recursive: true })
  })
  return { file, dataDir: copy }
}

test('a restore that is killed at any moment leaves the old or the new state', async () => {
  const { file, dataDir } = await killedServer()
  const seen = new Set<string>()
  for (let nth = 1; ; nth++) {
    const place = newPath()
    cpSync(dataDir, place, { recursive: true })
    const wasKilled = await killedAt(nth, 'restore', place, file)
    const at = settings(place)
    refuseHalfRestored(dataDirectory(place))
    const found = (await names(at)).join()
    seen.add(found)
    expect(['One', 'One,Two']).toContain(found)
    expect(await inside(at, isForeign)).toBe(false)

    await restore(at, { file, force: true, pid: 1 })
    expect(await names(at)).toEqual(['One'])
    if (!wasKilled) break
    rmSync(place, { recursive: true })
  }

  expect(seen).toEqual(new Set(['One', 'One,Two']))
})

test('a backup that is killed at any moment leaves a complete copy or none', async () => {
  const at = await installation(async (ports) => void (await addApp(ports, { name: 'One' })))
  let copies = 0
  for (let nth = 1; ; nth++) {
    const file = newPath()
    const wasKilled = await killedAt(nth, 'backup', at.dataDir, file)
    if (existsSync(file)) {
      copies++
      expect(inspectDatabase(file)).toBeNull()
      rmSync(file)
    }
    await inside(at, (ports) => backUp(ports, file))
    expect(inspectDatabase(file)).toBeNull()
    if (!wasKilled) break
  }

  expect(copies).toBeGreaterThan(1)
})
