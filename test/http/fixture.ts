import { expect } from 'bun:test'
import { answerChallenge, takeCallback } from '../../src/channels/callbacks.ts'
import { readBounce } from '../../src/channels/email/bounce.ts'
import { inboxMax, listInbox, readInboxSource } from '../../src/channels/inbox.ts'
import { hashKey } from '../../src/domain/app/api-key.ts'
import { clearInbox } from '../../src/domain/delivery/inbox.ts'
import type { LogFields } from '../../src/domain/ports.ts'
import { createLive } from '../../src/http/live/live.ts'
import type { HttpPorts, HttpSettings } from '../../src/http/ports.ts'
import { createServer, describeServer } from '../../src/http/server.ts'
import { createProofs } from '../../src/keys/proof.ts'
import { createMetrics } from '../../src/metrics.ts'
import { plainInstallation } from '../support/installation.ts'
import { defaultSettings, type World, world } from '../support/world.ts'
import { type Components, differences, type Schema } from './conforms.ts'

export const adminToken = `otpm_admin_${'a'.repeat(36)}`

export type Site = World & {
  ports: HttpPorts
  server: ReturnType<typeof createServer>
  /** All log lines as one text. */
  logged(): string
  /** A JSON request, with the live key unless another Authorization is given. */
  call(method: string, path: string, options?: CallOptions): Promise<Answer>
}

export type CallOptions = {
  body?: unknown
  /** A raw body, instead of JSON. */
  raw?: string
  headers?: Record<string, string>
  /** A bearer token; null sends none. */
  token?: string | null
  from?: string | null
}

/** The JSON of an answer, with any fields. */
export type Json = ReturnType<typeof JSON.parse>

export type Answer = {
  status: number
  headers: Headers
  text: string
  json: Json
}

const idleFlow = { waiting: 0, oldestAt: null, sentPerSecond: 0, lanes: [] }

type SiteOptions = Parameters<typeof world>[0] & {
  http?: Partial<HttpSettings>
  ports?: Partial<HttpPorts>
}

/** The HTTP server on a world: real store, real keys, no socket. */
export async function site(options: SiteOptions = {}): Promise<Site> {
  const base = await world(options)
  const lines: string[] = []
  const write = (level: string) => (event: string, fields?: LogFields) => {
    lines.push(JSON.stringify({ level, event, ...fields }))
  }
  const log = {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
  }
  const peers = new WeakMap<Request, string | null>()
  const ports: HttpPorts = {
    ...base,
    log,
    metrics: createMetrics(),
    live: createLive({ ...base, log, flow: () => idleFlow }),
    inbox: {
      list: () => listInbox(base, { appId: null, limit: inboxMax }),
      source: (id) => readInboxSource(base, id),
      clear: (actor, which) => clearInbox(base, actor, which),
    },
    installation: plainInstallation,
    adminTokenHash: hashKey(adminToken),
    http: {
      openRegistration: false,
      developerMode: false,
      publicUrl: null,
      trustedProxies: [],
      ...options.http,
    },
    dashboard: {
      url: null,
      isLocal: true,
      times: { idleMs: 1_800_000, lifeMs: 43_200_000 },
      linkBase: () => 'http://127.0.0.1:5001',
    },
    ready: async () => true,
    stopping: () => false,
    testDelivery: async () => ({ status: 'sent', detail: '250 ok', steps: [] }),
    testDns: async () => [],
    proofs: createProofs(base.keyring),
    testWebhook: async () => ({ code: 204, retryAfterMs: null, detail: null }),
    tryLogin: async () => null,
    readBounce,
    takeCallback: (callback) =>
      takeCallback({ ...base, publicUrl: 'https://otp.example.com' }, callback),
    answerChallenge: (challenge) => answerChallenge(base, challenge),
    peerAddress: (request) => peers.get(request) ?? null,
    ...options.ports,
  }
  const server = createServer(ports)
  const host = ports.http.developerMode ? 'localhost' : 'otp.example.com'

  async function call(method: string, path: string, given: CallOptions = {}): Promise<Answer> {
    const { body, raw, token = base.liveKey, from = '192.0.2.1' } = given
    const text = raw ?? (body === undefined ? undefined : JSON.stringify(body))
    const headers: Record<string, string> = {
      ...(text !== undefined && { 'content-type': 'application/json' }),
      ...(token !== null && { authorization: `Bearer ${token}` }),
      ...given.headers,
    }
    const request = new Request(`http://${host}${path}`, {
      method,
      headers,
      ...(text !== undefined && { body: text }),
    })
    peers.set(request, from)
    const answer = await read(await server.handle(request))
    checkAsDescribed(method, path, answer)
    return answer
  }
  return { ...base, ports, server, logged: () => lines.join('\n'), call }
}

export type Media = { schema: Schema; example: Json }
export type Operation = {
  operationId: string
  summary?: string
  tags: string[]
  security: Record<string, string[]>[]
  parameters?: { name: string; in: string; description?: string; schema: Schema }[]
  requestBody?: { required: boolean; content: Record<string, Media> }
  responses: Record<string, { description: string; content?: Record<string, Media> }>
}
export type OpenApi = {
  openapi: string
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Components }
  servers: { url: string }[]
  tags: { name: string }[]
  info: { version: string }
}

/** The document of a server in developer mode, which has every route. */
export const openApi = (await describeServer({
  developerMode: true,
  publicUrl: null,
  ceilings: defaultSettings,
})) as OpenApi

/** Every operation, by `METHOD /path`. */
export const operations: [string, Operation][] = Object.entries(openApi.paths).flatMap(
  ([path, methods]) =>
    Object.entries(methods).map(([method, operation]): [string, Operation] => [
      `${method.toUpperCase()} ${path}`,
      operation,
    ]),
)

/** Compares every answer of every test with the OpenAPI document. */
function checkAsDescribed(method: string, path: string, answer: Answer) {
  if (['not_found', 'method_not_allowed'].includes(answer.json?.code)) return
  const place = path.split('?')[0] ?? ''
  const matching = operations.filter(([name]) => {
    return new RegExp(`^${name.replace(/\{[a-z_]+\}/g, '[^/]+')}$`).test(`${method} ${place}`)
  })
  const exact = matching.find(([name]) => name === `${method} ${place}`) ?? matching[0]
  if (!exact) return
  const [name, operation] = exact
  const described = operation.responses[answer.status]
  expect([name, answer.status, described !== undefined]).toEqual([name, answer.status, true])
  const type = answer.headers.get('content-type')?.split(';')[0] ?? ''
  const media = described?.content?.[type]
  if (answer.text !== '') expect([name, type, media === undefined]).toEqual([name, type, false])
  if (!media || !type.includes('json')) return
  const { schemas } = openApi.components
  expect([name, differences(schemas, media.schema, answer.json)]).toEqual([name, []])
}

export async function read(answer: Response): Promise<Answer> {
  const text = await answer.text()
  const isJson = answer.headers.get('content-type')?.includes('json') === true
  const { status, headers } = answer
  return { status, headers, text, json: isJson ? JSON.parse(text) : null }
}
