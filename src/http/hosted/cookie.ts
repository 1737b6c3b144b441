/**
 * The cookie that binds a page to one browser. Each page has its own, so that two of them do not get
 * in each other's way. Browsers take `__Host-` cookies over https and from this machine only.
 */
function nameOf(id: string): string {
  return `__Host-otpmint-${id}`
}

export function readCookie({ headers }: Request, id: string): string | null {
  const header = headers.get('cookie')
  if (header === null || header.length > 16_384) return null
  const start = `${nameOf(id)}=`
  const found = header.split(';').map((part) => part.trim())
  return found.find((part) => part.startsWith(start))?.slice(start.length) ?? null
}

/**
 * Lax, because the browser comes from the app's site. In a frame of another site only a cookie that is
 * kept apart for that site is taken (CHIPS).
 */
export function setCookie(
  id: string,
  value: string,
  { keptMs, isFramed = false }: { keptMs: number; isFramed?: boolean },
): string {
  const seconds = Math.max(1, Math.ceil(keptMs / 1000))
  const where = isFramed ? 'SameSite=None; Partitioned' : 'SameSite=Lax'
  return `${nameOf(id)}=${value}; Path=/; Max-Age=${seconds}; Secure; HttpOnly; ${where}`
}

/** True for a page that a browser shows in a frame. */
export function isFramed({ headers }: Request): boolean {
  return headers.get('sec-fetch-dest') === 'iframe'
}

/** False for a form that another site has sent. Older browsers do not say; their cookie is Lax. */
export function isOwnForm({ headers }: Request): boolean {
  const site = headers.get('sec-fetch-site')
  return site === null || site === 'same-origin'
}
