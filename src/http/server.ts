import { Problem } from '../domain/problem.ts'
import { version } from '../version.ts'
import type { Api } from './core/api.ts'
import { hostOf, isLoopbackHost, refuseTwoHosts } from './core/host.ts'
import { createListener } from './core/listener.ts'
import type { Route } from './core/route.ts'
import { hosted } from './hosted/api.ts'
import { pageBaseOf } from './hosted/base.ts'
import { hostedRoutes } from './hosted/routes.ts'
import { openApiDocument } from './openapi/document.ts'
import { original } from './original/api.ts'
import { originalRoutes } from './original/routes.ts'
import type { HttpPorts } from './ports.ts'
import { service } from './service/api.ts'
import { devInboxRoutes } from './service/dev-inbox.ts'
import { healthRoutes, pageRoutes } from './service/routes.ts'
import { v1 } from './v1/api.ts'
import { v1Routes } from './v1/routes.ts'

const apis: [...Api[], Api] = [v1, original, hosted, service]

/** Creates the main server: everything but the dashboard. */
export function createServer(ports: HttpPorts) {
  const { developerMode, publicUrl } = ports.http
  const routes = routesFor(developerMode, () =>
    openApiDocument({ routes, apis }, { version: null, publicUrl, ceilings: ports.settings }),
  )
  return createListener(ports, {
    apis,
    routes,
    admit: (request) => admit(request, developerMode),
    pageBase: (listening) => pageBaseOf(ports.http, listening),
  })
}

/** In developer mode names of this machine only, so that no foreign page reads the inbox. */
function admit(request: Request, developerMode: boolean): void {
  refuseTwoHosts(request)
  if (!developerMode) return
  const host = hostOf(request)
  if (host === null || !isLoopbackHost(host)) {
    const detail = 'Developer mode answers to localhost only'
    throw new Problem('misdirected_request', { detail })
  }
}

/** Every route of a server. */
function routesFor(developerMode: boolean, openApi: () => Promise<unknown>): Route[] {
  return [
    ...v1Routes,
    ...originalRoutes,
    ...hostedRoutes,
    ...healthRoutes,
    ...pageRoutes(developerMode, openApi),
    ...(developerMode ? devInboxRoutes() : []),
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
