import { randomBase62 } from '../id.ts'
import type { Ports, Random } from '../ports.ts'
import { type Mode, modes } from '../verification/verification.ts'
import type { App, AppKey, KeyMode } from './app.ts'

/** The format of a key, also for secret scanners. */
const apiKeyPattern = /^otpm_(live|test|inbound|admin)_([0-9A-Za-z]{30})([0-9A-Za-z]{6})$/

/** A key of 30 base62 characters (178 bits) and 6 of CRC32; shown once, never stored. */
export function newApiKey(random: Random, mode: KeyMode | 'admin'): string {
  const body = `otpm_${mode}_${randomBase62(random, 30)}`
  return body + checksum(body)
}

/** An app by one of its keys, of these modes. */
export type KeyHolder<Of extends KeyMode> = { app: App; key: AppKey & { mode: Of } }

/**
 * The app and mode of a key of these modes, or null. A wrong checksum is refused without a look-up;
 * keys are looked up by SHA-256, which suffices for 178 random bits (ASVS 6.5.2).
 */
export async function authenticate<Of extends KeyMode = (typeof modes)[number]>(
  { apps }: Pick<Ports, 'apps'>,
  text: string,
  allowed: readonly KeyMode[] = modes,
): Promise<KeyHolder<Of> | null> {
  const read = readApiKey(text)
  if (!read || !allowed.some((mode) => mode === read.mode)) return null
  // The mode is a part of what was hashed.
  return (await apps.findByKey(hashKey(text))) as KeyHolder<Of> | null
}

/** Like `authenticate` for live and test keys, by an app that may have changed since `asOf`. */
export async function recall(
  { apps }: Pick<Ports, 'apps'>,
  text: string,
): Promise<(KeyHolder<Mode> & { asOf: number | null }) | null> {
  const read = readApiKey(text)
  if (!read || !modes.some((mode) => mode === read.mode)) return null
  return (await apps.recallByKey(hashKey(text))) as (KeyHolder<Mode> & { asOf: number }) | null
}

/** SHA-256 of a generated key or of the admin token, as it is stored. */
export function hashKey(text: string): Uint8Array {
  return new Bun.CryptoHasher('sha256').update(text).digest()
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
