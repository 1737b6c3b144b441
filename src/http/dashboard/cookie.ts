import type { Place } from './place.ts'

/**
 * The name of the session’s cookie. With `__Host-` a browser takes it over TLS only, for this host and
 * all its paths. Over loopback it has no such prefix, because not every browser takes it there.
 */
function nameFor({ isSecure }: Place): string {
  return isSecure ? '__Host-otpmint' : 'otpmint'
}

/** The token in the cookie of a request; null without one. */
export function readCookie({ headers }: Request, place: Place): string | null {
  const name = nameFor(place)
  for (const pair of (headers.get('cookie') ?? '').split(';')) {
    const at = pair.indexOf('=')
    if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim()
  }
  return null
}

/** The header that sets the cookie. */
export function setCookie(place: Place, token: string, seconds: number): Record<string, string> {
  const secure = place.isSecure ? '; Secure' : ''
  const rules = `Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Strict${secure}`
  return { 'set-cookie': `${nameFor(place)}=${token}; ${rules}` }
}

export function dropCookie(place: Place): Record<string, string> {
  return setCookie(place, '', 0)
}
