import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Server } from '../support/executable.ts'

export type Answer = {
  status: number
  text: string
  headers: Headers
  /** The body as JSON; an empty object when it is none. */
  json: Json
}

/** The fields of answers that the tests read. */
export type Json = {
  id?: string
  status?: string | number
  valid?: boolean
  attempts_left?: number
  code?: string
  delivery?: { status: string; detail?: string }
  deliveries?: { channel: string; status: string; tries: Record<string, unknown>[] }[]
  live_key?: string
  test_key?: string
  items?: { id: string; to: string; code: string; verification?: string }[]
  [name: string]: unknown
}

type Call = { method?: string; token?: string; headers?: Record<string, string>; raw?: string }

/** Sends a request; with a body it is a POST. */
export async function call(
  url: string,
  body?: unknown,
  { method, token, headers = {}, raw }: Call = {},
): Promise<Answer> {
  const sent = raw ?? (body === undefined ? undefined : JSON.stringify(body))
  const response = await fetch(url, {
    method: method ?? (sent === undefined ? 'GET' : 'POST'),
    headers: {
      ...(sent !== undefined && { 'content-type': 'application/json' }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...headers,
    },
    ...(sent !== undefined && { body: sent }),
  })
  const text = await response.text()
  return { status: response.status, text, headers: response.headers, json: parse(text) }
}

function parse(text: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch {
    return {}
  }
}

/** The admin token that the first start wrote to its data directory. */
export function adminToken(dataDir: string): string {
  return readFileSync(join(dataDir, 'admin.token'), 'utf8').trim()
}

/** An app that sends by a plain mail server on this machine. */
export async function createApp(
  { base }: Pick<Server, 'base'>,
  token: string,
  { port, policy }: { port: number; policy?: Record<string, unknown> },
): Promise<{ id: string; liveKey: string; testKey: string }> {
  const email = {
    ...{ host: '127.0.0.1', port, security: 'none', user: null },
    from: 'no-reply@acme.test',
  }
  const { status, json, text } = await call(
    `${base}/v1/apps`,
    { name: 'Acme', email, ...(policy && { policy }) },
    { token },
  )
  if (status !== 201) throw new Error(`no app: ${text}`)
  return { id: json.id ?? '', liveKey: json.live_key ?? '', testKey: json.test_key ?? '' }
}

/** The code of a mail, from its subject and the first line of its text. */
export function codeOf(raw: string): string {
  const code = /^Subject: (\d{6,10})( is |\r?$)/m.exec(raw)?.[1]
  if (code === undefined) throw new Error('a mail without a code in its subject')
  return code
}

/** A wrong code of the same length. */
export function wrongCode(right: string): string {
  const last = (Number(right.at(-1)) + 1) % 10
  return right.slice(0, -1) + last
}
