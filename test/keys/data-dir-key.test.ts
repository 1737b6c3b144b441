import { afterAll, expect, setDefaultTimeout, test } from 'bun:test'
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  finishKilledRotation,
  rotateDataDirKey,
  tidyKeyFiles,
} from '../../src/keys/data-dir-key.ts'
import { createKeyring, type LiveKeyring } from '../../src/keys/keyring.ts'
import { isFinished, loadKeyset } from '../../src/keys/keyset.ts'
import { findMasterKey } from '../../src/keys/master-key.ts'
import type { RotationPorts } from '../../src/keys/rotate.ts'
import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import { systemRandom, systemTimers } from '../../src/system.ts'
import { addApp, noon } from '../support/world.ts'

setDefaultTimeout(60_000)

const root = mkdtempSync(join(tmpdir(), 'otpmint-key-file-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const nowhere = { raw: null, file: null, credentialsDirectory: null }
const note = { table: 't', row: 'r', column: 'c' }
const world = { clock: { now: () => noon }, timers: systemTimers, random: systemRandom }
/** The number of writes of a rotation with one app. */
const writeCount = 4
let count = 0

async function installation() {
  const dataDir = join(root, String(count++))
  const store = await openSqliteStore({ path: ':memory:', timers: systemTimers })
  const ports = { ...store, ...world }
  find(dataDir, false)
  const keyring = await unlock(ports, dataDir)
  const { app } = await addApp({ ...ports, keyring })
  const sealed = keyring.seal(app.id, app.dataKey, note, 'a secret')
  const opens = async (other: LiveKeyring) => {
    const dataKey = (await store.apps.get(app.id))?.dataKey
    return dataKey && other.open(app.id, dataKey, note, sealed)
  }
  return { dataDir, ports, keyring, opens }
}

const find = (dataDir: string, databaseExists = true) =>
  findMasterKey({ settings: nowhere, dataDir, databaseExists, random: systemRandom })

async function unlock(ports: RotationPorts, dataDir: string): Promise<LiveKeyring> {
  const found = find(dataDir)
  const keyset = await loadKeyset(ports, found.masterKey).catch((error: unknown) =>
    finishKilledRotation(ports, { error, found, dataDir }),
  )
  return createKeyring(keyset, systemRandom)
}

const rotate = (ports: RotationPorts, dataDir: string) =>
  rotateDataDirKey(ports, { dataDir, serverRuns: async () => false })

/** The store of a process that is killed at its nth write, before or after the commit. */
function dying(ports: RotationPorts, nth: number, moment: 'before' | 'after'): RotationPorts {
  let writes = 0
  const once = async <T>(write: () => Promise<T>): Promise<T> => {
    writes++
    if (writes === nth && moment === 'before') throw new Error('killed')
    const result = await write()
    if (writes === nth) throw new Error('killed')
    return result
  }
  const { meta, apps } = ports
  return {
    ...ports,
    meta: { ...meta, write: (...facts) => once(() => meta.write(...facts)) },
    apps: { ...apps, renewKeys: (renewals) => once(() => apps.renewKeys(renewals)) },
  }
}

test('the key in the data directory is replaced, and the old one stays under its id', async () => {
  const { dataDir, ports, keyring, opens } = await installation()
  const path = join(dataDir, 'master.key')
  const old = readFileSync(path, 'utf8')
  const oldId = keyring.codeKeyId()

  expect(await rotate(ports, dataDir)).toMatchObject({ renewed: 1 })

  expect(readFileSync(path, 'utf8')).not.toBe(old)
  expect(readFileSync(`${path}.${oldId}`, 'utf8')).toBe(old)
  expect(readdirSync(dataDir).sort()).toEqual(['master.key', `master.key.${oldId}`])
  for (const name of readdirSync(dataDir)) {
    expect(statSync(join(dataDir, name)).mode & 0o777).toBe(0o600)
  }
  expect(await opens(await unlock(ports, dataDir))).toBe('a secret')
})

test('after a rotation that was killed at any write the next start works, and it is finished', async () => {
  for (const moment of ['before', 'after'] as const) {
    for (let nth = 1; nth <= writeCount; nth++) {
      for (const startsBetween of [true, false]) {
        const { dataDir, ports, opens } = await installation()
        await expect(rotate(dying(ports, nth, moment), dataDir)).rejects.toThrow('killed')

        if (startsBetween) expect(await opens(await unlock(ports, dataDir))).toBe('a secret')
        await rotate(ports, dataDir)

        const keyring = await unlock(ports, dataDir)
        expect(isFinished(keyring.keyset())).toBe(true)
        expect(await opens(keyring)).toBe('a secret')
        expect(existsSync(join(dataDir, 'master.key.next'))).toBe(false)
      }
    }
  }
})

test('after a rotation that was killed between its files the next start works', async () => {
  const { dataDir, ports, keyring, opens } = await installation()
  const path = join(dataDir, 'master.key')
  const oldId = keyring.codeKeyId()
  await expect(rotate(dying(ports, writeCount, 'after'), dataDir)).rejects.toThrow('killed')
  // The old key is copied, the new one is not yet in place, and a temporary file is incomplete.
  copyFileSync(path, `${path}.${oldId}`)
  writeFileSync(`${path}.tmp`, 'half')

  expect(await opens(await unlock(ports, dataDir))).toBe('a secret')
  expect(readdirSync(dataDir).sort()).toEqual([
    'master.key',
    `master.key.${oldId}`,
    'master.key.tmp',
  ])
})

test('a key that fits nothing is refused although another one lies beside it', async () => {
  const place = await installation()
  const stranger = await installation()
  const path = join(stranger.dataDir, 'master.key')
  copyFileSync(path, `${path}.next`)

  await expect(unlock(place.ports, stranger.dataDir)).rejects.toThrow('not this database')
  expect(existsSync(`${path}.next`)).toBe(true)
})

test('files of former keys are kept, with the reason, and a copy of the key in use is removed', async () => {
  const { dataDir, ports, keyring } = await installation()
  const path = join(dataDir, 'master.key')
  const oldId = keyring.codeKeyId()
  const { keyId } = await rotate(ports, dataDir)
  copyFileSync(path, `${path}.${keyId}`)

  const files = tidyKeyFiles(dataDir, keyId)

  expect(files).toContainEqual({ path: `${path}.${keyId}`, kept: null })
  expect(files).toContainEqual({
    path: `${path}.${oldId}`,
    kept: expect.stringContaining('backups'),
  })
  expect(readdirSync(dataDir).sort()).toEqual(['master.key', `master.key.${oldId}`])
})
