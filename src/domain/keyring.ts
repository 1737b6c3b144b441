import type { CodePlace } from './verification/code.ts'

/**
 * The data key of one app, wrapped under the master key with this id, together with the retired data
 * keys that still open what they sealed.
 */
export type WrappedKey = { keyId: string; bytes: Uint8Array }

/**
 * The place of a sealed field, which is authenticated with the ciphertext: a value that is moved to
 * another row, column or mail server does not open.
 */
export type SealPlace = { table: string; row: string; column: string; binding?: string }

/** The digest of a code under one key. */
export type CodeDigest = { keyId: string; digest: Uint8Array }

/** Everything that needs the master key. All of it is synchronous and takes microseconds. */
export type Keyring = {
  /** The id of the key for new codes. */
  codeKeyId(): string
  /** False for a key that was deleted, a week after another took its place. */
  hasCodeKey(keyId: string): boolean
  /** 32 bytes of HMAC-SHA-256 that a code is read from; blocks count up from 0. */
  codeBlock(keyId: string, place: CodePlace, block: number): Uint8Array
  /** What the store keeps of a code: HMAC-SHA-256 with a key that is not in the database. */
  codeDigest(keyId: string, appId: string, verificationId: string, code: string): Uint8Array
  /** The digest of a code under every key that a live code may have been made with. */
  codeDigests(appId: string, verificationId: string, code: string): CodeDigest[]
  /** Keyed hash of a normalised address, to find a recipient without storing the address. */
  recipientIndex(appId: string, recipient: string): Uint8Array
  /** Keyed hash for limits and budgets; `scope` keeps equal values of different limits apart. */
  limitIndex(scope: string, value: string): Uint8Array
  /** Keyed hash that a user-chosen secretKey is looked up by. */
  secretKeyIndex(secretKey: string): Uint8Array
  /** Keyed fingerprint of a request body, for Idempotency-Key. */
  fingerprint(appId: string, text: string): Uint8Array
  /** Keyed hash of a random token, by which a session or a link is found. */
  tokenHash(kind: 'session' | 'link', token: string): Uint8Array
  /** A key that the hashes of passwords are made with: 32 bytes. */
  passwordKey(): Uint8Array
  /** HMAC of the audit chain: over the link before and a text. */
  auditMac(previous: Uint8Array, text: string): Uint8Array
  newDataKey(appId: string): WrappedKey
  seal(appId: string, key: WrappedKey, place: SealPlace, text: string): Uint8Array
  /** Throws when the key, the place or the bytes differ from the sealing. */
  open(appId: string, key: WrappedKey, place: SealPlace, sealed: Uint8Array): string
}
