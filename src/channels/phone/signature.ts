import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

/** The longest difference between the time that a gateway signed and now. */
const skewMs = 300_000

/** HMAC of a text (RFC 2104). */
export function hmac(
  algorithm: 'sha1' | 'sha256' | 'sha512',
  key: string | Uint8Array,
  text: string,
): Buffer {
  return createHmac(algorithm, key).update(text).digest()
}

export function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

/** Compares a signature as received with the right one in constant time. */
export function isSignature(given: string | null, encoding: 'hex' | 'base64', right: Buffer) {
  if (given === null || given.length > longest) return false
  const bytes = Buffer.from(given, encoding)
  return bytes.length === right.length && timingSafeEqual(bytes, right)
}

const longest = 256

/** Compares two texts in a time that does not depend on them. */
export function isSameText(given: string, right: string): boolean {
  return timingSafeEqual(sha256(given), sha256(right))
}

/** True for a time in seconds that is at most five minutes from now: no old request is replayed. */
export function isRecent(seconds: string | null, now: number): boolean {
  if (seconds === null || !/^\d{1,12}$/.test(seconds)) return false
  return Math.abs(Number(seconds) * 1000 - now) <= skewMs
}
