import type { Random } from './ports.ts'

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** A new unguessable id: 128 random bits (ASVS 11.5.1) as 22 characters of base62. */
export function newId(random: Random): string {
  return base62(random.bytes(16))
}

/**
 * An id that sorts by time, 48 bits of milliseconds before 80 random ones: rows that are written
 * together lie together. Not a secret to rely on.
 */
export function newTimedId(random: Random, now: number): string {
  const bytes = random.bytes(16)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(now) << 16n)
  bytes.set(random.bytes(2), 6)
  return base62(bytes)
}

/** Eight digits at a time: 62^8 is the largest power that a number holds exactly. */
const chunk = 62n ** 8n

function base62(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16)
  const value = (view.getBigUint64(0) << 64n) | view.getBigUint64(8)
  const high = value / chunk
  return (
    base62Digits(high / chunk, 6) + base62Digits(high % chunk, 8) + base62Digits(value % chunk, 8)
  )
}

function base62Digits(value: bigint, length: number): string {
  let rest = Number(value)
  let text = ''
  for (let i = 0; i < length; i++) {
    text = alphabet.charAt(rest % 62) + text
    rest = Math.floor(rest / 62)
  }
  return text
}

/** Uniform base62 characters: bytes of 248 and above are drawn again, so none is favoured. */
export function randomBase62(random: Random, length: number): string {
  let text = ''
  while (text.length < length) {
    for (const byte of random.bytes(length - text.length)) {
      if (byte < 248) text += alphabet[byte % 62]
    }
  }
  return text
}
