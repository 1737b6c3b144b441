import { isLoopback } from '../../domain/app/host.ts'
import { Problem } from '../../domain/problem.ts'

/**
 * The host name of a request, without port and brackets; null when there is none or two. A foreign
 * name for this machine's own address is DNS rebinding.
 */
export function hostOf({ headers, url }: Request): string | null {
  const header = headers.get('host')
  const host = header === null ? URL.parse(url)?.host : URL.parse(`http://${header}/`)?.host
  if (host === undefined || /[,\s]/.test(header ?? '')) return null
  return host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1')
}

/** True for the loopback names: `localhost`, 127.0.0.0/8, ::1. */
export function isLoopbackHost(host: string): boolean {
  return isLoopback(host) || host.endsWith('.localhost')
}

/** Throws `misdirected_request` for a request that names two hosts. */
export function refuseTwoHosts({ headers }: Request): void {
  if (headers.get('host')?.includes(',')) {
    throw new Problem('misdirected_request', { detail: 'The request names two hosts' })
  }
}
