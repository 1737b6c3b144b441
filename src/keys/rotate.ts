import type { Clock, Random } from '../domain/ports.ts'
import type { AppStore, RecordStore } from '../domain/stores.ts'
import { openBytes, sealBytes } from './envelope.ts'
import { type LiveKeyring, unwrapDataKey, wrapDataKey } from './keyring.ts'
import { deriveKek, type Keyset, keyIdOf, openKeyset, sealKeyset, succeedKeyset } from './keyset.ts'
import { masterBytes, textFact } from './load-keyset.ts'
import { type MasterKey, type Mistake, mistake } from './master-key.ts'
import { saltLength } from './passphrase.ts'

type FactStore = Pick<RecordStore, 'readFact' | 'writeFacts'>

export type Rotation = {
  records: FactStore
  apps: Pick<AppStore, 'wrappedOtherwise' | 'rewrap'>
  random: Random
  clock: Clock
  oldMaster: MasterKey
  newMaster: MasterKey
  /** Whether a server holds the data directory; it must take up the new keyset before the end. */
  serverRuns(): Promise<boolean>
  /** Between two looks at a running server. */
  pause?(): Promise<unknown>
  /** How many data keys are wrapped anew so far. */
  onProgress?(rewrapped: number): void
}

export type Rotated = { ok: true; keyId: string; rewrapped: number } | Mistake

const batchSize = 100
const looksMax = 60

/**
 * Puts a new master key in the place of the old one while a server runs. One write seals the
 * keyset under the new key, with the old KEK inside and a bridge for the server; then the data
 * keys are wrapped anew; then the old KEK and the bridge go. Killed anywhere, it is finished by
 * running it again. Codes made before it stay valid for their life.
 */
export async function rotateMasterKey(rotation: Rotation): Promise<Rotated> {
  const begun = await begin(rotation)
  if (!begun.ok) return begun
  const { keyset } = begun
  const keyId = keyset.kekId
  if (Object.keys(keyset.keks).length === 1) return { ok: true, keyId, rewrapped: 0 }

  if (!(await followed(rotation, keyset.version))) {
    return mistake('the running server has not taken up the new key: run it again, or stop it')
  }
  const before = await rewrapAll(rotation, keyset, 0)
  if (typeof before !== 'number') return before
  if (!(await dropOldKeks(rotation.records, keyset))) return mistake(overtaken)
  // What another process may have wrapped under the old KEK while it was still there.
  const after = await rewrapAll(rotation, keyset, before)
  return typeof after === 'number' ? { ok: true, keyId, rewrapped: after } : after
}

/**
 * What a running server calls every second: takes up a changed keyset, by the bridge if it is
 * sealed under a key that came after this server's start, and acknowledges it to the rotation.
 */
export async function followRotation({
  records,
  keyring,
}: {
  records: FactStore
  keyring: LiveKeyring
}): Promise<{ ok: true; changed: boolean } | Mistake> {
  const stored = Number(textOf(await records.readFact('keyset_version')))
  const changed = stored !== keyring.keyset().version
  if (changed) {
    const next = await takeUp(records, keyring.keyset())
    if (!next) return mistake('the keyset has changed and this server has no key to it')
    keyring.replace(next)
  }
  const { version, keks } = keyring.keyset()
  if (Object.keys(keks).length > 1) {
    const seen = textOf(await records.readFact('rotation_seen'))
    if (seen !== String(version)) await records.writeFacts({ rotation_seen: textFact(version) })
  }
  return { ok: true, changed }
}

const overtaken = 'another rotation has come between: run it again'

/** Step 1, unless an earlier run has done it: the keyset under the new key. */
async function begin(rotation: Rotation): Promise<{ ok: true; keyset: Keyset } | Mistake> {
  const { records, oldMaster, newMaster, random, clock } = rotation
  const sealed = await records.readFact('keyset')
  if (!sealed) return mistake('there is no keyset to rotate')
  const salt = await records.readFact('passphrase_salt')
  const current = openWith(sealed, await masterBytes(oldMaster, salt))
  const done = openWith(sealed, await masterBytes(newMaster, salt))
  if (done) {
    const isSame = current !== null && Object.keys(done.keks).length === 1
    return isSame ? mistake('the new master key is the one in use') : { ok: true, keyset: done }
  }
  if (!current) return mistake("neither master key is this database's")

  const newSalt = newMaster.kind === 'passphrase' ? random.bytes(saltLength) : null
  const master = await masterBytes(newMaster, newSalt)
  if (!master) throw new Error('a passphrase needs a salt')
  const keyset = succeedKeyset(current, master, clock.now())
  const facts = {
    keyset: sealKeyset(keyset),
    keyset_key_id: textFact(keyset.kekId),
    keyset_version: textFact(keyset.version),
    passphrase_salt: newSalt,
    rotation_bridge: sealBridge(current, keyset),
  }
  const expected = { keyset_version: textFact(current.version) }
  const written = await records.writeFacts(facts, expected)
  return written ? { ok: true, keyset } : mistake(overtaken)
}

