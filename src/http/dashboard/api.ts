import type { Api, Context } from '../core/api.ts'
import { anybody } from '../core/api.ts'
import { problemJson } from '../core/problems.ts'
import { readJson } from '../core/request.ts'
import { describeProblemJson } from '../openapi/problem.ts'
import { awayPage } from './away.ts'
import type { Person } from './person.ts'

type Callers = { anybody: object; person: Person }

export type PersonCall = Context & Callers['person']

/** The pages of the dashboard and the sessions of people; only on its own listener. */
export const dashboard: Api<Callers> = {
  tags: [{ name: 'Dashboard', description: 'Its pages and the sessions of people.' }],
  owns: () => true,
  readBody: readJson,
  authenticate: {
    anybody,
    person: {
      security: [],
      // Everybody may change what is their own.
      identify: (guard, context, { sensitive }) => {
        if (!guard.person) throw new Error('this listener knows no people')
        return guard.person(context, { reads: true, sensitive })
      },
    },
  },
  toResponse(problem, { request, requestId }) {
    const isPage = request.headers.get('accept')?.includes('text/html') === true
    const isAway = problem.code === 'misdirected_request'
    return isPage && isAway ? awayPage(problem) : problemJson(problem, requestId)
  },
  describeProblems: describeProblemJson,
  mediaType: 'application/json',
}
