import { createHash, hkdfSync } from 'node:crypto'
import { linkAudit } from '../domain/audit.ts'
import type { Clock, Random } from '../domain/ports.ts'
import type { MetaStore } from '../domain/stores.ts'
import { cannotStart, settingsAreWrong } from '../startup-error.ts'
import { openBytes, sealBytes } from './envelope.ts'
import type { MasterKey } from './master-key.ts'
import { saltLength, stretchPassphrase } from './passphrase.ts'

/** The keys of codes and of digests; `retiredAt` is null while it is the current one. */
export type CodeKey = { code: Uint8Array; digest: Uint8Array; retiredAt: number | null }

/**
 * Every key in use. At the first start all are derived from the master key; a rotation replaces the
 * KEK and the code key, and keeps the others, so that limits, budgets, look-ups and the audit chain
 * go on.
 */
export type Keyset = {
  /** Counts up with every change, so that running servers notice it. */
  version: number
  /** The id of the master key that the keyset itself is sealed under. */
  masterId: string
  /** The id of the KEK for new data keys and of the code key for new codes. */
  currentId: string
  /** By key id: the current one, and others during a rotation. */
  keks: Record<string, Uint8Array>
  codeKeys: Record<string, CodeKey>
  recipientIndex: Uint8Array
  limitIndex: Uint8Array
  secretKeyIndex: Uint8Array
  fingerprint: Uint8Array
  audit: Uint8Array
}

/**
 * How long a retired key still judges codes and opens addresses. Codes live 24 hours at most; the
 * rest of the week covers clocks that were wrong.
 */
export const retiredKeepingMs = 7 * 86_400_000

const carried = ['recipientIndex', 'limitIndex', 'secretKeyIndex', 'fingerprint', 'audit'] as const

type KeysetPorts = {
  meta: Pick<MetaStore, 'read' | 'write'>
  random: Random
  clock: Clock
}

/**
 * Loads the stored keyset, or writes the first one of a new database together with the first audit
 * record. After a rotation the next key opens it. Throws `StartupError` when neither does.
 */
export async function loadKeyset(
  ports: KeysetPorts,
  masterKey: MasterKey,
  nextKey: MasterKey | null = null,
): Promise<Keyset> {
  const { meta, clock } = ports
  const sealed = await meta.read('keyset')
  if (!sealed) return createKeyset(ports, masterKey)

  const salt = await meta.read('passphrase_salt')
  const master = await masterBytes(masterKey, salt)
  const keyset =
    openWith(sealed, master) ?? openWith(sealed, nextKey && (await masterBytes(nextKey, salt)))
  if (keyset) return withoutOldCodeKeys(keyset, clock.now())
  throw await misfit(meta, master)
}

/** The keyset as it is stored, opened with a master key; null when that does not open it. */
export function openWith(sealed: Uint8Array, master: Uint8Array | null): Keyset | null {
  return master && openKeyset(sealed, keyIdOf(master), deriveKek(master))
}

async function createKeyset(
  { meta, random, clock }: KeysetPorts,
  masterKey: MasterKey,
): Promise<Keyset> {
  const salt = masterKey.kind === 'passphrase' ? random.bytes(saltLength) : null
  const master = await masterBytes(masterKey, salt)
  if (!master) throw new Error('a passphrase needs a salt')
  const keyset = firstKeyset(master)
  const mac = { auditMac: (link: Uint8Array, text: string) => auditMac(keyset, link, text) }
  const audit = linkAudit(mac, null, {
    at: clock.now(),
    who: 'server',
    action: 'store.create',
    object: 'database',
    detail: `key ${keyset.masterId}`,
    requestId: null,
  })
  const facts = { ...keysetFacts(keyset), passphrase_salt: salt }
  const expected = { keyset: null, keyset_key_id: null }
  if (await meta.write(facts, { expected, audit })) return keyset
  // Another node has made it at this moment.
  if (await meta.read('keyset')) return loadKeyset({ meta, random, clock }, masterKey)
  throw cannotStart('the keyset of this database is missing: restore a backup')
}

async function misfit(meta: Pick<MetaStore, 'read'>, master: Uint8Array | null): Promise<Error> {
  const needed = textOf(await meta.read('keyset_key_id')) ?? 'unknown'
  const given = master ? keyIdOf(master) : 'a passphrase'
  return settingsAreWrong(
    given === needed
      ? 'the keyset of this database is damaged: restore a backup'
      : `the master key is not this database's: key id ${needed} is needed, ${given} was given`,
  )
}

/** The stored values of a keyset: the sealed keyset, and what can be read without the key. */
export function keysetFacts(keyset: Keyset): Record<string, Uint8Array> {
  return {
    keyset: sealKeyset(keyset),
    keyset_key_id: textFact(keyset.masterId),
    keyset_version: textFact(keyset.version),
  }
}

/** The bytes of a master key; null for a passphrase without a salt in the database. */
export async function masterBytes(
  masterKey: MasterKey,
  salt: Uint8Array | null,
): Promise<Uint8Array | null> {
  if (masterKey.kind === 'bytes') return masterKey.bytes
  return salt && stretchPassphrase(masterKey.passphrase, salt)
}

/** HKDF-SHA-256 (RFC 5869) without salt: the master key is uniformly random already. */
export function deriveKey(master: Uint8Array, info: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', master, new Uint8Array(0), info, 32))
}

