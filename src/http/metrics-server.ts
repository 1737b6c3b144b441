import { isLoopback } from '../domain/app/host.ts'
import type { Metrics } from '../domain/ports.ts'
import { hostOf, isLoopbackHost } from './core/host.ts'

/**
 * Serves metrics on a separate listener, because they are for the admin's network only. On loopback
 * it answers only requests for loopback names.
 */
export function createMetricsServer(metrics: Pick<Metrics, 'render'>) {
  function answer(request: Request, isLocal: boolean): Response {
    const headers = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }
    const host = hostOf(request)
    if (host === null || (isLocal && !isLoopbackHost(host))) {
      return new Response('This host name is not served here', { status: 421, headers })
    }
    if (URL.parse(request.url)?.pathname !== '/metrics') {
      return new Response('Not found', { status: 404, headers })
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return new Response('Only GET', { status: 405, headers: { ...headers, allow: 'GET, HEAD' } })
    }
    const type = 'text/plain; version=0.0.4; charset=utf-8'
    return new Response(metrics.render(), { headers: { ...headers, 'content-type': type } })
  }

  return {
    /** Port 0 takes a free one. */
    listen({ hostname, port }: { hostname: string; port: number }) {
      const fetch = (request: Request) => answer(request, isLoopback(hostname))
      return Bun.serve({ hostname, port, development: false, idleTimeout: 15, fetch })
    },
  }
}
