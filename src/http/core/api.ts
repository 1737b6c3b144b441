import type { Problem, ProblemCode } from '../../domain/problem.ts'
import type { ClientAddress } from './client-ip.ts'
import type { Guard } from './guard.ts'
import type { Reply } from './respond.ts'

/**
 * One API: the paths it owns, how it reads bodies, who may call, and how it words a refusal.
 * `Callers` has what a handler learns about each kind of caller.
 */
export type Api<Callers extends object = object> = {
  /** The heading of its routes in the documentation. */
  tags: Tag[]
  /** Whether a path that no route has is answered in this API's words. */
  owns(path: string): boolean
  /** `undefined` when there is no body. */
  readBody(request: Request): Promise<unknown>
  /** By kind of caller. Throws `unauthorized` and `rate_limited`. */
  authenticate: { [Kind in keyof Callers]: Authentication<Callers[Kind]> }
  /** `debugDetail` is a bug's own message, in developer mode only. */
  toResponse(problem: Problem, about: { requestId: string; debugDetail: string | null }): Reply
  /** How OpenAPI describes refusals with these codes, by status. */
  describeProblems(codes: ProblemCode[]): Record<string, unknown>
  /** The media type of its good answers. */
  mediaType: 'application/json' | 'text/plain'
}

export type Tag = { name: string; description: string }

export type Authentication<Who> = {
  /** What OpenAPI calls it: one alternative each; an empty one is nobody in particular. */
  security: Record<string, string[]>[]
  identify(guard: Guard, context: Context): Promise<Who>
}

/** What every handler knows of its request. */
export type Context = {
  request: Request
  requestId: string
  /** Whom limits and the log count. */
  client(): ClientAddress
  /** Lets this answer take so many seconds before the connection counts as idle. */
  patience(seconds: number): void
}

/** For calls that anybody may make. */
export const anybody: Authentication<object> = { security: [], identify: async () => ({}) }
