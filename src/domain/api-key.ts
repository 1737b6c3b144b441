import { randomBase62 } from './id.ts'
import type { Random } from './ports.ts'

export type KeyMode = 'live' | 'test'

/** For secret scanners: what a key looks like. */
export const apiKeyPattern = /^otpm_(live|test|admin)_([0-9A-Za-z]{30})([0-9A-Za-z]{6})$/

/** A key of 30 base62 characters (178 bits) and 6 of CRC32; shown once, never stored. */
export function newApiKey(random: Random, mode: KeyMode | 'admin'): string {
  const body = `otpm_${mode}_${randomBase62(random, 30)}`
  return body + checksum(body)
}

/** The mode of a well-formed key; null for anything that cannot be one, before any look-up. */
export function readApiKey(text: string): { mode: KeyMode | 'admin' } | null {
  if (text.length > 64) return null
  const match = apiKeyPattern.exec(text)
  if (!match || checksum(text.slice(0, -6)) !== match[3]) return null
  return { mode: match[1] as KeyMode | 'admin' }
}

function checksum(text: string): string {
  const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
  let value = Bun.hash.crc32(text)
  let out = ''
  for (let i = 0; i < 6; i++) {
    out = digits[value % 62] + out
    value = Math.floor(value / 62)
  }
  return out
}
