import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { eventually, finished } from '../support/executable.ts'
import { freePort } from '../support/port.ts'
import { type Certificate, makeCertificate } from '../support/smtp.ts'
import { cachedTool, succeeded } from '../support/tool-cache.ts'

const here = import.meta.dir

/** The gateways by the names that they have in the world. */
export const hosts = {
  twilio: 'api.twilio.com',
  vonage: 'rest.nexmo.com',
  sns: 'sns.eu-central-1.amazonaws.com',
  whatsapp: 'graph.facebook.com',
  telegram_gateway: 'gatewayapi.telegram.org',
} as const
export type Peer = keyof typeof hosts

/** A request as a gateway has seen it. */
export type Asked = { method: string; path: string; headers: Headers; body: string }
type Reply = { status: number; body: string } | 'never'
export type Script = (asked: Asked) => Reply | Promise<Reply>

export type Peers = {
  certificate: Certificate
  /** The port of each one's server on loopback. */
  port(peer: Peer): number
  /** What each one was asked, the newest last. */
  asked: Record<Peer, Asked[]>
  /** Answers in place of the usual ones until `reset`. */
  script(peer: Peer, answer: Script): void
  reset(): void
  close(): Promise<void>
}

/**
 * Starts the gateways: for Twilio prism, which judges requests by Twilio's OpenAPI document, for
 * Amazon SNS moto; the others answer as their documentation says.
 */
export async function startPeers(): Promise<Peers> {
  const certificate = makeCertificate(Object.values(hosts))
  const [prism, moto] = await Promise.all([startPrism(), startMoto()])
  const usual: Record<Peer, Script> = {
    twilio: (asked) => pass(prism.port, asked),
    sns: (asked) => pass(moto.port, asked, hosts.sns),
    vonage: () => json(200, { 'message-count': '1', messages: [{ status: '0', to: '49' }] }),
    whatsapp: () => json(200, { messaging_product: 'whatsapp', messages: [{ id: 'wamid.1' }] }),
    telegram_gateway: () => json(200, { ok: true, result: { request_id: 'r-1' } }),
  }
  const scripts = { ...usual }
  const asked = noneAsked()
  const servers = new Map(
    (Object.keys(hosts) as Peer[]).map((peer) => {
      const server = Bun.serve({
        port: 0,
        hostname: '127.0.0.1',
        idleTimeout: 60,
        tls: { key: certificate.key, cert: certificate.cert },
        async fetch(request) {
          const { pathname, search } = new URL(request.url)
          const { method, headers } = request
          const one = { method, path: pathname + search, headers, body: await request.text() }
          asked[peer].push(one)
          const reply = await scripts[peer](one)
          if (reply === 'never') return new Promise<Response>(() => {})
          return new Response(reply.body, { status: reply.status })
        },
      })
      return [peer, server] as const
    }),
  )
  return {
    certificate,
    asked,
    port: (peer) => servers.get(peer)?.port ?? 0,
    script(peer, answer) {
      scripts[peer] = answer
    },
    reset() {
      Object.assign(scripts, usual)
      for (const list of Object.values(asked)) list.length = 0
    },
    async close() {
      for (const server of servers.values()) await server.stop(true)
      await Promise.all([prism.close(), moto.close()])
      certificate.remove()
    },
  }
}

export function json(status: number, body: unknown): Reply {
  return { status, body: JSON.stringify(body) }
}

function noneAsked(): Record<Peer, Asked[]> {
  return { twilio: [], vonage: [], sns: [], whatsapp: [], telegram_gateway: [] }
}

/** Asks a server on loopback in place of the gateway. */
async function pass(port: number, asked: Asked, host?: string): Promise<Reply> {
  const headers = new Headers(asked.headers)
  headers.delete('accept-encoding')
  if (host === undefined) headers.delete('host')
  else headers.set('host', host)
  const answer = await fetch(`http://127.0.0.1:${port}${asked.path}`, {
    method: asked.method,
    headers,
    ...(asked.method === 'POST' && { body: asked.body }),
  })
  return { status: answer.status, body: await answer.text() }
}

/** Installs the npm packages of this folder as its bun.lock has them; their folder. */
export async function installPackages(): Promise<string> {
  const install = [process.execPath, 'install', '--frozen-lockfile', '--ignore-scripts']
  succeeded(install, await finished(install, environment(), { cwd: here }))
  return join(here, 'node_modules')
}

async function startPrism() {
  const packages = await installPackages()
  const document = join(packages, '@twilio-alpha/mcp/twilio-oai/spec/json/twilio_api_v2010.json')
  const program = join(packages, '@stoplight/prism-cli/dist/index.js')
  const port = freePort()
  const command = [process.execPath, program, 'mock', '--port', String(port), document]
  return serve(command, port, 'is listening')
}

/** Python with the packages of requirements.txt, in an environment that is made on first use. */
export async function python(): Promise<string> {
  const requirements = join(here, 'requirements.txt')
  const hash = Bun.hash(readFileSync(requirements, 'utf8')).toString(16)
  const venv = await cachedTool(`gateways-${hash}`, async (draft) => {
    const make = ['python3', '-m', 'venv', draft]
    succeeded(make, await finished(make, environment()))
    const pip = [join(draft, 'bin/python'), '-m', 'pip', 'install', '--quiet', '-r', requirements]
    succeeded(pip, await finished(pip, environment()))
  })
  return join(venv, 'bin/python')
}

export async function startMoto() {
  const port = freePort()
  const at = ['-H', '127.0.0.1', '-p', String(port)]
  return serve([await python(), '-m', 'moto.server', ...at], port, 'Running on')
}

/** Starts a server and waits for its first line. */
async function serve(command: string[], port: number, ready: string) {
  const child = Bun.spawn(command, {
    env: environment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  const read = async (stream: ReadableStream<Uint8Array>) => {
    for await (const chunk of stream) said += Buffer.from(chunk).toString()
  }
  void read(child.stdout)
  void read(child.stderr)
  await eventually(() => said.includes(ready) || child.exitCode !== null, startMs)
  if (!said.includes(ready)) throw new Error(`${command.join(' ')} did not start:\n${said}`)
  return {
    port,
    async close() {
      child.kill('SIGKILL')
      await child.exited
    },
  }
}

const startMs = 60_000

/** The environment of the tests, which names the package sources, but without colours. */
function environment(): Record<string, string> {
  const { FORCE_COLOR: _, ...outside } = process.env as Record<string, string>
  return { ...outside, NO_COLOR: '1', PIP_DISABLE_PIP_VERSION_CHECK: '1' }
}
