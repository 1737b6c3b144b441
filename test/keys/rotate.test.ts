import { afterAll, describe, expect, test } from 'bun:test'
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deriveCode } from '../../src/domain/code.ts'
import type { Ports } from '../../src/domain/ports.ts'
import { rotateDataDirKey, unlockKeyset } from '../../src/keys/data-dir-key.ts'
import { createKeyring, type LiveKeyring } from '../../src/keys/keyring.ts'
import { codeKeyKeepingMs, keyIdOf } from '../../src/keys/keyset.ts'
import { loadKeyset } from '../../src/keys/load-keyset.ts'
import { findMasterKey, type MasterKey } from '../../src/keys/master-key.ts'
import { followRotation, type Rotation, rotateMasterKey } from '../../src/keys/rotate.ts'
import { systemRandom } from '../../src/random.ts'
import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import { addApp } from '../support/world.ts'

const root = mkdtempSync(join(tmpdir(), 'otpmint-rotate-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const key = (first: number) => ({
  kind: 'bytes' as const,
  bytes: new Uint8Array(32).map((_, i) => first + i),
})
const [keyA, keyB, keyC] = [key(1), key(50), key(100)]
const passphrase: MasterKey = { kind: 'passphrase', passphrase: 'correct horse battery staple' }
const note = { table: 't', row: 'r', column: 'c' }
const random = systemRandom

let now = Date.UTC(2026, 5, 15)
const clock = { now: () => now }

/** A database under `masterKey` with a few apps, each with a sealed value; and its keyring. */
async function installation(masterKey: MasterKey, appCount = 3) {
  const store = openSqliteStore({ path: ':memory:', auditLink: () => new Uint8Array(32) })
  const keyring = await open(store, masterKey)
  const sealed = new Map<string, Uint8Array>()
  for (let i = 0; i < appCount; i++) {
    const { app } = await addApp({ ...store, keyring, clock, random })
    sealed.set(app.id, keyring.seal(app.id, app.dataKey, note, `value ${app.id}`))
  }
  return { store, keyring, sealed }
}

type Installation = Awaited<ReturnType<typeof installation>>
type Stores = Pick<Ports, 'records' | 'apps'>

async function load({ records }: Pick<Stores, 'records'>, masterKey: MasterKey) {
  return loadKeyset({ records, masterKey, random, clock })
}

async function open(store: Pick<Stores, 'records'>, masterKey: MasterKey): Promise<LiveKeyring> {
  const loaded = await load(store, masterKey)
  if (!loaded.ok) throw new Error(loaded.mistake)
  return createKeyring(loaded.keyset)
}

async function expectEverythingOpens({ store, sealed }: Installation, keyring: LiveKeyring) {
  for (const [id, bytes] of sealed) {
    const app = await store.apps.get(id)
    if (!app) throw new Error('the app is gone')
    expect(keyring.open(id, app.dataKey, note, bytes)).toBe(`value ${id}`)
  }
}

const alone = { random, clock, serverRuns: async () => false, pause: async () => {} }
const rotate = (
  store: Stores,
  rest: Pick<Rotation, 'oldMaster' | 'newMaster'> & Partial<Rotation>,
) => rotateMasterKey({ ...alone, records: store.records, apps: store.apps, ...rest })

/** The same store in a process that is killed at its nth write, before or after the commit. */
function dying(store: Stores, nth: number, moment: 'before' | 'after'): Stores {
  let writes = 0
  const once = async <T>(write: () => Promise<T>): Promise<T> => {
    writes++
    if (writes === nth && moment === 'before') throw new Error('killed')
    const result = await write()
    if (writes === nth) throw new Error('killed')
    return result
  }
  const { records, apps } = store
  return {
    records: { ...records, writeFacts: (...facts) => once(() => records.writeFacts(...facts)) },
    apps: { ...apps, rewrap: (items) => once(() => apps.rewrap(items)) },
  }
}

/** The same store, with something that happens just before the nth change of the keyset. */
function beforeWrite(store: Stores, nth: number, happens: () => Promise<void>): Stores {
  let writes = 0
  const writeFacts: Ports['records']['writeFacts'] = async (...facts) => {
    if (++writes === nth) await happens()
    return store.records.writeFacts(...facts)
  }
  return { ...store, records: { ...store.records, writeFacts } }
}

