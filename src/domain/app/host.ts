import { readDomain } from '../verification/recipient.ts'

/**
 * A host name as lower-case A-labels, one label included (`localhost`, `smtp`), or an IP literal in
 * its usual spelling. Refuses other spellings of addresses that resolvers accept, such as `127.1`.
 */
export function readHost(value: unknown): string | undefined {
  if (typeof value !== 'string' || value.length > 253) return undefined
  const text = value.trim().toLowerCase()
  if (/^[0-9a-f:.]*:[0-9a-f:.]*$/.test(text)) {
    return URL.parse(`http://[${text}]/`)?.hostname.slice(1, -1)
  }
  if (/^(\d{1,3}\.){3}\d{1,3}$/.test(text)) {
    return URL.parse(`http://${text}/`)?.hostname === text ? text : undefined
  }
  if (/^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/.test(text)) return text
  return readDomain(text) ?? undefined
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}
