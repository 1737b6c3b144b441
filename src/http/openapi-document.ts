import { swagger } from '@elysiajs/swagger'
import { Elysia } from 'elysia'
import { version } from '../version.ts'
import { problemSchema } from './openapi.ts'

type Documented = { routes: readonly { method: string; path: string; hooks: unknown }[] }

/**
 * The OpenAPI document of a server, made by the swagger plugin. It is asked on a mirror of the
 * routes, because on the server itself it would also serve a page that loads scripts from a CDN.
 */
export async function openApiDocument(
  { routes }: Documented,
  publicUrl: string | null,
): Promise<unknown> {
  const mirror = new Elysia().use(
    swagger({ path: '/mirror', excludeStaticFile: false, documentation: about(publicUrl) }),
  )
  for (const { method, path, hooks } of routes) {
    const { detail } = hooks as { detail: object }
    mirror.route(method, path, () => '', { detail })
  }
  const answer = await mirror.handle(new Request('http://localhost/mirror/json'))
  return answer.json()
}

function about(publicUrl: string | null) {
  const bearer = { type: 'http', scheme: 'bearer' } as const
  return {
    info: {
      title: 'OtpMint',
      version,
      description:
        'One-time codes by mail. Every refusal of `/v1` is `application/problem+json` with a ' +
        'stable `code`; the original API answers in plain text. Times are RFC 3339 in UTC. ' +
        'Bodies are JSON of at most 16 KiB; unknown fields are refused by name.',
    },
    // First wherever the document was read: its page may talk to no other server.
    servers: [{ url: '/' }, ...(publicUrl ? [{ url: publicUrl }] : [])],
    tags: [
      { name: 'Original API', description: 'Word for word as ever: JSON in, plain text out.' },
      { name: 'Verifications', description: 'For apps, with a live or a test key.' },
      { name: 'Apps', description: 'For the operator, with the admin token.' },
      { name: 'Records', description: 'For the operator: counts, events, audit.' },
      { name: 'Operations', description: 'For monitors.' },
      { name: 'Documentation', description: 'What you read.' },
    ],
    components: {
      schemas: { Problem: problemSchema as object },
      securitySchemes: {
        appKey: { ...bearer, description: 'An app’s key: `otpm_live_…` or `otpm_test_…`.' },
        adminToken: { ...bearer, description: 'The operator’s token: `otpm_admin_…`.' },
      },
    },
  }
}