describe('the keyset', () => {
  test('is made once and found by every later start with the same master key', async () => {
    const { store, keyring } = await installation(keyA)
    const again = await open(store, keyA)
    expect(again.keyset()).toEqual(keyring.keyset())
  })

  test('refuses another master key, naming both ids and changing nothing', async () => {
    const { store } = await installation(keyA)
    const before = await store.records.readFact('keyset')

    const loaded = await load(store, keyB)

    expect(loaded).toEqual({ ok: false, mistake: expect.stringContaining(keyIdOf(keyA.bytes)) })
    expect(loaded).toEqual({ ok: false, mistake: expect.stringContaining(keyIdOf(keyB.bytes)) })
    expect(await load(store, passphrase)).toEqual({ ok: false, mistake: expect.any(String) })
    expect(await store.records.readFact('keyset')).toEqual(before)
  })

  test('opens with a passphrase by the salt in the database, and with no other', async () => {
    const { store, keyring } = await installation(passphrase, 0)
    expect(await store.records.readFact('passphrase_salt')).toHaveLength(16)
    expect((await open(store, passphrase)).keyset()).toEqual(keyring.keyset())

    const other = { ...passphrase, passphrase: 'correct horse battery stable' }
    expect((await load(store, other)).ok).toBe(false)
  })

  test('that was altered or removed is refused, never made anew', async () => {
    const { store } = await installation(keyA)
    const keyset = Uint8Array.from((await store.records.readFact('keyset')) ?? [])
    keyset[40] = (keyset[40] ?? 0) ^ 1
    await store.records.writeFacts({ keyset })
    expect(await load(store, keyA)).toEqual({
      ok: false,
      mistake: expect.stringContaining('damaged'),
    })

    await store.records.writeFacts({ keyset: null })
    expect((await load(store, keyA)).ok).toBe(false)
  })
})

