import { confirmed } from './confirmation.ts'
import { isReaderThere } from './reader.ts'
import { endSession } from './session.ts'

/** A refusal of the server, or that it could not be reached. */
export class Refusal extends Error {
  /** Of the server's catalogue of problems, or `unreachable`. */
  readonly code: string
  readonly status: number
  /** What is wrong with each field, by its name on the wire. */
  readonly fields: Record<string, string>
  /** What the server says of this case, besides what the code means. */
  readonly detail: string | null

  constructor(code: string, status: number, message: string, more: Partial<Problem> = {}) {
    super(message)
    this.code = code
    this.status = status
    const { errors = [], detail = null } = more
    this.fields = Object.fromEntries(errors.map(({ field, reason }) => [field, reason]))
    this.detail = detail
  }
}

type Problem = {
  code?: string
  title?: string
  detail?: string
  errors?: { field: string; reason: string }[]
}

/**
 * Calls the server. Where a session is over, the sign-in is shown; where the password is needed
 * again, a dialog asks for it, and the call is repeated.
 */
export async function call<Answer>(
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  path: string,
  body?: unknown,
): Promise<Answer> {
  const response = await send(method, path, body)
  if (response.ok) return (response.status === 204 ? null : await response.json()) as Answer
  const refusal = await refusalOf(response)
  if (refusal.code === 'confirmation_required' && (await confirmed())) {
    return call(method, path, body)
  }
  if (refusal.code === 'unauthorized') endSession()
  throw refusal
}

export const get = <Answer>(path: string) => call<Answer>('GET', path)
export const post = <Answer>(path: string, body: unknown = {}) => call<Answer>('POST', path, body)
export const put = <Answer>(path: string, body: unknown) => call<Answer>('PUT', path, body)
export const patch = <Answer>(path: string, body: unknown) => call<Answer>('PATCH', path, body)
export const remove = (path: string) => call<null>('DELETE', path)

/** A path with values as its query; those that are empty are left out. */
export function withQuery(
  path: string,
  values: Record<string, string | number | null | undefined>,
) {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(values)) {
    if (value !== null && value !== undefined && value !== '') query.set(name, String(value))
  }
  return query.size === 0 ? path : `${path}?${query}`
}

/** What any failure of a call is shown as. */
export function asRefusal(error: unknown): Refusal {
  return error instanceof Refusal ? error : new Refusal('internal_error', 0, String(error))
}

async function send(method: string, path: string, body: unknown): Promise<Response> {
  const headers = {
    ...(body !== undefined && { 'content-type': 'application/json' }),
    // What a forgotten page asks for by itself does not keep its reader signed in.
    ...(!isReaderThere() && { 'x-otpmint-background': '1' }),
  }
  const sent = body === undefined ? {} : { body: JSON.stringify(body) }
  try {
    return await fetch(path, { method, headers, ...sent })
  } catch {
    throw new Refusal('unreachable', 0, 'The server did not answer')
  }
}

async function refusalOf(response: Response): Promise<Refusal> {
  const problem: Problem = await response.json().catch(() => ({}))
  const { code = 'internal_error', title = '' } = problem
  return new Refusal(code, response.status, title, problem)
}
