import { readApiKey } from './api-key.ts'
import type { App, AppKey } from './app.ts'
import type { Ports } from './ports.ts'

/**
 * Whose key this is, or null. A text that cannot be a key is refused by its checksum, before the
 * store is asked; found keys are found by SHA-256, which suffices for 178 bits (ASVS 6.5.2).
 */
export async function authenticate(
  { apps }: Pick<Ports, 'apps'>,
  text: string,
): Promise<{ app: App; key: AppKey } | null> {
  const read = readApiKey(text)
  if (!read || read.mode === 'admin') return null
  return apps.findByKey(hashKey(text))
}

/** SHA-256, the form in which generated keys and the admin token are kept. */
export function hashKey(text: string): Uint8Array {
  return new Bun.CryptoHasher('sha256').update(text).digest()
}
