import { randomBytes } from 'node:crypto'
import type { Keyring, SealPlace, WrappedKey } from '../domain/keyring.ts'
import { openBytes, sealBytes } from './envelope.ts'
import type { CodeKey, Keyset } from './keyset.ts'

export type LiveKeyring = Keyring & {
  keyset(): Keyset
  /** Swaps every key at once; whatever is derived next comes from the new keyset. */
  replace(keyset: Keyset): void
}

const indexLength = 16
const dataKeysMax = 10_000

/** Everything that needs the master key, in memory and synchronous: an HMAC takes 0.5 us. */
export function createKeyring(first: Keyset): LiveKeyring {
  let keyset = first
  let newestFirst = codeKeysOf(first)
  const dataKeyOf = createDataKeys(() => keyset)

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
      newestFirst = codeKeysOf(next)
    },
    codeKeyId: () => keyset.kekId,
    codeBlock: (keyId, { appId, verificationId, generation }, block) =>
      hmac(codeKey(keyId).code, `${appId}\0${verificationId}\0${generation}\0${block}`),
    codeDigest: (keyId, appId, verificationId, code) =>
      digestWith(codeKey(keyId), appId, verificationId, code),
    codeDigests: (appId, verificationId, code) =>
      newestFirst.map((key) => digestWith(key, appId, verificationId, code)),
    recipientIndex: (appId, recipient) => index(keyset.recipientIndex, `${appId}\0${recipient}`),
    limitIndex: (scope, value) => index(keyset.limitIndex, `${scope}\0${value}`),
    secretKeyIndex: (secretKey) => index(keyset.secretKeyIndex, secretKey),
    fingerprint: (appId, text) => hmac(keyset.fingerprint, `${appId}\0${text}`),
    auditLink: (previous, record) =>
      new Bun.CryptoHasher('sha256', keyset.audit).update(previous).update(record).digest(),
    newDataKey: (appId) => wrapDataKey(keyset, appId, new Uint8Array(randomBytes(32))),
    seal: (appId, key, place, text) =>
      sealBytes(dataKeyOf(appId, key), fieldPlace(appId, place), Buffer.from(text)),
    open: (appId, key, place, sealed) =>
      Buffer.from(openBytes(dataKeyOf(appId, key), fieldPlace(appId, place), sealed)).toString(),
  }
}

/** Wraps a data key under the current KEK, for this app only. */
export function wrapDataKey(keyset: Keyset, appId: string, dataKey: Uint8Array): WrappedKey {
  const keyId = keyset.kekId
  const kek = keyset.keks[keyId]
  if (!kek) throw new Error('the keyset lacks its current key')
  return { keyId, bytes: sealBytes(kek, dataKeyPlace(appId, keyId), dataKey) }
}

/** Throws when the key is not this app's or its KEK is gone. */
export function unwrapDataKey(keyset: Keyset, appId: string, key: WrappedKey): Uint8Array {
  const kek = keyset.keks[key.keyId]
  if (!kek) throw new Error('no key of this id is left to unwrap a data key with')
  return openBytes(kek, dataKeyPlace(appId, key.keyId), key.bytes)
}

/**
 * Unwrapped data keys by app and wrapped bytes. They outlive a change of keyset: a rotation wraps
 * the same data keys anew, and what was read before it still opens.
 */
function createDataKeys(keyset: () => Keyset) {
  const known = new Map<string, Uint8Array>()
  return (appId: string, key: WrappedKey): Uint8Array => {
    const name = `${appId}\0${key.keyId}\0${Buffer.from(key.bytes).toString('latin1')}`
    const hit = known.get(name)
    if (hit) return hit
    const dataKey = unwrapDataKey(keyset(), appId, key)
    const [oldest] = known.keys()
    if (known.size >= dataKeysMax && oldest !== undefined) known.delete(oldest)
    known.set(name, dataKey)
    return dataKey
  }
}

function codeKeysOf({ codeKeys, kekId }: Keyset): CodeKey[] {
  const age = (id: string, key: CodeKey) =>
    id === kekId ? Number.POSITIVE_INFINITY : (key.retiredAt ?? 0)
  return Object.entries(codeKeys)
    .sort(([idA, a], [idB, b]) => age(idB, b) - age(idA, a))
    .map(([, key]) => key)
}

function dataKeyPlace(appId: string, keyId: string): string {
  return `dek\0${appId}\0${keyId}`
}

function fieldPlace(appId: string, { table, row, column, binding = '' }: SealPlace): string {
  return `field\0${appId}\0${table}\0${row}\0${column}\0${binding}`
}

function index(key: Uint8Array, text: string): Uint8Array {
  return hmac(key, text).subarray(0, indexLength)
}

function hmac(key: Uint8Array, text: string): Uint8Array {
  return new Bun.CryptoHasher('sha256', key).update(text).digest()
}