/** The id of a master key, which reveals nothing of it: 8 hex characters. */
export function keyIdOf(master: Uint8Array): string {
  const bytes = deriveKey(master, 'otpmint/key-id/v1')
  return createHash('sha256').update(bytes).digest('hex').slice(0, 8)
}

export function deriveKek(master: Uint8Array): Uint8Array {
  return deriveKey(master, 'otpmint/kek/v1')
}

/** HMAC of the audit chain: over the link before and a text. */
export function auditMac({ audit }: Keyset, previous: Uint8Array, text: string): Uint8Array {
  return new Bun.CryptoHasher('sha256', audit).update(previous).update(text).digest()
}

/** The keyset of an installation that starts with this master key. */
export function firstKeyset(master: Uint8Array): Keyset {
  const id = keyIdOf(master)
  return {
    version: 1,
    masterId: id,
    currentId: id,
    keks: { [id]: deriveKek(master) },
    codeKeys: { [id]: codeKeyOf(master) },
    recipientIndex: deriveKey(master, 'otpmint/recipient-index/v1'),
    limitIndex: deriveKey(master, 'otpmint/limit-index/v1'),
    secretKeyIndex: deriveKey(master, 'otpmint/secret-key-index/v1'),
    fingerprint: deriveKey(master, 'otpmint/fingerprint/v1'),
    audit: deriveKey(master, 'otpmint/audit/v1'),
  }
}

/** First step of a rotation: sealed under the new master key, whose keys are not used yet. */
export function preparedKeyset(keyset: Keyset, master: Uint8Array): Keyset {
  const id = keyIdOf(master)
  return {
    ...keyset,
    version: keyset.version + 1,
    masterId: id,
    keks: { ...keyset.keks, [id]: deriveKek(master) },
    codeKeys: { ...keyset.codeKeys, [id]: codeKeyOf(master) },
  }
}

/** Second step, once every node has the new keys: they are used for data keys and codes. */
export function switchedKeyset(keyset: Keyset, now: number): Keyset {
  const codeKeys: Keyset['codeKeys'] = {}
  for (const [id, key] of Object.entries(keyset.codeKeys)) {
    codeKeys[id] =
      id === keyset.masterId
        ? { ...key, retiredAt: null }
        : { ...key, retiredAt: key.retiredAt ?? now }
  }
  const switched = { ...keyset, version: keyset.version + 1, currentId: keyset.masterId, codeKeys }
  return withoutOldCodeKeys(switched, now)
}

/** Last step, once every data key is wrapped under the new KEK: drops the old one. */
export function finishedKeyset(keyset: Keyset): Keyset {
  const { currentId, keks, version } = keyset
  const current = Object.entries(keks).filter(([id]) => id === currentId)
  return { ...keyset, version: version + 1, keks: Object.fromEntries(current) }
}

/** True unless a rotation runs or was interrupted. */
export function isFinished({ keks }: Keyset): boolean {
  return Object.keys(keks).length === 1
}

/** Drops code keys that are older than any live code. */
function withoutOldCodeKeys(keyset: Keyset, now: number): Keyset {
  const live = Object.entries(keyset.codeKeys).filter(
    ([, key]) => key.retiredAt === null || key.retiredAt + retiredKeepingMs > now,
  )
  return { ...keyset, codeKeys: Object.fromEntries(live) }
}

/** The keyset as it is stored: sealed under the KEK of its master key. */
function sealKeyset(keyset: Keyset): Uint8Array {
  const kek = keyset.keks[keyset.masterId]
  if (!kek) throw new Error('the keyset lacks its master key')
  const codeKeys = mapValues(keyset.codeKeys, ({ code, digest, retiredAt }) => {
    return { code: toBase64(code), digest: toBase64(digest), retiredAt }
  })
  const stored: StoredKeyset = {
    version: keyset.version,
    masterId: keyset.masterId,
    currentId: keyset.currentId,
    keks: mapValues(keyset.keks, toBase64),
    codeKeys,
    carried: Object.fromEntries(carried.map((name) => [name, toBase64(keyset[name])])),
  }
  return sealBytes(kek, placeOf(keyset.masterId), Buffer.from(JSON.stringify(stored)))
}

/** Null when this key does not open it, which shows that the master key is a wrong one. */
export function openKeyset(sealed: Uint8Array, masterId: string, kek: Uint8Array): Keyset | null {
  let plain: Uint8Array
  try {
    plain = openBytes(kek, placeOf(masterId), sealed)
  } catch {
    return null
  }
  const stored: StoredKeyset = JSON.parse(Buffer.from(plain).toString())
  const codeKeys = mapValues(stored.codeKeys, ({ code, digest, retiredAt }) => {
    return { code: fromBase64(code), digest: fromBase64(digest), retiredAt }
  })
  return {
    version: stored.version,
    masterId: stored.masterId,
    currentId: stored.currentId,
    keks: mapValues(stored.keks, fromBase64),
    codeKeys,
    ...(mapValues(stored.carried, fromBase64) as Record<(typeof carried)[number], Uint8Array>),
  }
}

type StoredKeyset = {
  version: number
  masterId: string
  currentId: string
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

/** Encodes text as a stored value. */
export function textFact(text: string | number): Uint8Array {
  return new TextEncoder().encode(String(text))
}

export function textOf(fact: Uint8Array | null): string | null {
  return fact && new TextDecoder().decode(fact)
}

function placeOf(masterId: string): string {
  return `keyset\0${masterId}`
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
