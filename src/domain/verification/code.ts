import type { Keyring } from '../keyring.ts'

/** `numeric` is 6 to 10 digits; `crockford` is 13 characters of Crockford base32, 65 bits. */
export type CodeFormat = 'numeric' | 'crockford'

export type CodePlace = {
  appId: string
  verificationId: string
  /** 0 for the short code, 1 for the long one in its place, so that they are independent. */
  generation: number
}

export const longCodeLength = 13
const crockford = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/**
 * Derives a code from the key and the verification, so that it is never stored and a resend or a
 * retry after a crash carries the same digits. 32-bit words with rejection sampling: every code is
 * equally likely (a plain remainder would favour some by 2.4 % at 8 digits).
 */
export function deriveCode(
  keyring: Keyring,
  keyId: string,
  place: CodePlace,
  format: CodeFormat,
  length: number,
): string {
  const words = wordStream((block) => keyring.codeBlock(keyId, place, block))
  if (format === 'crockford') {
    return Array.from({ length }, () => crockford.charAt(words() % 32)).join('')
  }
  // One word holds 9 digits at most; longer codes are two independent halves.
  if (length <= 9) return digits(words, length)
  return digits(words, length >> 1) + digits(words, length - (length >> 1))
}

/** n uniform digits from 32-bit words; draws again where the remainder would be biased. */
export function digits(words: () => number, n: number): string {
  const size = 10 ** n
  const end = Math.floor(2 ** 32 / size) * size
  let word = words()
  while (word >= end) word = words()
  return String(word % size).padStart(n, '0')
}

function wordStream(block: (index: number) => Uint8Array): () => number {
  let index = 0
  let offset = 0
  let view: DataView | null = null
  return () => {
    if (!view || offset + 4 > view.byteLength) {
      const bytes = block(index++)
      view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      offset = 0
    }
    const word = view.getUint32(offset)
    offset += 4
    return word
  }
}

/**
 * Reads a typed code; null if it cannot be one. Removes spaces and hyphens, converts every Unicode
 * decimal digit to ASCII and Crockford's look-alikes (O, I, L) to their digits.
 */
export function readCode(typed: unknown): { code: string; format: CodeFormat } | null {
  if (typeof typed !== 'string' || typed.length > 64) return null
  const text = typed.replace(/[\s\u00ad\u2010-\u2015\u2212-]/gu, '').replace(/\p{Nd}/gu, asciiDigit)
  if (/^[0-9]{6,10}$/.test(text)) return { code: text, format: 'numeric' }

  const long = text.toUpperCase().replace(/O/g, '0').replace(/[IL]/g, '1')
  if (/^[0-9A-HJKMNP-TV-Z]{13}$/.test(long)) return { code: long, format: 'crockford' }
  return null
}

/** Unicode has digits in ascending runs of ten, some adjacent: counts from the start of the run. */
function asciiDigit(character: string): string {
  const point = character.codePointAt(0) ?? 0
  if (point < 128) return character
  let start = point
  while (/\p{Nd}/u.test(String.fromCodePoint(start - 1))) start--
  return String((point - start) % 10)
}
