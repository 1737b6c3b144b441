import type { Lease } from './delivery/lease.ts'

export type HttpRequest = {
  method: 'GET' | 'POST'
  url: string
  headers?: Record<string, string>
  body?: string
  /** Looked at right before the request is sent; without it the answer is the fault `timeout`. */
  lease?: Lease | undefined
  /** Ends the request; the answer is then the fault `timeout`. */
  signal?: AbortSignal
  /** The longest time until the end of the answer; 10 s if absent. For long polling. */
  maxMs?: number
}

export type HttpAnswer = {
  status: number
  body: string
  headers: Headers
  /** The wait of a Retry-After header in seconds; null without one. */
  retryAfterMs: number | null
}

/**
 * Why there was no answer. `certificate`: it is not trusted, or for another name. `isSent`: the
 * request may have reached the other side, so that a message may have been accepted.
 */
export type HttpFault = {
  fault: 'timeout' | 'unreachable' | 'certificate' | 'too_long' | 'not_public' | 'unknown_host'
  isSent: boolean
}

/** Makes a request over HTTPS; never rejects. */
export type HttpOut = (request: HttpRequest) => Promise<HttpAnswer | HttpFault>
