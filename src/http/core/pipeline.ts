import { Problem } from '../../domain/problem.ts'
import type { HttpPorts } from '../ports.ts'
import type { Api, Context } from './api.ts'
import type { ClientAddress } from './client-ip.ts'
import { hostOf, isLoopbackHost } from './host.ts'
import { originOf, toProblem } from './problems.ts'
import { type Reply, toResponse } from './respond.ts'

type PipelinePorts = Pick<HttpPorts, 'log' | 'metrics' | 'random' | 'http' | 'timers'>

type Edges = {
  /** Called with every request, before any check. */
  see(request: Request): void
  clientOf(request: Request): ClientAddress
  setPatience(request: Request, seconds: number): void
}

/** The request, the API that answers it, and the route's pattern for the log. */
export type Answering = {
  api: Api
  path: string
  answer(context: Context): Promise<Reply>
}

/**
 * Handles what every answer has, whether success, refusal or bug: a request id, the check of the
 * host name, the common headers, a count, a line in the log.
 */
export function createPipeline(ports: PipelinePorts, { see, clientOf, setPatience }: Edges) {
  const { log, metrics, random, http, timers } = ports

  return async ({ api, path, answer }: Answering, request: Request): Promise<Response> => {
    const startedAt = timers.monotonic()
    see(request)
    const requestId = Buffer.from(random.bytes(12)).toString('base64url')
    // Read on demand, because most answers need no address.
    let found: ClientAddress | null = null
    const client = () => {
      found ??= clientOf(request)
      return found
    }
    const patience = (seconds: number) => setPatience(request, seconds)
    const about = { requestId, method: request.method, route: path }
    let problem: Problem | null = null
    let reply: Reply
    try {
      refuseForeignHost(request)
      reply = await answer({ request, requestId, client, patience })
    } catch (error) {
      if (isHungUp(error)) {
        log.debug('client_gone', about)
        return toResponse(gone, requestId)
      }
      problem = toProblem(error)
      if (problem.code === 'internal_error') {
        log.error('request_failed', { ...about, detail: originOf(error) })
      }
      if (problem.extra.limit) metrics.count('otpmint_limited_total', problem.extra.limit)
      const debugDetail = http.developerMode && error instanceof Error ? error.message : null
      reply = api.toResponse(problem, { requestId, debugDetail })
    }
    observe(about, reply.status, problem, client, timers.monotonic() - startedAt)
    return toResponse(reply, requestId)
  }

  /** In developer mode names of this machine only, so that no foreign page reads the inbox. */
  function refuseForeignHost(request: Request): void {
    if (request.headers.get('host')?.includes(',')) {
      throw new Problem('misdirected_request', { detail: 'The request names two hosts' })
    }
    if (!http.developerMode) return
    const host = hostOf(request)
    if (host === null || !isLoopbackHost(host)) {
      const detail = 'Developer mode answers to localhost only'
      throw new Problem('misdirected_request', { detail })
    }
  }

  function observe(
    about: { requestId: string; method: string; route: string },
    status: number,
    problem: Problem | null,
    client: () => ClientAddress,
    durationMs: number,
  ): void {
    const level = `${Math.floor(status / 100)}xx`
    metrics.count('otpmint_http_requests_total', level)
    metrics.observe('otpmint_http_request_seconds', level, durationMs / 1000)
    const line = { ...about, status, durationMs: Math.round(durationMs) }
    if (problem && [401, 429, 503].includes(status)) {
      log.info('request', { ...line, problem: problem.code, client: client().name })
    } else if (status >= 500) log.warn('request', line)
    else log.debug('request', line)
  }
}

/** True when the connection has ended before the body. */
function isHungUp(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError'
}

const gone: Reply = { status: 400, type: '', body: null }
