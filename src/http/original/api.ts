import type { Actor } from '../../domain/audit.ts'
import { Problem, type ProblemCode, problemTitles } from '../../domain/problem.ts'
import { type Api, type Authentication, anybody, type Reply } from '../core/api.ts'
import { adminOf, bearerToken } from '../core/guard.ts'
import { text } from '../core/pipeline.ts'
import { problemHeaders, problemStatuses } from '../core/problems.ts'
import { readJson } from '../core/request.ts'

/** The caller of a registration; without a token `admin` is null. */
export type Registrar = { admin: Actor | null }

const registrar: Authentication<Registrar> = {
  security: [{ adminToken: [] }, {}],
  identify: async (guard, context, asked) => {
    const isAnonymous = bearerToken(context.request) === null
    return { admin: isAnonymous ? null : (await adminOf(guard, context, asked)).actor }
  },
}

/** The original API's three calls: JSON in, plain text out. */
export const original: Api<{ anybody: object; registrar: Registrar }> = {
  tags: [
    { name: 'Original API', description: 'JSON in, plain text out, with the original texts.' },
  ],
  owns: (path) => ['/reg_secretkey', '/otp', '/verify-otp'].includes(path),
  readBody: readJson,
  authenticate: { anybody, registrar },
  toResponse,
  describeProblems,
  mediaType: 'text/plain',
}

/** Problems of a verification that all get the same answer. */
const deadKey: ProblemCode[] = [
  'verification_not_found',
  'verification_used',
  'verification_expired',
  'verification_canceled',
]

export function isDeadKey({ code }: Problem): boolean {
  return deadKey.includes(code)
}

function toResponse(
  { code, extra }: Problem,
  { debugDetail }: { debugDetail: string | null },
): Reply {
  const status = statusOf(code)
  if (code === 'internal_error') {
    return text(debugDetail ? `Unknown Error: ${debugDetail}` : 'Unknown Error', status)
  }
  if (code === 'verification_exhausted') return text('Maximum Attempts Reached!', status)
  if (deadKey.includes(code)) {
    return text('Error: This shareableKey is unknown, used or expired', status)
  }
  const named = extra.errors?.map(({ field, reason }) => `${field} ${reason}`).join('; ')
  const words = named ?? extra.detail ?? problemTitles[code]
  return text(`Error: ${words}`, status, problemHeaders(status, extra.retryAfterSeconds))
}

/** 400 for refusals, except those whose status proxies and clients act on. */
function statusOf(code: ProblemCode): number {
  if (code === 'delivery_backlog') return 429
  const status = problemStatuses[code]
  return [401, 405, 413, 415, 421].includes(status) || status >= 429 ? status : 400
}

function describeProblems(codes: ProblemCode[]): Record<string, unknown> {
  const entries = [...Map.groupBy(new Set(codes), statusOf)].map(([status, all]) => {
    const description = all.map((code) => `${problemTitles[code]}.`).join(' ')
    const [first = 'internal_error'] = all
    const about = { requestId: '', debugDetail: null }
    const example = String(toResponse(new Problem(first), about).body)
    const content = { 'text/plain': { schema: { type: 'string' }, example } }
    return [String(status), { description, content }] as const
  })
  return Object.fromEntries(entries)
}
