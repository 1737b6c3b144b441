import type { Metrics } from '../domain/ports.ts'

/** Metrics are for the operator's network only, so they have a listener of their own. */
export function createMetricsServer(metrics: Pick<Metrics, 'render'>) {
  return {
    fetch(request: Request): Response {
      const headers = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }
      if (URL.parse(request.url)?.pathname !== '/metrics') {
        return new Response('Not found', { status: 404, headers })
      }
      if (request.method !== 'GET' && request.method !== 'HEAD') {
        return new Response('Only GET', {
          status: 405,
          headers: { ...headers, allow: 'GET, HEAD' },
        })
      }
      const type = 'text/plain; version=0.0.4; charset=utf-8'
      return new Response(metrics.render(), { headers: { ...headers, 'content-type': type } })
    },
    /** Port 0 takes a free one. */
    listen({ hostname, port }: { hostname: string; port: number }) {
      return Bun.serve({ hostname, port, development: false, idleTimeout: 15, fetch: this.fetch })
    },
  }
}
