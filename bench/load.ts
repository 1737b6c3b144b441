import { join } from 'node:path'
import type { Pending } from './seed.ts'

/** One request as wrk.lua reads it: path, tab, body, and for wrk also a tab and a key. */
export type Line = string

/** A start for each of `count` new recipients; `more` are further fields of the body. */
export function startLines(
  name: string,
  count: number,
  more: { ttl_seconds?: number; channel?: string } = {},
) {
  return Array.from({ length: count }, (_, index): Line => {
    const body = JSON.stringify({ to: `person-${index}@${name}.example`, ...more })
    return `/v1/verifications\t${body}`
  })
}

/**
 * Checks as the default allows them, five for each verification: four wrong codes, then the right
 * one. The checks of one verification are a thousand requests apart.
 */
export function checkLines(pending: Pending[]): Line[] {
  const lines: Line[] = []
  for (let from = 0; from < pending.length; from += 1000) {
    const some = pending.slice(from, from + 1000)
    for (let attempt = 0; attempt < 5; attempt++) {
      for (const { id, code } of some) {
        const typed = attempt < 4 ? wrong(code, attempt) : code
        lines.push(`/v1/verifications/${id}/check\t{"code":"${typed}"}`)
      }
    }
  }
  return lines
}

function wrong(code: string, attempt: number): string {
  return code.slice(0, -1) + ((Number(code.slice(-1)) + 1 + attempt) % 10)
}

export type WrkJob = {
  url: string
  authorization: string
  /** More than can be used in the time. */
  lines: Line[]
  /** The file of the requests for wrk. */
  directory: string
  connections: number
  seconds: number
  header?: string
}

export type WrkResult = { perSecond: number; p50: number; p99: number; requests: number }

