import { Elysia } from 'elysia'
import type { HttpPorts } from '../ports.ts'
import type { Api } from './api.ts'
import { createClientIp } from './client-ip.ts'
import { createCredentialLimit } from './credential-limit.ts'
import { createCredentialWatch } from './credential-watch.ts'
import type { Guard } from './guard.ts'
import { methodsOf, pathOf, shadowed, unanswered } from './not-found.ts'
import { type Answering, createPipeline } from './pipeline.ts'
import type { Route } from './route.ts'

/** What one listener serves. */
export type Served = {
  /** Every API; a path without a route is answered by the first that owns it. */
  apis: [...Api[], Api]
  routes: Route[]
  /** Refuses requests that are not for this listener. */
  admit(request: Request): void
  headersFor?: (request: Request) => Record<string, string>
  /** Where browsers reach the hosted pages, by where this listener is; null where there are none. */
  pageBase(listening: URL | null): string | null
  /** Knows callers by a session. */
  person?: Guard['person']
}

/**
 * Creates a server of these routes. Elysia only finds the route; the rest is in this folder, because
 * Elysia's body parser tests one character of the content type, its validation echoes input, and its
 * hooks run before authentication.
 */
export function createListener(ports: HttpPorts, served: Served) {
  const { apis, routes, admit, pageBase, person, headersFor = () => ({}) } = served
  const server = new Elysia({ normalize: false, serve: serveOptions })
  const peer =
    ports.peerAddress ?? ((request) => server.server?.requestIP(request)?.address ?? null)
  const clientIp = createClientIp(ports.http.trustedProxies)
  const watch = createCredentialWatch(ports)
  const { apps, adminTokenHash } = ports
  const limit = createCredentialLimit(ports, watch.note)
  const guard: Guard = { ...limit, apps, adminTokenHash, ...(person && { person }) }
  const { handle, run } = createPipeline(
    { ...ports, guard, pageBase: () => pageBase(server.server?.url ?? null) },
    {
      admit,
      headersFor,
      clientOf: (request) => clientIp(request, peer(request)),
      setPatience: (request, seconds) => server.server?.timeout(request, seconds),
    },
  )

  for (const route of routes) {
    server.route(route.method, route.path, handle(route), { parse: 'none' })
  }
  const unrouted = ({ request }: { request: Request }) =>
    run(unroutedAnswer({ apis, routes }, request), request)
  for (const { method, path } of shadowed(routes)) {
    server.route(method, path, unrouted, { parse: 'none' })
  }
  server.onError(({ request, error }) => {
    const isUnrouted = error instanceof Error && 'code' in error && error.code === 'NOT_FOUND'
    return isUnrouted ? unrouted({ request }) : run(failed(apis, request, error), request)
  })
  server.onStop(watch.stop)
  return server
}

function owner(apis: Served['apis'], request: Request): Api {
  const path = pathOf(request.url)
  return apis.find((api) => api.owns(path)) ?? apis[0]
}

function unroutedAnswer({ apis, routes }: Pick<Served, 'apis' | 'routes'>, request: Request) {
  const methods = methodsOf(routes, request.url)
  const api = owner(apis, request)
  const answering: Answering = {
    api,
    path: '(none)',
    async answer({ requestId }) {
      const reply = api.toResponse(unanswered(methods), { request, requestId, debugDetail: null })
      const allow = methods.length > 0 ? { allow: methods.join(', ') } : {}
      return { ...reply, headers: { ...reply.headers, ...allow } }
    },
  }
  return answering
}

function failed(apis: Served['apis'], request: Request, error: unknown): Answering {
  return { api: owner(apis, request), path: '(none)', answer: () => Promise.reject(error) }
}

const serveOptions = {
  // A second process must not share the port, and with it the database, by accident.
  reusePort: false,
  idleTimeout: 15,
  // Our own limits are lower, with a proper answer; this one only protects memory.
  maxRequestBodySize: 1024 * 1024,
  development: false,
} as const
