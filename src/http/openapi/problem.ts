import { t } from 'elysia'
import { type ProblemCode, problemTitles } from '../../domain/problem.ts'
import { limitNames } from '../../domain/verification/limits.ts'
import { problemStatuses } from '../core/problems.ts'
import { oneOf, output } from '../core/schema.ts'

const codes = Object.keys(problemTitles) as ProblemCode[]

const fieldErrorSchema = output(
  'FieldError',
  {
    field: t.String({ description: 'Its path: `to`, `email.host`.' }),
    reason: t.String({ description: 'What is wrong and what would be right.' }),
  },
  { description: 'One wrong field, without what was submitted.' },
)

/** The schema of a refusal of `/v1`, RFC 9457. */
export const problemSchema = output(
  'Problem',
  {
    type: t.String({ description: '`urn:otpmint:problem:` and the code.' }),
    title: t.String({ description: 'The meaning of the code, for people.' }),
    status: t.Number({ multipleOf: 1, description: 'The HTTP status.' }),
    detail: t.Optional(t.String({ description: 'Details of this case.' })),
    instance: t.String({ description: 'This request.' }),
    code: oneOf(codes, 'Stable.'),
    request_id: t.String({ description: 'As in X-Request-Id and in the log.' }),
    errors: t.Optional(t.Array(fieldErrorSchema, { description: 'Every field that is wrong.' })),
    limit: t.Optional(oneOf([...limitNames, 'open_apps'], 'The name of the limit that was hit.')),
  },
  { description: 'RFC 9457. Program against `code`; the words may change.' },
)

/** Refusals as `application/problem+json`, by status. */
export function describeProblemJson(listed: ProblemCode[]): Record<string, unknown> {
  const byStatus = Map.groupBy(new Set(listed), (code) => problemStatuses[code])
  const entries = [...byStatus].map(([status, all]) => {
    const description = all.map((code) => `\`${code}\`: ${problemTitles[code]}`).join('. ')
    const schema = { $ref: '#/components/schemas/Problem' }
    const example = exampleProblem(all[0] ?? 'internal_error')
    const content = { 'application/problem+json': { schema, example } }
    return [String(status), { description, ...headersOf(status), content }]
  })
  return Object.fromEntries(entries)
}

function headersOf(status: number) {
  const text = (description: string) => ({ description, schema: { type: 'string' } })
  if (status === 401) return { headers: { 'WWW-Authenticate': text('`Bearer`.') } }
  if (status !== 429 && status !== 503) return {}
  return { headers: { 'Retry-After': text('Whole seconds after which a repeat may succeed.') } }
}

function exampleProblem(code: ProblemCode) {
  return {
    type: `urn:otpmint:problem:${code}`,
    title: problemTitles[code],
    status: problemStatuses[code],
    instance: 'urn:otpmint:request:3q2-7wEBAgMEBQYH',
    code,
    request_id: '3q2-7wEBAgMEBQYH',
  }
}
