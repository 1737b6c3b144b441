import { Elysia } from 'elysia'
import { version } from '../version.ts'
import type { Api } from './core/api.ts'
import { createClientIp } from './core/client-ip.ts'
import { createCredentialLimit } from './core/credential-limit.ts'
import { createCredentialWatch } from './core/credential-watch.ts'
import { methodsOf, pathOf, shadowed, unanswered } from './core/not-found.ts'
import { type Answering, createPipeline } from './core/pipeline.ts'
import type { Route } from './core/route.ts'
import { hosted } from './hosted/api.ts'
import { pageBaseOf } from './hosted/base.ts'
import { hostedRoutes } from './hosted/routes.ts'
import { openApiDocument } from './openapi/document.ts'
import { original } from './original/api.ts'
import { originalRoutes } from './original/routes.ts'
import type { HttpPorts } from './ports.ts'
import { service } from './service/api.ts'
import { healthRoutes, inboxRoutes, pageRoutes } from './service/routes.ts'
import { v1 } from './v1/api.ts'
import { v1Routes } from './v1/routes.ts'

/** Every API. A path without a route is answered by the first that owns it. */
const apis: Api[] = [v1, original, hosted, service]

/**
 * Creates the server. Elysia only finds the route; the rest is in core/, because Elysia's body
 * parser tests one character of the content type, its validation echoes input, and its hooks run
 * before authentication.
 */
export function createServer(ports: HttpPorts) {
  const server = new Elysia({ normalize: false, serve: serveOptions })
  const peer =
    ports.peerAddress ?? ((request) => server.server?.requestIP(request)?.address ?? null)
  const clientIp = createClientIp(ports.http.trustedProxies)
  const watch = createCredentialWatch(ports)
  const { apps, adminTokenHash } = ports
  const guard = { ...createCredentialLimit(ports, watch.note), apps, adminTokenHash }
  const pageBase = () => pageBaseOf(ports.http, server.server?.url ?? null)
  const { handle, run } = createPipeline(
    { ...ports, guard, pageBase },
    {
      clientOf: (request) => clientIp(request, peer(request)),
      setPatience: (request, seconds) => server.server?.timeout(request, seconds),
    },
  )

  const { developerMode, publicUrl } = ports.http
  const routes = routesFor(developerMode, () =>
    openApiDocument({ routes, apis }, { version: null, publicUrl, ceilings: ports.settings }),
  )
  for (const route of routes) {
    server.route(route.method, route.path, handle(route), { parse: 'none' })
  }
  const unrouted = ({ request }: { request: Request }) =>
    run(unroutedAnswer(routes, request), request)
  for (const { method, path } of shadowed(routes)) {
    server.route(method, path, unrouted, { parse: 'none' })
  }
  server.onError(({ request, error }) => {
    const isUnrouted = error instanceof Error && 'code' in error && error.code === 'NOT_FOUND'
    return isUnrouted ? unrouted({ request }) : run(failed(request, error), request)
  })
  server.onStop(watch.stop)
  return server
}

/** Every route of a server. */
function routesFor(developerMode: boolean, openApi: () => Promise<unknown>): Route[] {
  return [
    ...v1Routes,
    ...originalRoutes,
    ...hostedRoutes,
    ...healthRoutes,
    ...pageRoutes(developerMode, openApi),
    ...(developerMode ? inboxRoutes : []),
  ]
}

type DescribedServer = {
  developerMode: boolean
  publicUrl: string | null
  ceilings: Record<string, number>
}

/** The OpenAPI document of a server with these settings, and the version of this executable. */
export async function describeServer({ developerMode, ...about }: DescribedServer) {
  const routes = routesFor(developerMode, async () => null)
  return openApiDocument({ routes, apis }, { ...about, version })
}

function owner(request: Request): Api {
  const path = pathOf(request.url)
  return apis.find((api) => api.owns(path)) ?? service
}

function unroutedAnswer(routes: Route[], request: Request): Answering {
  const methods = methodsOf(routes, request.url)
  const api = owner(request)
  return {
    api,
    path: '(none)',
    async answer({ requestId }) {
      const reply = api.toResponse(unanswered(methods), { request, requestId, debugDetail: null })
      const allow = methods.length > 0 ? { allow: methods.join(', ') } : {}
      return { ...reply, headers: { ...reply.headers, ...allow } }
    },
  }
}

function failed(request: Request, error: unknown): Answering {
  return { api: owner(request), path: '(none)', answer: () => Promise.reject(error) }
}

const serveOptions = {
  // A second process must not share the port, and with it the database, by accident.
  reusePort: false,
  idleTimeout: 15,
  // Our own limits are lower, with a proper answer; this one only protects memory.
  maxRequestBodySize: 1024 * 1024,
  development: false,
} as const
