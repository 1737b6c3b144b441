import { createHash, hkdfSync } from 'node:crypto'
import { openBytes, sealBytes } from './envelope.ts'

/** What codes are derived and judged with; kept for a while after it is retired. */
export type CodeKey = { code: Uint8Array; digest: Uint8Array; retiredAt: number | null }

/**
 * Every key in use. On the first start all of it derives from the master key; a rotation replaces
 * what seals (KEK) and what makes new codes, and carries the rest over, so that limits, budgets,
 * look-ups and the audit chain survive it.
 */
export type Keyset = {
  /** Counts up with every change, so that a running server notices one. */
  version: number
  kekId: string
  /** By key id: the current one, and the former one while a rotation runs. */
  keks: Record<string, Uint8Array>
  codeKeys: Record<string, CodeKey>
  recipientIndex: Uint8Array
  limitIndex: Uint8Array
  secretKeyIndex: Uint8Array
  fingerprint: Uint8Array
  audit: Uint8Array
  session: Uint8Array
}

/** Codes live 24 hours at most; an hour more covers clocks that disagree. */
export const codeKeyKeepingMs = 25 * 3_600_000

const carried = [
  'recipientIndex',
  'limitIndex',
  'secretKeyIndex',
  'fingerprint',
  'audit',
  'session',
] as const

/** HKDF-SHA-256 (RFC 5869) without salt: the master key is uniformly random already. */
export function deriveKey(master: Uint8Array, info: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', master, new Uint8Array(0), info, 32))
}

/** Tells master keys apart without saying anything about them: 8 hex characters. */
export function keyIdOf(master: Uint8Array): string {
  const bytes = deriveKey(master, 'otpmint/key-id/v1')
  return createHash('sha256').update(bytes).digest('hex').slice(0, 8)
}

export function deriveKek(master: Uint8Array): Uint8Array {
  return deriveKey(master, 'otpmint/kek/v1')
}

/** The keyset of an installation that starts with this master key. */
export function firstKeyset(master: Uint8Array): Keyset {
  const id = keyIdOf(master)
  return {
    version: 1,
    kekId: id,
    keks: { [id]: deriveKek(master) },
    codeKeys: { [id]: codeKeyOf(master) },
    recipientIndex: deriveKey(master, 'otpmint/recipient-index/v1'),
    limitIndex: deriveKey(master, 'otpmint/limit-index/v1'),
    secretKeyIndex: deriveKey(master, 'otpmint/secret-key-index/v1'),
    fingerprint: deriveKey(master, 'otpmint/fingerprint/v1'),
    audit: deriveKey(master, 'otpmint/audit/v1'),
    session: deriveKey(master, 'otpmint/session/v1'),
  }
}

/** The same installation under a new master key: new codes and seals, everything else carried. */
export function succeedKeyset(keyset: Keyset, master: Uint8Array, now: number): Keyset {
  const id = keyIdOf(master)
  const codeKeys: Keyset['codeKeys'] = {}
  for (const [keyId, key] of Object.entries(keyset.codeKeys)) {
    codeKeys[keyId] = { ...key, retiredAt: key.retiredAt ?? now }
  }
  return dropOldCodeKeys(
    {
      ...keyset,
      version: keyset.version + 1,
      kekId: id,
      keks: { ...keyset.keks, [id]: deriveKek(master) },
      codeKeys: { ...codeKeys, [id]: codeKeyOf(master) },
    },
    now,
  )
}

/** Without the code keys that no live code can have been made with. */
export function dropOldCodeKeys(keyset: Keyset, now: number): Keyset {
  const live = Object.entries(keyset.codeKeys).filter(
    ([, key]) => key.retiredAt === null || key.retiredAt + codeKeyKeepingMs > now,
  )
  return { ...keyset, codeKeys: Object.fromEntries(live) }
}

/** The keyset as it is stored: sealed under its own current KEK. */
export function sealKeyset(keyset: Keyset): Uint8Array {
  const kek = keyset.keks[keyset.kekId]
  if (!kek) throw new Error('the keyset lacks its current key')
  const codeKeys = Object.entries(keyset.codeKeys).map(([id, { code, digest, retiredAt }]) => [
    id,
    { code: toBase64(code), digest: toBase64(digest), retiredAt },
  ])
  const stored: StoredKeyset = {
    version: keyset.version,
    kekId: keyset.kekId,
    keks: mapValues(keyset.keks, toBase64),
    codeKeys: Object.fromEntries(codeKeys),
    carried: Object.fromEntries(carried.map((name) => [name, toBase64(keyset[name])])),
  }
  return sealBytes(kek, placeOf(keyset.kekId), Buffer.from(JSON.stringify(stored)))
}

/** Null when this key does not open it, which makes the keyset the canary of the master key. */
export function openKeyset(sealed: Uint8Array, kekId: string, kek: Uint8Array): Keyset | null {
  let plain: Uint8Array
  try {
    plain = openBytes(kek, placeOf(kekId), sealed)
  } catch {
    return null
  }
  const stored: StoredKeyset = JSON.parse(Buffer.from(plain).toString())
  const codeKeys = Object.entries(stored.codeKeys).map(([id, { code, digest, retiredAt }]) => [
    id,
    { code: fromBase64(code), digest: fromBase64(digest), retiredAt },
  ])
  const keys = mapValues(stored.carried, fromBase64)
  return {
    version: stored.version,
    kekId: stored.kekId,
    keks: mapValues(stored.keks, fromBase64),
    codeKeys: Object.fromEntries(codeKeys),
    ...(keys as Record<(typeof carried)[number], Uint8Array>),
  }
}

type StoredKeyset = {
  version: number
  kekId: string
  keks: Record<string, string>
  codeKeys: Record<string, { code: string; digest: string; retiredAt: number | null }>
  carried: Record<string, string>
}

function codeKeyOf(master: Uint8Array): CodeKey {
  return {
    code: deriveKey(master, 'otpmint/code/v1'),
    digest: deriveKey(master, 'otpmint/digest/v1'),
    retiredAt: null,
  }
}

function placeOf(kekId: string): string {
  return `keyset\0${kekId}`
}

function mapValues<A, B>(record: Record<string, A>, map: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value)]))
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}

function fromBase64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'))
}
