import type { TSchema } from 'elysia'
import { type ProblemCode, problemTitles } from '../domain/problem.ts'
import { toOpenApiSchema } from './openapi-schema.ts'
import { problemStatuses } from './problems.ts'
import type { Route } from './route.ts'

const parameterWords: Record<string, string> = {
  id: 'The id, 22 characters of base62.',
  key_id: 'The key’s id.',
}

/** A route in OpenAPI's words; the swagger plugin collects what stands in `detail`. */
export function describeRoute(route: Route) {
  return {
    ...(route.hidden && { hide: true }),
    tags: [route.tag],
    summary: route.summary,
    ...(route.description && { description: route.description }),
    operationId: operationId(route),
    security: securityOf(route),
    parameters: [...pathParameters(route.path), ...queryParameters(route), ...headers(route)],
    ...(route.body && {
      requestBody: {
        required: route.example !== undefined && Object.keys(Object(route.example)).length > 0,
        content: {
          'application/json': { schema: toOpenApiSchema(route.body), example: route.example },
        },
      },
    }),
    responses: { ...goodAnswers(route), ...problemAnswers(route) },
  }
}

function operationId({ method, path }: Route): string {
  const words = path.split(/[^A-Za-z0-9]+/).filter((word) => word !== '' && word !== 'v1')
  return [method.toLowerCase(), ...words].join('_')
}

function securityOf({ auth, path }: Route) {
  if (auth === 'app') return [{ appKey: [] }]
  if (auth === 'operator') return [{ adminToken: [] }]
  // Registration takes the admin token, or none where it is open.
  return path === '/reg_secretkey' ? [{ adminToken: [] }, {}] : []
}

function pathParameters(path: string) {
  const names = [...path.matchAll(/:([a-z_]+)/g)].map((match) => match[1] ?? '')
  return names.map((name) => ({
    name,
    in: 'path',
    required: true,
    description: parameterWords[name] ?? '',
    schema: { type: 'string' },
  }))
}

function queryParameters({ query }: Route) {
  const fields = Object.entries((query?.['properties'] ?? {}) as Record<string, TSchema>)
  return fields.map(([name, schema]) => ({
    name,
    in: 'query',
    required: false,
    description: schema.description ?? '',
    schema: toOpenApiSchema(schema),
  }))
}

function headers(route: Route) {
  return Object.entries(route.headers ?? {}).map(([name, description]) => ({
    name,
    in: 'header',
    required: false,
    description,
    schema: { type: 'string' },
  }))
}

function goodAnswers({ answers, problemText }: Route) {
  const type = problemText ? 'text/plain' : 'application/json'
  const entries = Object.entries(answers).map(([status, { description, schema, example }]) => {
    const shown = schema ? toOpenApiSchema(schema) : problemText && { type: 'string' }
    const content = shown && { content: { [type]: { schema: shown, example } } }
    return [status, { description, ...content }] as const
  })
  return Object.fromEntries(entries)
}

/** The route's own problems and those of every route of its kind, by status. */
function problemAnswers(route: Route) {
  if (route.problemText) return {}
  const codes: ProblemCode[] = [...(route.problems ?? []), ...commonProblems(route)]
  const byStatus = Map.groupBy(new Set(codes), (code) => problemStatuses[code])
  const entries = [...byStatus].map(([status, all]) => {
    const description = all.map((code) => `\`${code}\`: ${problemTitles[code]}`).join('. ')
    const schema = { $ref: '#/components/schemas/Problem' }
    const example = exampleProblem(all[0] ?? 'internal_error')
    return [status, { description, content: { 'application/problem+json': { schema, example } } }]
  })
  return Object.fromEntries(entries)
}

function commonProblems({ auth, body }: Route): ProblemCode[] {
  const reads: ProblemCode[] = ['malformed_json', 'body_too_large', 'unsupported_media_type']
  const asks: ProblemCode[] = ['unauthorized', 'rate_limited', 'store_unavailable']
  return [...(body ? reads : []), ...(auth === 'open' ? [] : asks), 'internal_error']
}

export function exampleProblem(code: ProblemCode) {
  return {
    type: `urn:otpmint:problem:${code}`,
    title: problemTitles[code],
    status: problemStatuses[code],
    instance: 'urn:otpmint:request:3q2-7wEBAgMEBQYH',
    code,
    request_id: '3q2-7wEBAgMEBQYH',
  }
}

const string = (description: string) => ({ type: 'string', description })

/** RFC 9457, as every refusal of `/v1` is said. */
export const problemSchema = {
  type: 'object',
  description: 'RFC 9457. Program against `code`; the words may change.',
  required: ['type', 'title', 'status', 'instance', 'code', 'request_id'],
  properties: {
    type: string('`urn:otpmint:problem:` and the code.'),
    title: string('What the code means, for people.'),
    status: { type: 'integer', description: 'The HTTP status.' },
    detail: string('What is special about this case.'),
    instance: string('This request.'),
    code: { ...string('Stable.'), enum: Object.keys(problemTitles) },
    request_id: string('As in X-Request-Id and in the log.'),
    errors: {
      type: 'array',
      description: 'Every field that is wrong, without what was submitted.',
      items: {
        type: 'object',
        properties: { field: string('Its path.'), reason: string('What would be right.') },
      },
    },
    limit: string('The name of the limit that was hit.'),
  },
}
