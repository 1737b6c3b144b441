import type { ProblemCode } from '../../domain/problem.ts'
import { type Api, anybody } from '../core/api.ts'
import { problemHeaders, problemStatuses } from '../core/problems.ts'
import { readRaw } from '../core/raw-body.ts'
import { problemPage } from './document.ts'

const formType = 'application/x-www-form-urlencoded'

/** `/verify`: pages for the browser of a person with a code, without a credential but a cookie. */
export const hosted: Api<{ anybody: object }> = {
  tags: [],
  owns: (path) => path === '/verify' || path.startsWith('/verify/'),
  readBody: readForm,
  authenticate: { anybody },
  toResponse(problem, { request }) {
    const status = problemStatuses[problem.code]
    const page = problemPage(request, problem)
    const wait = problemHeaders(status, problem.extra.retryAfterSeconds)
    return { ...page, status, headers: { ...page.headers, ...wait } }
  },
  describeProblems: describePages,
  mediaType: 'text/plain',
}

/** The fields of a form; of a name that comes twice the first. Throws as `readRaw` does. */
async function readForm(request: Request, bytesMax: number): Promise<Record<string, string>> {
  const raw = await readRaw(request, { mediaType: formType, bytesMax })
  const fields: Record<string, string> = {}
  for (const [name, value] of new URLSearchParams(new TextDecoder().decode(raw))) {
    if (!Object.hasOwn(fields, name)) fields[name] = value
  }
  return fields
}

function describePages(codes: ProblemCode[]): Record<string, unknown> {
  const statuses = [...new Set(codes.map((code) => problemStatuses[code]))].sort()
  const content = { 'text/html': { schema: { type: 'string' } } }
  return Object.fromEntries(
    statuses.map((status) => [status, { description: 'A page that says so.', content }]),
  )
}