describe('a rotation', () => {
  test('leaves every sealed value readable by the new master key alone', async () => {
    const place = await installation(keyA, 250)
    const progress: number[] = []
    const rotated = await rotate(place.store, {
      oldMaster: keyA,
      newMaster: keyB,
      onProgress: (count) => progress.push(count),
    })

    expect(rotated).toEqual({ ok: true, keyId: keyIdOf(keyB.bytes), rewrapped: 250 })
    expect(progress).toEqual([100, 200, 250])
    const keyring = await open(place.store, keyB)
    expect(Object.keys(keyring.keyset().keks)).toEqual([keyIdOf(keyB.bytes)])
    await expectEverythingOpens(place, keyring)
    expect((await load(place.store, keyA)).ok).toBe(false)
    expect(await place.store.records.readFact('rotation_bridge')).toBeNull()
  })

  test('keeps live codes and limits, and drops the old code key a day later', async () => {
    const { store, keyring: before } = await installation(keyA)
    const where = { appId: 'app', verificationId: 'id', generation: 0 }
    const oldId = before.codeKeyId()
    const code = deriveCode(before, oldId, where, 'numeric', 6)

    await rotate(store, { oldMaster: keyA, newMaster: keyB })

    const after = await open(store, keyB)
    expect(after.codeKeyId()).not.toBe(oldId)
    expect(deriveCode(after, oldId, where, 'numeric', 6)).toBe(code)
    expect(after.codeDigests('app', 'id', code)).toContainEqual(
      before.codeDigest(oldId, 'app', 'id', code),
    )
    expect(after.limitIndex('s', 'v')).toEqual(before.limitIndex('s', 'v'))
    expect(after.secretKeyIndex('s')).toEqual(before.secretKeyIndex('s'))
    expect(after.fingerprint('a', 't')).toEqual(before.fingerprint('a', 't'))

    now += codeKeyKeepingMs - 1
    expect((await open(store, keyB)).codeDigests('app', 'id', code)).toHaveLength(2)
    now += 1
    expect((await open(store, keyB)).codeDigests('app', 'id', code)).toHaveLength(1)
  })

  test('killed before or after any of its writes is finished by running it again', async () => {
    for (const moment of ['before', 'after'] as const) {
      for (let nth = 1; nth <= 3; nth++) {
        const place = await installation(keyA, 2)
        const killed = dying(place.store, nth, moment)
        const keys = { oldMaster: keyA, newMaster: keyB }
        await expect(rotate(killed, keys)).rejects.toThrow('killed')

        const holder = nth === 1 && moment === 'before' ? keyA : keyB
        await expectEverythingOpens(place, await open(place.store, holder))
        const isOver = nth === 3 && moment === 'after'
        expect(await rotate(place.store, keys)).toMatchObject({ ok: true })
        expect(await place.store.records.readFact('rotation_bridge')).toBeNull()
        await expectEverythingOpens(place, await open(place.store, keyB))
        expect((await load(place.store, keyA)).ok).toBe(false)
        if (isOver) expect((await open(place.store, keyB)).keyset().version).toBe(3)
      }
    }
  })

  test('that was cut off is also finished by the next one, to a third key', async () => {
    const place = await installation(keyA)
    const killed = dying(place.store, 1, 'after')
    await expect(rotate(killed, { oldMaster: keyA, newMaster: keyB })).rejects.toThrow('killed')

    expect(await rotate(place.store, { oldMaster: keyB, newMaster: keyC })).toMatchObject({
      rewrapped: 3,
    })
    await expectEverythingOpens(place, await open(place.store, keyC))
  })

  test('there and back again, and between passphrases, works', async () => {
    const place = await installation(keyA)
    const other: MasterKey = { ...passphrase, passphrase: 'another sixteen characters' }
    const path: MasterKey[] = [keyA, keyB, keyA, passphrase, other, keyA]
    for (const [i, oldMaster] of path.slice(0, -1).entries()) {
      const newMaster = path[i + 1] ?? keyA
      expect(await rotate(place.store, { oldMaster, newMaster })).toMatchObject({ rewrapped: 3 })
      await expectEverythingOpens(place, await open(place.store, newMaster))
      expect((await load(place.store, oldMaster)).ok).toBe(false)
    }
    expect(await place.store.records.readFact('passphrase_salt')).toBeNull()
  })

  test('with a wrong old key, or to the key in use, is refused and changes nothing', async () => {
    const { store } = await installation(keyA)
    const before = await store.records.readFact('keyset')
    expect(await rotate(store, { oldMaster: keyB, newMaster: keyC })).toMatchObject({ ok: false })
    expect(await rotate(store, { oldMaster: keyA, newMaster: keyA })).toMatchObject({ ok: false })
    expect(await store.records.readFact('keyset')).toEqual(before)
  })

  test('that another one overtakes at any of its writes says so and harms nothing', async () => {
    for (const nth of [1, 2]) {
      const place = await installation(keyA)
      const overtaken = beforeWrite(place.store, nth, async () => {
        const oldMaster = nth === 1 ? keyA : keyB
        const winner = await rotate(place.store, { oldMaster, newMaster: keyC })
        expect(winner.ok).toBe(true)
      })

      const loser = await rotate(overtaken, { oldMaster: keyA, newMaster: keyB })

      expect(loser).toEqual({ ok: false, mistake: expect.stringContaining('another rotation') })
      await expectEverythingOpens(place, await open(place.store, keyC))
    }
  })

  test('also wraps anew what another process wrapped with the old key until its end', async () => {
    const place = await installation(keyA)
    const { store, keyring, sealed } = place
    const late = beforeWrite(store, 2, async () => {
      const { app } = await addApp({ ...store, keyring, clock, random })
      sealed.set(app.id, keyring.seal(app.id, app.dataKey, note, `value ${app.id}`))
    })
    expect(await rotate(late, { oldMaster: keyA, newMaster: keyB })).toMatchObject({ rewrapped: 4 })
    await expectEverythingOpens(place, await open(store, keyB))
  })
})

describe('a server that runs while the key is rotated', () => {
  test('takes up the new keyset without being given the new master key', async () => {
    const place = await installation(keyA)
    const { store, keyring } = place
    expect(await followRotation({ records: store.records, keyring })).toEqual({
      ok: true,
      changed: false,
    })
    const seen: number[] = []
    await rotate(store, {
      oldMaster: keyA,
      newMaster: keyB,
      serverRuns: async () => true,
      pause: async () => {
        await expectEverythingOpens(place, keyring)
        await followRotation({ records: store.records, keyring })
        seen.push(keyring.keyset().version)
        await expectEverythingOpens(place, keyring)
      },
    })
    expect(await followRotation({ records: store.records, keyring })).toEqual({
      ok: true,
      changed: true,
    })
    expect(seen).toEqual([2])
    expect(keyring.keyset()).toEqual((await open(store, keyB)).keyset())
    await expectEverythingOpens(place, keyring)
  })

  test('holds it up until it follows, so that nothing is sealed with a dropped key', async () => {
    const place = await installation(keyA)
    const { store, keyring } = place
    const rotation = { oldMaster: keyA, newMaster: keyB, serverRuns: async () => true }

    expect(await rotate(store, rotation)).toMatchObject({ ok: false })

    const { app } = await addApp({ ...store, keyring, clock, random })
    place.sealed.set(app.id, keyring.seal(app.id, app.dataKey, note, `value ${app.id}`))
    await followRotation({ records: store.records, keyring })
    expect(await rotate(store, rotation)).toMatchObject({ ok: true, rewrapped: 4 })
    await expectEverythingOpens(place, await open(store, keyB))
  })

  test('that starts anew in the middle acknowledges as well', async () => {
    const { store } = await installation(keyA)
    const rotation = { oldMaster: keyA, newMaster: keyB, serverRuns: async () => true }
    await rotate(store, rotation)

    const restarted = await open(store, keyB)
    await followRotation({ records: store.records, keyring: restarted })

    expect(await rotate(store, rotation)).toMatchObject({ ok: true })
  })

  test('that missed the rotation says that it has no key, and keeps the one it had', async () => {
    const { store, keyring } = await installation(keyA)
    const before = keyring.keyset()
    await rotate(store, { oldMaster: keyA, newMaster: keyB })

    expect((await followRotation({ records: store.records, keyring })).ok).toBe(false)
    expect(keyring.keyset()).toBe(before)
  })
})

