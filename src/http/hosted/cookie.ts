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

/** Lax, because the browser comes from the app's site. */
export function setCookie(id: string, value: string, keptMs: number): string {
  const seconds = Math.max(1, Math.ceil(keptMs / 1000))
  return `${nameOf(id)}=${value}; Path=/; Max-Age=${seconds}; Secure; HttpOnly; SameSite=Lax`
}

/** False for a form that another site has sent. Older browsers do not say; their cookie is Lax. */
export function isOwnForm({ headers }: Request): boolean {
  const site = headers.get('sec-fetch-site')
  return site === null || site === 'same-origin'
}
