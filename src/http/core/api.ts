import type { Problem, ProblemCode } from '../../domain/problem.ts'
import type { ClientAddress } from './client-ip.ts'
import type { Guard } from './guard.ts'

/**
 * One API: its paths, how it reads bodies, authenticates and answers refusals. `Callers` has what a
 * handler gets for each kind of caller.
 */
export type Api<Callers extends object = object> = {
  /** The heading of its routes in the documentation. */
  tags: Tag[]
  /** Its answers depend on no other node: they are given also by one that is cut off from them. */
  isLocal?: true
  /** Whether this API answers for a path without a route. */
  owns(path: string): boolean
  /** `undefined` when there is no body. Throws `body_too_large` above `bytesMax` bytes. */
  readBody(request: Request, bytesMax: number): Promise<unknown>
  /** By kind of caller. Throws `unauthorized` and `rate_limited`. */
  authenticate: { [Kind in keyof Callers]: Authentication<Callers[Kind]> }
  /** `debugDetail` is the message of an unexpected error, in developer mode only. */
  toResponse(problem: Problem, about: Refused): Reply
  /** How OpenAPI describes refusals with these codes, by status. */
  describeProblems(codes: ProblemCode[]): Record<string, unknown>
  /** The media type of successful answers. */
  mediaType: 'application/json' | 'text/plain'
}

export type Refused = { request: Request; requestId: string; debugDetail: string | null }

export type Tag = { name: string; description: string }

export type Authentication<Who> = {
  /** The OpenAPI security requirements, as alternatives; an empty one needs no credential. */
  security: Record<string, string[]>[]
  /** With `confirm` it goes by memory: that is called before a refusal is answered. */
  identify(
    guard: Guard,
    context: Context,
    asked: Asked,
  ): Promise<Who & { confirm?(): Promise<unknown> }>
}

/** What a call asks for, as far as it decides who may make it. */
export type Asked = {
  /** It changes nothing. */
  reads: boolean
  /** It makes or changes secrets, or removes an app or an account. */
  sensitive: boolean
}

/** The answer of a handler; the pipeline adds the common headers. */
export type Reply = {
  status: number
  type: string
  body: string | Uint8Array | ReadableStream<Uint8Array> | null
  headers?: Record<string, string>
  /** The refusal that a page tells a person of, for the log and the counts. */
  problem?: Problem
}

/** What every handler gets of its request. */
export type Context = {
  request: Request
  requestId: string
  /** The client, for limits and the log. */
  client(): ClientAddress
  /** Sets how many seconds this answer may take before the connection counts as idle. */
  patience(seconds: number): void
}

/** For calls without a credential. */
export const anybody: Authentication<object> = { security: [], identify: async () => ({}) }
