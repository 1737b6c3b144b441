import type { TSchema } from 'elysia'
import type { ProblemCode } from '../../domain/problem.ts'
import type { Route } from '../core/route.ts'
import { type Scope, toOpenApiSchema } from './schema.ts'

/** Describes a route as an OpenAPI operation; adds its components to `scope`. */
export function describeRoute(route: Route, scope: Scope) {
  const { api, operation, caller } = route
  const { id, tag, summary, description, hidden } = operation
  return {
    ...(hidden && { hide: true }),
    tags: [tag],
    summary,
    ...(description && { description }),
    operationId: id,
    security: securityOf(route),
    parameters: [
      ...pathParameters(route, scope),
      ...queryParameters(route, scope),
      ...headerParameters(route),
    ],
    ...requestBody(route, scope),
    responses: {
      ...api.describeProblems(problemsOf(route, caller)),
      ...goodAnswers(route, scope),
    },
  }
}

function securityOf({ api, caller }: Route): Record<string, string[]>[] {
  return authentication(api, caller)?.security ?? []
}

function authentication(api: Route['api'], caller: string) {
  const all = api.authenticate as Record<string, { security: Record<string, string[]>[] }>
  return all[caller]
}

function pathParameters({ path, operation: { params = {} } }: Route, scope: Scope) {
  const names = [...path.matchAll(/:([a-z_]+)/g)].map((match) => match[1] ?? '')
  return names.map((name) => {
    const schema = params[name]
    if (!schema) throw new Error(`${path} does not describe ${name}`)
    const { description } = schema
    return { name, in: 'path', required: true, description, schema: toOpenApiSchema(schema, scope) }
  })
}

function queryParameters({ operation: { query } }: Route, scope: Scope) {
  const fields = Object.entries((query?.['properties'] ?? {}) as Record<string, TSchema>)
  return fields.map(([name, schema]) => ({
    name,
    in: 'query',
    required: false,
    description: schema.description ?? '',
    schema: toOpenApiSchema(schema, scope),
  }))
}

function headerParameters({ operation: { headers = {} } }: Route) {
  return Object.entries(headers).map(([name, header]) => ({
    name,
    in: 'header',
    required: false,
    ...header,
  }))
}

function requestBody({ operation: { body, draft, raw, example } }: Route, scope: Scope) {
  if (raw) {
    const { mediaType, description } = raw
    const content = { schema: { type: 'string', format: 'binary' }, example }
    return { requestBody: { required: true, description, content: { [mediaType]: content } } }
  }
  const read = body ?? draft
  if (!read) return {}
  const fields: unknown[] = read['required'] ?? []
  const content = { schema: toOpenApiSchema(read, scope), example }
  return {
    requestBody: { required: fields.length > 0, content: { 'application/json': content } },
  }
}

function goodAnswers({ api, operation: { answers } }: Route, scope: Scope) {
  const entries = Object.entries(answers).map(([status, answer]) => {
    const { description, schema, example, headers, mediaType = api.mediaType } = answer
    const shown = schema && toOpenApiSchema(schema, scope)
    const content = shown && { content: { [mediaType]: { schema: shown, example } } }
    const described = headers && {
      headers: Object.fromEntries(
        Object.entries(headers).map(([name, words]) => [
          name,
          { description: words, schema: { type: 'string' } },
        ]),
      ),
    }
    return [status, { description, ...described, ...content }] as const
  })
  return Object.fromEntries(entries)
}

/** The route's own problems and those of every route of its kind. */
function problemsOf(route: Route, caller: string): ProblemCode[] {
  const { body, draft, raw, problems = [] } = route.operation
  const isOpen = (authentication(route.api, caller)?.security ?? []).length === 0
  const bodies: ProblemCode[] = ['body_too_large', 'unsupported_media_type']
  const reads: ProblemCode[] = [...(raw ? [] : ['malformed_json' as const]), ...bodies]
  const asks: ProblemCode[] = ['unauthorized', 'rate_limited', 'store_unavailable']
  const always: ProblemCode[] = ['misdirected_request', 'internal_error']
  const all = [
    ...problems,
    ...(body || draft ? ['invalid_request' as const] : []),
    ...(body || draft || raw ? reads : []),
    ...(isOpen ? [] : asks),
    ...always,
  ]
  return [...new Set(all)]
}
