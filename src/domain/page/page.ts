import { hashKey } from '../app/api-key.ts'
import type { Keyring } from '../keyring.ts'
import type { Random } from '../ports.ts'
import { hourMs } from '../verification/limits.ts'
import type { VerificationKey } from '../verification/verification.ts'

/** The hosted page of a verification, where the person types the code. */
export type Page = VerificationKey & {
  /** Where the browser goes once the verification has ended. */
  returnUrl: string
  /** SHA-256 of the cookie of the one browser that has opened it; null before. */
  browserHash: Uint8Array | null
  /** The hash of the address of each recipient of the start; null for an app without proofs. */
  addressMacs: string[] | null
  /** When the app was told the result; null before. */
  redeemedAt: number | null
  keptUntil: number
}

/** How long a result can be redeemed. */
export const resultMs = 60_000
/** How long after the end of the code the page says what became of it. */
export const pageKeptMs = hourMs

/** The cookie of a browser, and the token of a result: 192 random bits. */
export function newPageToken(random: Random): string {
  return Buffer.from(random.bytes(24)).toString('base64url')
}

/**
 * What a link carries: 192 bits of a keyed hash, so that it is stored nowhere, and a repeated start
 * gets the same one. `page` opens the page once; `report` is for "this was not me".
 */
export function linkSecret(
  keyring: Pick<Keyring, 'fingerprint'>,
  kind: 'page' | 'report',
  { appId, mode, id }: VerificationKey,
): string {
  const mac = keyring.fingerprint(appId, `${kind}\0${mode}\0${id}`)
  return Buffer.from(mac.subarray(0, 24)).toString('base64url')
}

/** True for text that can be a token or a secret; anything else is not looked up. */
export function isPageToken(text: string): boolean {
  return /^[A-Za-z0-9_-]{32}$/.test(text)
}

/** Compares hashes, so that the time tells nothing about a secret. */
export function isSameSecret(one: string, other: string): boolean {
  return Buffer.compare(hashKey(one), hashKey(other)) === 0
}

/** True when the browser with this cookie is the one that has opened the page. */
export function isOfBrowser({ browserHash }: Page, cookie: string): boolean {
  return browserHash !== null && Buffer.compare(browserHash, hashKey(cookie)) === 0
}
