import { Elysia } from 'elysia'
import { appRoutes } from './apps.ts'
import { createGuard } from './authenticate.ts'
import { createClientIp } from './client-ip.ts'
import { docsRoutes } from './docs.ts'
import { elsewhere } from './elsewhere.ts'
import { describeRoute } from './openapi.ts'
import { openApiDocument } from './openapi-document.ts'
import { operationRoutes } from './operations.ts'
import { originalRoutes } from './original-api.ts'
import { createPipeline } from './pipeline.ts'
import type { HttpPorts } from './ports.ts'
import { recordRoutes } from './records.ts'
import { createRouteMakers } from './route.ts'
import { verificationRoutes } from './verifications.ts'

/**
 * Elysia finds the route; everything else is ours, spelt out in pipeline.ts and route.ts: its own
 * body parser goes by one character of the content type, its validation echoes what was submitted,
 * and its hooks run in another order than who-then-what (platform.md section 3).
 */
export function createServer(ports: HttpPorts) {
  const server = new Elysia({ normalize: false, serve: serveOptions })
  const peer =
    ports.peerAddress ?? ((request) => server.server?.requestIP(request)?.address ?? null)
  const clientIp = createClientIp(ports.http.trustedProxies)
  const guard = createGuard(ports, (request) => clientIp(request, peer(request)))
  const makers = createRouteMakers(guard)
  const answer = createPipeline(ports, (request, seconds) => {
    server.server?.timeout(request, seconds)
  })

  const routes = [
    ...originalRoutes(makers, { ...ports, guard }),
    ...verificationRoutes(makers, ports),
    ...appRoutes(makers, ports),
    ...recordRoutes(makers, ports),
    ...operationRoutes(makers, ports),
    ...docsRoutes(makers, () => openApiDocument(server, ports.http.publicUrl)),
  ]
  for (const route of routes) {
    server.route(
      route.method,
      route.path,
      async ({ request, params }) => {
        return answer(route, { request, params: params as Record<string, string> })
      },
      { parse: 'none', detail: describeRoute(route) as object },
    )
  }
  server.onError(({ request, error }) => answer(elsewhere(routes, error), { request, params: {} }))
  return server
}

const serveOptions = {
  // A second process must not share the port, and with it the database, by accident.
  reusePort: false,
  idleTimeout: 15,
  // Ours is 16 KiB and answers properly; this one only keeps floods out of memory.
  maxRequestBodySize: 1024 * 1024,
  development: false,
} as const

export type Server = ReturnType<typeof createServer>
