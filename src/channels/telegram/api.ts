import type { HttpFault, HttpOut, HttpRequest } from '../../domain/http-out.ts'
import type { Bot } from '../../domain/telegram/bot.ts'

/** The answer of the Bot API; `description` has no token in it and is one short line. */
export type ApiAnswer =
  | { ok: true; result: Json }
  | { ok: false; code: number; description: string; retryAfterMs: number | null }
  | HttpFault

/** JSON of the Bot API, of which nothing is known. */
export type Json = { [name: string]: unknown }

type Call = { method: string; params?: object } & Pick<HttpRequest, 'signal' | 'maxMs' | 'lease'>

const descriptionMax = 200

/**
 * Calls a method of the Bot API. The token is a part of the URL, so the URL is made here and goes to
 * nobody but the request.
 */
export async function callBot(
  http: HttpOut,
  { token, endpoint }: Pick<Bot, 'token' | 'endpoint'>,
  { method, params = {}, ...bounds }: Call,
): Promise<ApiAnswer> {
  const answer = await http({
    method: 'POST',
    url: `${baseUrlOf(endpoint)}/bot${token}/${method}`,
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify(params),
    ...bounds,
  })
  if ('fault' in answer) return answer
  const json = parse(answer.body)
  if (answer.status === 200 && json['ok'] === true) return { ok: true, result: objectOf(json) }
  const { error_code: code, description } = json
  const wait = objectOf(json, 'parameters')['retry_after']
  const words = typeof description === 'string' ? description : `HTTP ${answer.status}`
  return {
    ok: false,
    code: Number.isInteger(code) ? Number(code) : answer.status,
    description: plainWords(words.replaceAll(token, '<token>')),
    retryAfterMs: Number.isInteger(wait) ? Number(wait) * 1000 : answer.retryAfterMs,
  }
}

/** True where the person cannot be written to any more by this bot. */
export function isGone({ code, description }: { code: number; description: string }): boolean {
  if (code === 403) return true
  return (
    code === 400 && /chat not found|user not found|deactivated|peer_id_invalid/i.test(description)
  )
}

/** True where the token is refused: a malformed one is answered as an unknown path. */
export function isTokenRefused({ code }: { code: number }): boolean {
  return code === 401 || code === 404
}

function baseUrlOf({ settings }: Bot['endpoint']): string {
  return settings.kind === 'telegram' ? settings.baseUrl : ''
}

function parse(text: string): Json {
  try {
    return objectOf({ value: JSON.parse(text) }, 'value')
  } catch {
    return {}
  }
}

/** The object of this name; an empty one for anything else. A list is an object too. */
export function objectOf(json: Json, name = 'result'): Json {
  const value = json[name]
  return typeof value === 'object' && value !== null ? (value as Json) : {}
}

/** One short line. */
export function plainWords(text: string): string {
  return text
    .replace(/[\p{C}\p{Z}]+/gu, ' ')
    .trim()
    .slice(0, descriptionMax)
}
