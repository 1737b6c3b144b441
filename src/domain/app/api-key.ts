import { randomBase62 } from '../id.ts'
import type { Ports, Random } from '../ports.ts'
import type { Mode } from '../verification/verification.ts'
import type { App, AppKey } from './app.ts'

/** The format of a key, also for secret scanners. */
const apiKeyPattern = /^otpm_(live|test|admin)_([0-9A-Za-z]{30})([0-9A-Za-z]{6})$/

/** A key of 30 base62 characters (178 bits) and 6 of CRC32; shown once, never stored. */
export function newApiKey(random: Random, mode: Mode | 'admin'): string {
  const body = `otpm_${mode}_${randomBase62(random, 30)}`
  return body + checksum(body)
}

/**
 * The app and mode of a key, or null. A wrong checksum is refused without a look-up; keys are
 * looked up by SHA-256, which suffices for 178 random bits (ASVS 6.5.2).
 */
export async function authenticate(
  { apps }: Pick<Ports, 'apps'>,
  text: string,
): Promise<{ app: App; key: AppKey } | null> {
  const read = readApiKey(text)
  if (!read || read.mode === 'admin') return null
  return apps.findByKey(hashKey(text))
}

/** SHA-256 of a generated key or of the admin token, as it is stored. */
export function hashKey(text: string): Uint8Array {
  return new Bun.CryptoHasher('sha256').update(text).digest()
}

/** The mode of a well-formed key; null for anything that cannot be one, before any look-up. */
export function readApiKey(text: string): { mode: Mode | 'admin' } | null {
  if (text.length > 64) return null
  const match = apiKeyPattern.exec(text)
  if (!match || checksum(text.slice(0, -6)) !== match[3]) return null
  return { mode: match[1] as Mode | 'admin' }
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
