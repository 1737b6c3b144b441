import { Problem } from '../../domain/problem.ts'
import { hostOf, isLoopbackHost, refuseTwoHosts } from '../core/host.ts'
import type { DashboardSettings } from '../ports.ts'

/** Where a browser reaches the dashboard. */
export type Place = {
  origin: string
  /** Over TLS, by a proxy; else over loopback. */
  isSecure: boolean
}

type Where = Pick<DashboardSettings, 'url' | 'isLocal'>

/**
 * The place that a request is for: `OTPMINT_DASHBOARD_URL`, or this machine while the listener is on
 * loopback and no proxy is between. Null for any other host.
 */
export function placeOf(request: Request, { url, isLocal }: Where): Place | null {
  const host = request.headers.get('host') ?? URL.parse(request.url)?.host ?? ''
  if (url !== null && host.toLowerCase() === new URL(url).host) {
    return { origin: url, isSecure: true }
  }
  const name = hostOf(request)
  if (!isLocal || name === null || !isLoopbackHost(name) || isForwarded(request)) return null
  return { origin: `http://${host.toLowerCase()}`, isSecure: false }
}

/** A proxy that does not pass the host on would make every page look like this machine’s own. */
function isForwarded({ headers }: Request): boolean {
  const names = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'via']
  return names.some((name) => headers.has(name))
}

/**
 * Refuses what is not for the dashboard or does not come from its own pages. Throws
 * `misdirected_request`, `foreign_origin`.
 */
export function admit(request: Request, where: Where): void {
  refuseTwoHosts(request)
  const place = placeOf(request, where)
  if (!place) throw new Problem('misdirected_request', { detail: adviceFor(where) })
  if (request.method === 'GET' || request.method === 'HEAD') return
  if (!isOwn(request, place)) throw new Problem('foreign_origin')
}

/** True where the browser says that the request comes from a page of this place. */
function isOwn({ headers }: Request, { origin }: Place): boolean {
  const site = headers.get('sec-fetch-site')
  const from = headers.get('origin')
  if (site === null && from === null) return false
  return (site === null || site === 'same-origin') && (from === null || from === origin)
}

const yearSeconds = 31_536_000

/** Over TLS a browser is to use nothing else for this host. */
export function headersFor(request: Request, where: Where): Record<string, string> {
  const isSecure = placeOf(request, where)?.isSecure === true
  return isSecure ? { 'strict-transport-security': `max-age=${yearSeconds}` } : {}
}

/** What to do where the dashboard does not answer, in one sentence. */
export function adviceFor({ url, isLocal }: Where): string {
  const proxy =
    url === null ? 'set OTPMINT_DASHBOARD_URL to the https URL of a proxy' : `use ${url}`
  const tunnel = isLocal ? 'use ssh -L' : 'listen on 127.0.0.1:5001 and use ssh -L'
  return `The dashboard answers over https or on its own machine only: ${proxy}, or ${tunnel}`
}