/** Waits until no server runs or the one that does has the keyset of this version. */
async function followed(rotation: Rotation, version: number): Promise<boolean> {
  const { records, serverRuns, pause = () => Bun.sleep(500) } = rotation
  for (let looks = 0; looks < looksMax; looks++) {
    if (!(await serverRuns())) return true
    if (textOf(await records.readFact('rotation_seen')) === String(version)) return true
    await pause()
  }
  return false
}

/** Step 2: every data key under the current KEK. Answers how many have been, from `count` on. */
async function rewrapAll(
  { apps, onProgress }: Rotation,
  keyset: Keyset,
  count: number,
): Promise<number | Mistake> {
  let rewrapped = count
  for (;;) {
    const batch = await apps.wrappedOtherwise(keyset.kekId, batchSize)
    if (batch.length === 0) return rewrapped
    const items = []
    for (const { appId, key } of batch) {
      try {
        const dataKey = unwrapDataKey(keyset, appId, key)
        items.push({ appId, from: key, to: wrapDataKey(keyset, appId, dataKey) })
      } catch {
        return mistake(
          `the data key of app ${appId} cannot be unwrapped: restore or delete the app`,
        )
      }
    }
    await apps.rewrap(items)
    rewrapped += items.length
    onProgress?.(rewrapped)
  }
}

/** Step 3: from here on the old master key opens nothing. */
async function dropOldKeks(records: FactStore, keyset: Keyset): Promise<boolean> {
  const { kekId, keks, version } = keyset
  const current = Object.entries(keks).filter(([id]) => id === kekId)
  const last = { ...keyset, version: version + 1, keks: Object.fromEntries(current) }
  const facts = {
    keyset: sealKeyset(last),
    keyset_version: textFact(last.version),
    rotation_bridge: null,
    rotation_seen: null,
  }
  return records.writeFacts(facts, { keyset_version: textFact(version) })
}

/** The stored keyset, by a key at hand or across the bridge. */
async function takeUp(records: FactStore, { keks, kekId }: Keyset): Promise<Keyset | null> {
  const sealed = await records.readFact('keyset')
  if (!sealed) return null
  for (const [id, kek] of Object.entries(keks)) {
    const keyset = openKeyset(sealed, id, kek)
    if (keyset) return keyset
  }
  const bridge = await records.readFact('rotation_bridge')
  const kek = keks[kekId]
  if (!bridge || !kek) return null
  try {
    const plain = openBytes(kek, bridgePlace(kekId), bridge)
    const crossed: { kekId: string; kek: string } = JSON.parse(Buffer.from(plain).toString())
    return openKeyset(sealed, crossed.kekId, new Uint8Array(Buffer.from(crossed.kek, 'base64')))
  } catch {
    return null
  }
}

function sealBridge(from: Keyset, to: Keyset): Uint8Array {
  const fromKek = from.keks[from.kekId]
  const toKek = to.keks[to.kekId]
  if (!fromKek || !toKek) throw new Error('a keyset lacks its current key')
  const plain = JSON.stringify({ kekId: to.kekId, kek: Buffer.from(toKek).toString('base64') })
  return sealBytes(fromKek, bridgePlace(from.kekId), Buffer.from(plain))
}

function bridgePlace(fromKekId: string): string {
  return `bridge\0${fromKekId}`
}

function openWith(sealed: Uint8Array, master: Uint8Array | null): Keyset | null {
  return master && openKeyset(sealed, keyIdOf(master), deriveKek(master))
}

function textOf(fact: Uint8Array | null): string | null {
  return fact && new TextDecoder().decode(fact)
}
