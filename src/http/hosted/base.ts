import { isLoopback } from '../../domain/app/host.ts'
import type { HttpSettings } from '../ports.ts'

/**
 * The address that links to hosted pages begin with: the public URL, if browsers take secure cookies
 * from it; without one, in developer mode only, where the server listens.
 */
export function pageBaseOf(
  { publicUrl, developerMode }: Pick<HttpSettings, 'publicUrl' | 'developerMode'>,
  listening: URL | null,
): string | null {
  const text = publicUrl ?? (developerMode ? (listening?.href ?? null) : null)
  const url = text === null ? null : URL.parse(text)
  if (text === null || url === null) return null
  const isSecure = url.protocol === 'https:' || isLoopback(url.hostname)
  return isSecure ? text.replace(/\/+$/, '') : null
}
