/** What a handler answers; the pipeline adds what every response carries. */
export type Reply = {
  status: number
  type: string
  body: string | Uint8Array | null
  headers?: Record<string, string>
}

export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Reply {
  return { status, type: 'application/json', body: JSON.stringify(body), headers }
}

export function text(words: string, status = 200, headers: Record<string, string> = {}): Reply {
  return { status, type: 'text/plain; charset=utf-8', body: words, headers }
}

export const noContent: Reply = { status: 204, type: '', body: null }

/** Nothing is kept by a cache, sniffed, framed, run or told to the next site. */
const always = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
}

export function toResponse({ status, type, body, headers }: Reply, requestId: string): Response {
  const all: Record<string, string> = { ...always, 'x-request-id': requestId, ...headers }
  if (type) all['content-type'] = type
  return new Response(body, { status, headers: all })
}

/** Milliseconds as RFC 3339 in UTC. */
export function timestamp(ms: number): string {
  return new Date(ms).toISOString()
}