/** Sends as fast as possible with one thread of wrk; any answer but 2xx ends the run. */
export async function wrk(job: WrkJob): Promise<WrkResult> {
  const { url, lines, authorization, connections, seconds, header } = job
  const requests = join(job.directory, 'requests.txt')
  await Bun.write(requests, lines.join('\n'))
  const script = join(import.meta.dir, 'wrk.lua')
  const flags = ['-t1', `-c${connections}`, `-d${seconds}`, '--timeout', '30s', '-s', script]
  const args = [requests, `Bearer ${authorization}`, ...(header === undefined ? [] : [header])]
  const child = Bun.spawn(['wrk', ...flags, url, '--', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const text = await new Response(child.stdout).text()
  const line = text.split('\n').find((candidate) => candidate.startsWith('{'))
  if (!line) throw new Error(`wrk said: ${text}${await new Response(child.stderr).text()}`)
  const found = JSON.parse(line)
  if (found.refused > 0 || found.broken > 0) {
    throw new Error(`${found.refused} refused and ${found.broken} broken of ${found.requests}`)
  }
  const { p50, p99 } = found
  return { perSecond: found.requests / found.seconds, p50, p99, requests: found.requests }
}

export type Answer = { status: number; retryAfterSeconds: number; body: string }

/** A client with keep-alive connections that reads every answer; further requests wait. */
export type Client = { post(line: Line): Promise<Answer>; close(): void }

type Exchange = { request: string; resolve(answer: Answer): void; reject(error: Error): void }
type Connection = { text: string; exchange: Exchange | null; usedAt: number }

/** Servers close connections that are idle for longer, in ms. */
const idleMs = 4_000

export type ClientOptions = {
  url: string
  authorization: string
  connections: number
  header?: string
}

export function openClient(options: ClientOptions): Client {
  const { hostname, port } = new URL(options.url)
  const headers =
    ' HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n' +
    `Authorization: Bearer ${options.authorization}\r\n` +
    (options.header ? `${options.header}\r\n` : '')
  const idle: Bun.Socket<Connection>[] = []
  const waiting: Exchange[] = []
  let open = 0
  let isClosed = false

  const begin = (socket: Bun.Socket<Connection>, exchange: Exchange) => {
    socket.data.exchange = exchange
    socket.data.usedAt = performance.now()
    socket.write(exchange.request)
  }
  const dial = (exchange: Exchange) => {
    open++
    const handler: Bun.SocketHandler<Connection> = {
      open: (socket) => begin(socket, exchange),
      data(socket, chunk) {
        const connection = socket.data
        connection.text += chunk.toString('latin1')
        const answer = readAnswer(connection.text)
        if (!answer || !connection.exchange) return
        connection.text = ''
        connection.exchange.resolve(answer)
        connection.exchange = null
        const next = waiting.shift()
        if (next) begin(socket, next)
        else idle.push(socket)
      },
      close(socket) {
        open--
        const index = idle.indexOf(socket)
        if (index >= 0) idle.splice(index, 1)
        if (!isClosed) socket.data.exchange?.reject(new Error('the server closed a connection'))
      },
    }
    const data: Connection = { text: '', exchange: null, usedAt: 0 }
    Bun.connect({ hostname, port: Number(port), data, socket: handler }).catch(exchange.reject)
  }
  /** An idle connection that the server will not close yet. */
  const takeIdle = () => {
    const socket = idle.pop()
    if (!socket || performance.now() - socket.data.usedAt < idleMs) return socket
    // Those below were used even earlier.
    for (const old of [socket, ...idle.splice(0)]) old.end()
    return undefined
  }
  return {
    post(line) {
      const [path = '', body = ''] = line.split('\t')
      const request = `POST ${path}${headers}Content-Length: ${body.length}\r\n\r\n${body}`
      return new Promise<Answer>((resolve, reject) => {
        const exchange = { request, resolve, reject }
        const socket = takeIdle()
        if (socket) begin(socket, exchange)
        else if (open < options.connections) dial(exchange)
        else waiting.push(exchange)
      })
    },
    close() {
      isClosed = true
      for (const socket of idle) socket.end()
    },
  }
}

/** Null while the answer is incomplete. */
function readAnswer(text: string): Answer | null {
  const headEnd = text.indexOf('\r\n\r\n')
  if (headEnd < 0) return null
  const head = text.slice(0, headEnd)
  const body = text.slice(headEnd + 4)
  if (body.length < header(head, 'content-length')) return null
  const retryAfterSeconds = header(head, 'retry-after')
  return { status: Number(head.slice(9, 12)), retryAfterSeconds, body }
}

function header(head: string, name: string): number {
  return Number(new RegExp(`^${name}: *(\\d+)`, 'im').exec(head)?.[1] ?? 0)
}

export function isBacklog({ status, body }: Answer): boolean {
  return status === 503 && body.includes('"delivery_backlog"')
}

/**
 * Sends every start until it is accepted: one that is refused because of the backlog is repeated at
 * the time of the answer. Returns how many were refused the first time.
 */
export async function startAll(client: Client, lines: Line[]): Promise<number> {
  const lateAt = performance.now() + 300_000
  let refused = 0
  const start = async (line: Line) => {
    for (let tries = 1; ; tries++) {
      const answer = await client.post(line)
      if (answer.status === 201) return
      if (!isBacklog(answer) || performance.now() > lateAt) throw unexpected(answer)
      if (tries === 1) refused++
      await Bun.sleep(answer.retryAfterSeconds * 1000)
    }
  }
  await Promise.all(lines.map(start))
  return refused
}

export type Flooded = { accepted: number; refused: number }

type Flood = {
  workers: number
  /** How long a worker waits after a refusal because of the backlog, given `Retry-After`. */
  waitMs(retryAfterSeconds: number): number
  isOver(accepted: number): boolean
}

/** Sends starts as fast as so many workers can. */
export async function flood(
  client: Client,
  name: string,
  { workers, waitMs, isOver }: Flood,
): Promise<Flooded> {
  const done = { accepted: 0, refused: 0 }
  let sent = 0
  const work = async () => {
    while (!isOver(done.accepted)) {
      const body = `{"to":"person-${sent++}@${name}.example"}`
      const answer = await client.post(`/v1/verifications\t${body}`)
      if (answer.status === 201) {
        done.accepted++
        continue
      }
      if (!isBacklog(answer)) throw unexpected(answer)
      done.refused++
      const ms = waitMs(answer.retryAfterSeconds)
      if (ms > 0) await Bun.sleep(ms)
    }
  }
  await Promise.all(Array.from({ length: workers }, work))
  return done
}

function unexpected({ status, body }: Answer): Error {
  return new Error(`a request was answered ${status}: ${body}`)
}

export type Pace = { client: Client; lines: Line[]; perSecond: number }
export type Paced = { latencies: number[]; refused: number }

/**
 * Sends at a fixed rate, independent of the answers. A latency, in ms, is measured from when the
 * request was due, so that a stall counts for every request in it. `refused` counts starts that
 * were refused because of the backlog.
 */
export async function pace({ client, lines, perSecond }: Pace): Promise<Paced> {
  const paced: Paced = { latencies: [], refused: 0 }
  const open: Promise<void>[] = []
  const begunAt = performance.now()
  const send = async (line: Line, dueAt: number) => {
    const answer = await client.post(line)
    if (isBacklog(answer)) paced.refused++
    else if (answer.status < 300) paced.latencies.push(performance.now() - dueAt)
    else throw unexpected(answer)
  }
  for (const [index, line] of lines.entries()) {
    const dueAt = begunAt + (index * 1000) / perSecond
    while (performance.now() < dueAt) await Bun.sleep(1)
    open.push(send(line, dueAt))
  }
  await Promise.all(open)
  return paced
}
