import type { Problem } from '../../domain/problem.ts'
import type { Api, Context, Reply } from './api.ts'
import type { ClientAddress } from './client-ip.ts'
import { originOf, toProblem } from './problems.ts'
import type { Route, RoutePorts } from './route.ts'

type Edges = {
  /** Refuses a request before it is read: of another host, or of another page. */
  admit(request: Request): void
  /** Headers of all answers of this listener, besides the common ones. */
  headersFor(request: Request): Record<string, string>
  clientOf(request: Request): ClientAddress
  setPatience(request: Request, seconds: number): void
}

/** The request, the API that answers it, and the route's pattern for the log. */
export type Answering = {
  api: Api
  path: string
  answer(context: Context): Promise<Reply>
}

export type Pipeline = {
  /** The handler of a route. */
  handle(
    route: Route,
  ): (call: { request: Request; params: Record<string, string> }) => Promise<Response>
  run(answering: Answering, request: Request): Promise<Response>
}

export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Reply {
  return { status, type: 'application/json', body: JSON.stringify(body), headers }
}

export function text(words: string, status = 200, headers: Record<string, string> = {}): Reply {
  return { status, type: 'text/plain; charset=utf-8', body: words, headers }
}

export const noContent: Reply = { status: 204, type: '', body: null }

/**
 * Handles what every answer has, whether success, refusal or bug: a request id, the check of the
 * host name, the common headers, a count, a line in the log.
 */
export function createPipeline(
  ports: RoutePorts,
  { admit, headersFor, clientOf, setPatience }: Edges,
): Pipeline {
  const { log, metrics, random, http, timers } = ports
  const isProxyUnknown = http.trustedProxies.length === 0

  async function run({ api, path, answer }: Answering, request: Request): Promise<Response> {
    const startedAt = timers.monotonic()
    if (isProxyUnknown && request.headers.has('x-forwarded-for')) ports.seeForwarded?.()
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
      admit(request)
      const entering = api.isLocal ? null : ports.enter?.()
      if (entering) await entering
      reply = await answer({ request, requestId, client, patience })
      problem = reply.problem ?? null
    } catch (error) {
      if (isHungUp(error)) {
        log.debug('client_gone', about)
        return toResponse(gone, requestId, headersFor(request))
      }
      problem = toProblem(error)
      if (problem.code === 'internal_error') {
        log.error('request_failed', { ...about, detail: originOf(error) })
      }
      const debugDetail = http.developerMode && error instanceof Error ? error.message : null
      reply = api.toResponse(problem, { request, requestId, debugDetail })
    }
    if (problem?.extra.limit) metrics.count('otpmint_limited_total', problem.extra.limit)
    observe(about, reply.status, problem, client, timers.monotonic() - startedAt)
    return toResponse(reply, requestId, headersFor(request))
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

  return {
    run,
    handle:
      ({ api, path, answer }) =>
      ({ request, params }) =>
        run({ api, path, answer: (context) => answer(ports, context, params) }, request),
  }
}

/** True when the connection has ended before the body. */
function isHungUp(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError'
}

const gone: Reply = { status: 400, type: '', body: null }

/** Headers of every response: not cached, not sniffed, not framed, not shared with other sites. */
const always = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
}

function toResponse(
  { status, type, body, headers }: Reply,
  requestId: string,
  ofListener: Record<string, string>,
): Response {
  const all: Record<string, string> = {
    ...always,
    ...ofListener,
    'x-request-id': requestId,
    ...headers,
  }
  if (type) all['content-type'] = type
  return new Response(body, { status, headers: all })
}
