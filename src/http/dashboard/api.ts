import type { Api, Context } from '../core/api.ts'
import { anybody } from '../core/api.ts'
import { problemJson } from '../core/problems.ts'
import { readJson } from '../core/request.ts'
import { describeProblemJson } from '../openapi/problem.ts'
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
  toResponse: (problem, { requestId }) => problemJson(problem, requestId),
  describeProblems: describeProblemJson,
  mediaType: 'application/json',
}
