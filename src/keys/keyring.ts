import type { Keyring, SealPlace, WrappedKey } from '../domain/keyring.ts'
import type { Random } from '../domain/ports.ts'
import { openBytes, sealBytes } from './envelope.ts'
import { auditMac, type CodeKey, type Keyset, retiredKeepingMs } from './keyset.ts'

export type LiveKeyring = Keyring & {
  keyset(): Keyset
  /** Replaces every key at once. */
  replace(keyset: Keyset): void
}

const indexLength = 16
const dataKeysMax = 10_000

/** Creates the keyring: in memory and synchronous, because an HMAC takes 0.5 us. */
export function createKeyring(first: Keyset, random: Random): LiveKeyring {
  let keyset = first
  const dataKeysOf = createDataKeys(() => keyset)

  const codeKey = (keyId: string): CodeKey => {
    const key = keyset.codeKeys[keyId]
    if (!key) throw new Error('no code key has this id')
    return key
  }
  const digestWith = (key: CodeKey, appId: string, verificationId: string, code: string) =>
    hmac(key.digest, `${appId}\0${verificationId}\0${code}`)

  return {
    keyset: () => keyset,
    replace(next) {
      keyset = next
    },
    codeKeyId: () => keyset.currentId,
    hasCodeKey: (keyId) => Object.hasOwn(keyset.codeKeys, keyId),
    codeBlock: (keyId, { appId, verificationId, generation }, block) =>
      hmac(codeKey(keyId).code, `${appId}\0${verificationId}\0${generation}\0${block}`),
    codeDigest: (keyId, appId, verificationId, code) =>
      digestWith(codeKey(keyId), appId, verificationId, code),
    codeDigests: (appId, verificationId, code) =>
      Object.entries(keyset.codeKeys).map(([keyId, key]) => ({
        keyId,
        digest: digestWith(key, appId, verificationId, code),
      })),
    recipientIndex: (appId, recipient) => index(keyset.recipientIndex, `${appId}\0${recipient}`),
    limitIndex: (scope, value) => index(keyset.limitIndex, `${scope}\0${value}`),
    secretKeyIndex: (secretKey) => index(keyset.secretKeyIndex, secretKey),
    fingerprint: (appId, text) => hmac(keyset.fingerprint, `${appId}\0${text}`),
    // No app has such an id, so that no fingerprint of a body is the hash of a token.
    tokenHash: (kind, token) => hmac(keyset.fingerprint, `token\0${kind}\0${token}`),
    passwordKey: () => hmac(keyset.fingerprint, 'password'),
    auditMac: (previous, text) => auditMac(keyset, previous, text),
    newDataKey: (appId) => wrapDataKeys(keyset, appId, { current: random.bytes(32), former: [] }),
    seal: (appId, key, place, text) => {
      const { current } = dataKeysOf(appId, key)
      return sealBytes(current, fieldPlace(appId, place), Buffer.from(text))
    },
    open: (appId, key, place, sealed) => {
      const bytes = openWithAny(dataKeysOf(appId, key), fieldPlace(appId, place), sealed)
      return Buffer.from(bytes).toString()
    },
  }
}

/** The data key of an app, and the retired ones that still open what they sealed. */
export type DataKeys = { current: Uint8Array; former: { key: Uint8Array; retiredAt: number }[] }

/** Makes a new data key for an app; keeps its predecessor for a week. */
export function renewDataKey(
  { keyset, random, now }: { keyset: Keyset; random: Random; now: number },
  appId: string,
  key: WrappedKey,
): WrappedKey {
  const { current, former } = unwrapDataKeys(keyset, appId, key)
  const kept = former.filter(({ retiredAt }) => retiredAt + retiredKeepingMs > now)
  const keys = { current: random.bytes(32), former: [{ key: current, retiredAt: now }, ...kept] }
  return wrapDataKeys(keyset, appId, keys)
}

/** Wraps an app's data keys under the current KEK, for this app only. */
export function wrapDataKeys(keyset: Keyset, appId: string, keys: DataKeys): WrappedKey {
  const keyId = keyset.currentId
  const kek = keyset.keks[keyId]
  if (!kek) throw new Error('the keyset lacks its current key')
  const former = keys.former.flatMap(({ key, retiredAt }) => [timeBytes(retiredAt), key])
  const plain = new Uint8Array(Buffer.concat([keys.current, ...former]))
  return { keyId, bytes: sealBytes(kek, dataKeyPlace(appId, keyId), plain) }
}

/** Throws when the keys are not this app's or their KEK was dropped. */
export function unwrapDataKeys(keyset: Keyset, appId: string, key: WrappedKey): DataKeys {
  const kek = keyset.keks[key.keyId]
  if (!kek) throw new Error('no key of this id is left to unwrap a data key with')
  const plain = openBytes(kek, dataKeyPlace(appId, key.keyId), key.bytes)
  const former: DataKeys['former'] = []
  for (let at = 32; at < plain.length; at += 40) {
    const view = new DataView(plain.buffer, plain.byteOffset + at, 8)
    former.push({ key: plain.slice(at + 8, at + 40), retiredAt: Number(view.getBigUint64(0)) })
  }
  return { current: plain.slice(0, 32), former }
}

function openWithAny({ current, former }: DataKeys, place: string, sealed: Uint8Array): Uint8Array {
  const oldest = former.at(-1)
  if (!oldest) return openBytes(current, place, sealed)
  for (const key of [current, ...former.slice(0, -1).map(({ key }) => key)]) {
    const plain = tryOpen(key, place, sealed)
    if (plain) return plain
  }
  return openBytes(oldest.key, place, sealed)
}

function tryOpen(key: Uint8Array, place: string, sealed: Uint8Array): Uint8Array | null {
  try {
    return openBytes(key, place, sealed)
  } catch {
    return null
  }
}

/**
 * Caches unwrapped data keys by app and wrapped bytes. They stay after a change of keyset, so that
 * a key that was read before a rotation still opens.
 */
function createDataKeys(keyset: () => Keyset) {
  const known = new Map<string, DataKeys>()
  return (appId: string, key: WrappedKey): DataKeys => {
    const name = `${appId}\0${key.keyId}\0${Buffer.from(key.bytes).toString('latin1')}`
    const hit = known.get(name)
    if (hit) return hit
    const dataKeys = unwrapDataKeys(keyset(), appId, key)
    const [oldest] = known.keys()
    if (known.size >= dataKeysMax && oldest !== undefined) known.delete(oldest)
    known.set(name, dataKeys)
    return dataKeys
  }
}

function timeBytes(time: number): Uint8Array {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(time))
  return bytes
}

function dataKeyPlace(appId: string, keyId: string): string {
  return `dek\0${appId}\0${keyId}`
}

function fieldPlace(appId: string, { table, row, column, binding = '' }: SealPlace): string {
  return `field\0${appId}\0${table}\0${row}\0${column}\0${binding}`
}

/** HMAC-SHA-256. The state after the key is kept and copied, which halves the time. */
function hmac(key: Uint8Array, text: string): Uint8Array {
  let keyed = keyedHashers.get(key)
  if (!keyed) {
    keyed = new Bun.CryptoHasher('sha256', key)
    keyedHashers.set(key, keyed)
  }
  return keyed.copy().update(text).digest()
}

const keyedHashers = new WeakMap<Uint8Array, Bun.CryptoHasher>()

function index(key: Uint8Array, text: string): Uint8Array {
  return hmac(key, text).subarray(0, indexLength)
}
