import { type Api, anybody } from '../core/api.ts'
import { problemJson } from '../core/problems.ts'
import { readJson } from '../core/request.ts'
import { describeProblemJson } from '../openapi/problem.ts'

/** Health, documentation and pages, without a credential. */
export const service: Api<{ anybody: object }> = {
  isLocal: true,
  tags: [
    { name: 'Operations', description: 'For monitors.' },
    { name: 'Pages', description: 'For people with a browser.' },
  ],
  // Paths that no other API owns are answered here.
  owns: () => true,
  readBody: readJson,
  authenticate: { anybody },
  toResponse: (problem, { requestId }) => problemJson(problem, requestId),
  describeProblems: describeProblemJson,
  mediaType: 'application/json',
}
