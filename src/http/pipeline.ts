import type { Problem } from '../domain/problem.ts'
import type { HttpPorts } from './ports.ts'
import { originOf, problemReply, toProblem } from './problems.ts'
import { type Reply, toResponse } from './reply.ts'
import type { Context, Route } from './route.ts'

type Answerable = Pick<Route, 'method' | 'path' | 'answer' | 'problemText'>

/**
 * What happens around every answer, the same for a good one, a refusal and a bug: a request id, the
 * headers that every response carries, a count, a line in the log.
 */
export function createPipeline(
  ports: Pick<HttpPorts, 'log' | 'metrics' | 'random' | 'http'>,
  setPatience: (request: Request, seconds: number) => void,
) {
  const { log, metrics, random, http } = ports

  return async (
    route: Answerable,
    { request, params }: Pick<Context, 'request' | 'params'>,
  ): Promise<Response> => {
    const startedAt = performance.now()
    const requestId = Buffer.from(random.bytes(12)).toString('base64url')
    const patience = (seconds: number) => setPatience(request, seconds)
    let reply: Reply
    try {
      reply = await route.answer({ request, params, requestId, patience })
    } catch (error) {
      const problem = toProblem(error)
      if (problem.code === 'internal_error') reportBug(error, route, requestId)
      if (problem.extra.limit) metrics.count('otpmint_limited_total', problem.extra.limit)
      reply = say(route, problem, error, requestId)
    }
    observe(request.method, route, reply.status, requestId, performance.now() - startedAt)
    return toResponse(reply, requestId)
  }

  function say(route: Answerable, problem: Problem, error: unknown, requestId: string): Reply {
    if (!route.problemText) return problemReply(problem, requestId)
    const detail = http.developerMode && error instanceof Error ? error.message : null
    return route.problemText(problem, detail)
  }

  function reportBug(error: unknown, { method, path }: Answerable, requestId: string): void {
    log.error('request_failed', { requestId, method, route: path, detail: originOf(error) })
  }

  function observe(
    method: string,
    { path }: Answerable,
    status: number,
    requestId: string,
    durationMs: number,
  ): void {
    const level = `${Math.floor(status / 100)}xx`
    metrics.count('otpmint_http_requests_total', level)
    metrics.observe('otpmint_http_request_seconds', level, durationMs / 1000)
    const line = { requestId, method, route: path, status, durationMs: Math.round(durationMs) }
    if (status >= 500) log.warn('request', line)
    else log.debug('request', line)
  }
}
