import type { Random } from './ports.ts'

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** A new unguessable id: 128 random bits (ASVS 11.5.1) as 22 characters of base62. */
export function newId(random: Random): string {
  return base62(random.bytes(16), 22)
}

/**
 * A new unguessable id that sorts by time: epoch ms in 8 digits of base62, then 22 random ones,
 * which are 131 bits. Rows that are written together are then stored together.
 */
export function newTimedId(random: Random, now: number): string {
  return base62Digits(now, 8) + randomBase62(random, 22)
}

/** What ids of a time begin with: those before it are smaller, those of it and after it are not. */
export function idAt(time: number): string {
  return base62Digits(Math.max(0, time), 8)
}

/** True for text that can be an id of `newTimedId`. */
export function isTimedId(text: string): boolean {
  return /^[0-9A-Za-z]{30}$/.test(text)
}

/** Eight digits at a time: 62^8 is the largest power that a number holds exactly. */
const chunk = 62n ** 8n

function base62(bytes: Uint8Array, length: number): string {
  let value = 0n
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = 0
  for (; at + 8 <= bytes.length; at += 8) value = (value << 64n) | view.getBigUint64(at)
  for (; at + 2 <= bytes.length; at += 2) value = (value << 16n) | BigInt(view.getUint16(at))
  let text = ''
  for (let left = length; left > 0; left -= 8) {
    text = base62Digits(Number(value % chunk), Math.min(8, left)) + text
    value /= chunk
  }
  return text
}

export function base62Digits(value: number, length: number): string {
  let rest = value
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
    const bytes = random.bytes(length - text.length)
    // An index is twice as fast as an iterator here, and every start makes two ids.
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at] ?? 255
      if (byte < 248) text += alphabet.charAt(byte % 62)
    }
  }
  return text
}
