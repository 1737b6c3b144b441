import { isLoopback } from '../app/host.ts'
import { invalidField } from '../problem.ts'

/** The most addresses that an app may list, and the longest one. */
export const returnUrlsMax = 20
export const returnUrlLength = 500

/** The name of the result's token in the query of a return URL. */
export const resultName = 'otpmint_result'

/**
 * True for a URL that a browser may be sent back to, written as browsers write it: https, or http on
 * this machine; without user, password and fragment.
 */
export function isReturnUrl(text: string): boolean {
  const url = text.length > returnUrlLength ? null : URL.parse(text)
  if (url === null || url.href !== text || /[\s\\]/.test(text)) return false
  if (!hasPlainHost(url)) return false
  if (url.username !== '' || url.password !== '' || text.includes('#')) return false
  if (url.searchParams.has(resultName)) return false
  return url.protocol === 'https:' || (url.protocol === 'http:' && isOwn(url))
}

/**
 * True for a host of letters, digits, dots and hyphens, or an address: URLs may have others, such as `*`
 * and `;`, which mean something in a Content-Security-Policy.
 */
export function hasPlainHost({ hostname }: URL): boolean {
  return /^([a-z0-9.-]+|\[[0-9a-f:.]+\])$/.test(hostname)
}

function isOwn({ hostname }: URL): boolean {
  return isLoopback(hostname.replace(/^\[(.*)\]$/, '$1'))
}

/** The URL, if it is exactly one of the listed ones. Throws `invalid_request`. */
export function readReturnUrl(listed: readonly string[] | undefined, text: string): string {
  if (listed?.includes(text)) return text
  throw invalidField('return_url', 'must be exactly one of the app’s return_urls')
}

/** The return URL with the token of a result. */
export function withResult(returnUrl: string, result: string): string {
  return `${returnUrl}${returnUrl.includes('?') ? '&' : '?'}${resultName}=${result}`
}
