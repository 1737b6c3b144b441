import type { Actor } from '../../domain/audit.ts'
import type { Api, Context } from '../core/api.ts'
import { adminOf, appOf, type Caller } from '../core/guard.ts'
import { problemJson } from '../core/problems.ts'
import { readJson } from '../core/request.ts'
import { describeProblemJson } from '../openapi/problem.ts'

type Callers = { app: Caller; admin: { actor: Actor } }

/** What a handler gets of a request of an app, and of the admin. */
export type AppCall = Context & Callers['app']
export type AdminCall = Context & Callers['admin']

/** `/v1`: JSON in and out, refusals as `application/problem+json`. */
export const v1: Api<Callers> = {
  tags: [
    { name: 'Verifications', description: 'For apps, with a live or a test key.' },
    { name: 'Apps', description: 'For the admin, with the admin token.' },
    { name: 'Records', description: 'For the admin: counts, events, alarms, audit.' },
  ],
  owns: (path) => path === '/v1' || path.startsWith('/v1/'),
  readBody: readJson,
  authenticate: {
    app: { security: [{ appKey: [] }], identify: appOf },
    admin: { security: [{ adminToken: [] }], identify: adminOf },
  },
  toResponse: (problem, { requestId }) => problemJson(problem, requestId),
  describeProblems: describeProblemJson,
  mediaType: 'application/json',
}
