import { expect } from 'bun:test'
import { hashKey } from '../../src/domain/authenticate.ts'
import type { LogFields } from '../../src/domain/ports.ts'
import { problemSchema } from '../../src/http/openapi.ts'
import type { HttpPorts, HttpSettings, InboxMessage } from '../../src/http/ports.ts'
import { createServer } from '../../src/http/server.ts'
import { createMetrics } from '../../src/metrics.ts'
import { type World, world } from '../support/world.ts'
import { differences } from './conforms.ts'

export const adminToken = `otpm_admin_${'a'.repeat(36)}`

export type Site = World & {
  ports: HttpPorts
  server: ReturnType<typeof createServer>
  /** Everything that was logged, as one text. */
  logged(): string
  /** A JSON request, with the live key unless another Authorization is given. */
  call(method: string, path: string, options?: CallOptions): Promise<Answer>
}

export type CallOptions = {
  body?: unknown
  /** The body as it is, instead of JSON. */
  raw?: string
  headers?: Record<string, string>
  /** A bearer token; null sends none. */
  token?: string | null
  from?: string | null
}

/** Whatever came back, to look into. */
export type Json = ReturnType<typeof JSON.parse>

export type Answer = {
  status: number
  headers: Headers
  text: string
  json: Json
}

type SiteOptions = Parameters<typeof world>[0] & {
  http?: Partial<HttpSettings>
  ports?: Partial<HttpPorts>
}

/** The whole HTTP side on a world: real store, real keys, no socket. */
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
    inbox: { list: (): InboxMessage[] => [] },
    adminTokenHash: hashKey(adminToken),
    http: {
      openRegistration: false,
      developerMode: false,
      publicUrl: null,
      trustedProxies: [],
      ...options.http,
    },
    ready: async () => true,
    stopping: () => false,
    testDelivery: async () => ({ status: 'sent', detail: '250 ok', steps: [] }),
    peerAddress: (request) => peers.get(request) ?? null,
    ...options.ports,
  }
  const server = createServer(ports)

  async function call(method: string, path: string, given: CallOptions = {}): Promise<Answer> {
    const { body, raw, token = base.liveKey, from = '192.0.2.1' } = given
    const text = raw ?? (body === undefined ? undefined : JSON.stringify(body))
    const headers: Record<string, string> = {
      ...(text !== undefined && { 'content-type': 'application/json' }),
      ...(token !== null && { authorization: `Bearer ${token}` }),
      ...given.headers,
    }
    const request = new Request(`http://otp.example.com${path}`, {
      method,
      headers,
      ...(text !== undefined && { body: text }),
    })
    peers.set(request, from)
    const answer = await read(await server.handle(request))
    checkAsDescribed(server, method, path, answer)
    return answer
  }
  return { ...base, ports, server, logged: () => lines.join('\n'), call }
}

/** Every answer of every test is held against the API's own description of it. */
function checkAsDescribed(server: Site['server'], method: string, path: string, answer: Answer) {
  const type = answer.headers.get('content-type') ?? ''
  if (type.startsWith('application/problem+json')) {
    expect(differences(problemSchema, answer.json)).toEqual([])
  }
  if (type !== 'application/json' || answer.status >= 300) return
  const route = server.routes.find((candidate) => {
    const pattern = new RegExp(`^${candidate.path.replace(/:[a-z_]+/g, '[^/]+')}$`)
    return candidate.method === method && pattern.test(path.split('?')[0] ?? '')
  })
  const detail = (route?.hooks as Json)?.detail
  const described = detail?.responses[answer.status]?.content?.['application/json']?.schema
  if (described) expect(differences(described, answer.json)).toEqual([])
  else expect(path).toBe('/swagger/json')
}

export async function read(answer: Response): Promise<Answer> {
  const text = await answer.text()
  const isJson = answer.headers.get('content-type')?.includes('json') === true
  const { status, headers } = answer
  return { status, headers, text, json: isJson ? JSON.parse(text) : null }
}