describe('the key file in the data directory', () => {
  const nowhere = { raw: null, file: null, credentialsDirectory: null }
  let count = 0

  async function fileInstallation() {
    const dataDir = join(root, String(count++))
    const found = findMasterKey({ settings: nowhere, dataDir, databaseExists: false, random })
    if (!found.ok) throw new Error(found.mistake)
    return { dataDir, ...(await installation(found.found.masterKey)) }
  }
  const unlock = (store: Stores, dataDir: string) => {
    const found = findMasterKey({ settings: nowhere, dataDir, databaseExists: true, random })
    if (!found.ok) throw new Error(found.mistake)
    return unlockKeyset({ records: store.records, found: found.found, dataDir, random, clock })
  }
  const rotateFile = (store: Stores, dataDir: string) =>
    rotateDataDirKey({ ...alone, records: store.records, apps: store.apps, dataDir })

  test('is replaced by a new one, and the old one stays under its id', async () => {
    const place = await fileInstallation()
    const path = join(place.dataDir, 'master.key')
    const old = readFileSync(path, 'utf8')
    const oldId = place.keyring.codeKeyId()

    expect(await rotateFile(place.store, place.dataDir)).toMatchObject({ ok: true, rewrapped: 3 })

    expect(readFileSync(path, 'utf8')).not.toBe(old)
    expect(readFileSync(`${path}.${oldId}`, 'utf8')).toBe(old)
    expect(readdirSync(place.dataDir).sort()).toEqual(['master.key', `master.key.${oldId}`])
    for (const name of readdirSync(place.dataDir)) {
      expect(statSync(join(place.dataDir, name)).mode & 0o777).toBe(0o600)
    }
    expect((await unlock(place.store, place.dataDir)).ok).toBe(true)
  })

  test('fits at the next start whenever the rotation was killed', async () => {
    for (const moment of ['before', 'after'] as const) {
      for (let nth = 1; nth <= 3; nth++) {
        const place = await fileInstallation()
        const killed = dying(place.store, nth, moment)
        await expect(rotateFile(killed, place.dataDir)).rejects.toThrow('killed')

        const unlocked = await unlock(place.store, place.dataDir)
        if (!unlocked.ok) throw new Error(unlocked.mistake)
        await expectEverythingOpens(place, createKeyring(unlocked.keyset))
        if (nth > 1) expect(existsSync(join(place.dataDir, 'master.key.next'))).toBe(false)

        const isOver = nth === 3 && moment === 'after'
        const finished = await rotateFile(place.store, place.dataDir)
        expect(finished).toMatchObject({ ok: true })
        const again = await unlock(place.store, place.dataDir)
        if (!again.ok) throw new Error(again.mistake)
        expect(Object.keys(again.keyset.keks)).toHaveLength(1)
        if (nth > 1 && !isOver) expect(again.keyset.kekId).toBe(unlocked.keyset.kekId)
        await expectEverythingOpens(place, createKeyring(again.keyset))
      }
    }
  })

  test('that fits nothing is refused although another lies beside it', async () => {
    const place = await fileInstallation()
    const stranger = await fileInstallation()
    const path = join(stranger.dataDir, 'master.key')
    copyFileSync(path, `${path}.next`)
    expect((await unlock(place.store, stranger.dataDir)).ok).toBe(false)
    expect(existsSync(`${path}.next`)).toBe(true)
  })
})
