/** The answer of a handler; the pipeline adds the common headers. */
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

export function toResponse({ status, type, body, headers }: Reply, requestId: string): Response {
  const all: Record<string, string> = { ...always, 'x-request-id': requestId, ...headers }
  if (type) all['content-type'] = type
  return new Response(body, { status, headers: all })
}
