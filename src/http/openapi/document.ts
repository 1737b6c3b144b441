import { swagger } from '@elysiajs/swagger'
import { Elysia } from 'elysia'
import type { Api, Tag } from '../core/api.ts'
import type { Route } from '../core/route.ts'
import { describeRoute } from './operation.ts'
import { problemSchema } from './problem.ts'
import { type Scope, toOpenApiSchema } from './schema.ts'

export type About = {
  /** Set for the document of the executable only; the public page does not show it. */
  version: string | null
  publicUrl: string | null
  /** The server's settings, which are the maxima of an app's. */
  ceilings: Record<string, number>
}

type Described = { routes: Route[]; apis: Api[] }

/**
 * Makes the OpenAPI document of these routes with the swagger plugin. The plugin runs on a copy of
 * the routes, because on the server itself it would also serve a page with scripts from a CDN.
 */
export async function openApiDocument(
  { routes, apis }: Described,
  about: About,
): Promise<Record<string, unknown>> {
  const scope: Scope = { components: {}, ceilings: about.ceilings }
  toOpenApiSchema(problemSchema, scope)
  const mirrored = routes.map((route) => ({ ...route, detail: describeRoute(route, scope) }))
  const documentation = {
    ...opening(
      about,
      apis.flatMap(({ tags }) => tags),
    ),
    components: {},
  }
  const mirror = new Elysia().use(
    swagger({ path: '/mirror', excludeStaticFile: false, documentation }),
  )
  for (const { method, path, detail } of mirrored) {
    mirror.route(method, path, () => '', { detail: detail as object })
  }
  const answer = await mirror.handle(new Request('http://localhost/mirror/json'))
  const document = (await answer.json()) as Record<string, unknown>
  const bearer = { type: 'http', scheme: 'bearer' }
  return {
    ...document,
    components: {
      schemas: scope.components,
      securitySchemes: {
        appKey: { ...bearer, description: 'An app’s key: `otpm_live_…` or `otpm_test_…`.' },
        inboundKey: { ...bearer, description: 'An app’s key for returned mail: `otpm_inbound_…`.' },
        adminToken: { ...bearer, description: 'The admin token: `otpm_admin_…`.' },
      },
    },
  }
}

function opening({ version, publicUrl }: About, tags: Tag[]) {
  return {
    info: {
      title: 'OtpMint',
      version: version ?? 'v1',
      description:
        'One-time codes. Every refusal of `/v1` is `application/problem+json` with a ' +
        'stable `code`; the original API answers in plain text. Times are RFC 3339 in UTC. ' +
        'Bodies are JSON of at most 16 KiB where nothing else is said; unknown fields are refused by name.',
    },
    // The document's own server comes first, because its page may not send requests to another one.
    servers: [{ url: '/' }, ...(publicUrl ? [{ url: publicUrl }] : [])],
    tags,
  }
}
