import { type IncomingMessage, request as startRequest } from 'node:http'
import { mayBegin } from '../domain/delivery/lease.ts'
import type { HttpAnswer, HttpFault, HttpOut, HttpRequest } from '../domain/http-out.ts'
import type { Dns, Timers } from '../domain/ports.ts'
import { type Connection, createConnections } from './http-connections.ts'
import { createHttpEgress } from './http-egress.ts'

/** The longest time until the end of the answer where a request says nothing, in ms. */
export const httpMaxMs = 10_000
/** The longest time between two pieces of an answer. */
export const silenceMaxMs = 3_000
/** The longest answer that is read, in bytes; its head has a limit of its own. */
export const answerBytesMax = 64 * 1024
const headBytesMax = 16 * 1024

type Options = {
  timers: Pick<Timers, 'after' | 'monotonic'>
  dns: Pick<Dns, 'addresses'>
  /** CIDR ranges that may be reached though they are not public. */
  egressAllow: string[]
}

/**
 * Makes requests to where the egress allows it, on connections of our own: the runtime's would resolve
 * names itself, obey the proxies of the environment, and not tell what was sent. Redirects are
 * answers; nothing is compressed; what is too long or too late ends the request.
 */
export function createHttpOut({ timers, dns, egressAllow }: Options): HttpOut {
  const egress = createHttpEgress({ dns, allow: egressAllow })
  const connections = createConnections({ timers, egress })
  return async (request) => {
    const url = URL.parse(request.url)
    if (!url) return { fault: 'unknown_host', isSent: false }
    const controller = new AbortController()
    const stop = () => controller.abort()
    const cancelLate = timers.after(request.maxMs ?? httpMaxMs, stop)
    request.signal?.addEventListener('abort', stop)
    if (request.signal?.aborted) stop()
    let taken: Connection | HttpFault['fault'] | null = null
    try {
      taken = await connections.take(url, controller.signal)
      if (typeof taken === 'string') return { fault: taken, isSent: false }
      const may = mayBegin(request.lease, timers.monotonic())
      const isMine = may === true || (await may)
      // It may have been stopped while a connection was looked for, or before.
      if (!isMine || controller.signal.aborted) {
        connections.keep(taken)
        return { fault: 'timeout', isSent: false }
      }
      const { answer, mayKeep } = await exchange(taken, url, request, { timers, controller })
      if (mayKeep) connections.keep(taken)
      else taken.socket.destroy()
      return answer
    } catch {
      // A header that is none: nothing was sent.
      if (taken !== null && typeof taken !== 'string') taken.socket.destroy()
      return { fault: 'unreachable', isSent: false }
    } finally {
      cancelLate()
      request.signal?.removeEventListener('abort', stop)
    }
  }
}

type Exchanged = { answer: HttpAnswer | HttpFault; mayKeep: boolean }
type Limits = { timers: Pick<Timers, 'after'>; controller: AbortController }

/** Sends one request on a connection that is open, and reads its answer. */
function exchange(
  { socket }: Connection,
  url: URL,
  request: HttpRequest,
  { timers, controller: { signal } }: Limits,
): Promise<Exchanged> {
  return new Promise((resolve) => {
    const { method, body } = request
    const sending = startRequest({
      createConnection: () => socket,
      ...{ method, host: url.hostname, path: `${url.pathname}${url.search}` },
      setHost: false,
      maxHeaderSize: headBytesMax,
      headers: headersOf(url, request),
    })
    let isOver = false
    const end = (answer: HttpAnswer | HttpFault, mayKeep: boolean) => {
      if (isOver) return
      isOver = true
      signal.removeEventListener('abort', onAbort)
      if (!mayKeep) sending.destroy()
      resolve({ answer, mayKeep })
    }
    const fail = (fault: HttpFault['fault']) => end({ fault, isSent: true }, false)
    const onAbort = () => fail('timeout')
    signal.addEventListener('abort', onAbort)
    sending.on('error', ({ code }: { code?: string }) => {
      fail(code === 'HPE_HEADER_OVERFLOW' ? 'too_long' : 'unreachable')
    })
    sending.on('close', () => fail('unreachable'))
    sending.on('response', (response) => {
      readBody(response, timers, (read) => {
        if ('fault' in read) return fail(read.fault)
        const mayKeep = sending.shouldKeepAlive && sending.writableFinished
        end(answerOf(response, read.text), mayKeep)
      })
    })
    sending.end(body)
  })
}

function headersOf(url: URL, { headers, body }: HttpRequest): Record<string, string | number> {
  return {
    'user-agent': 'OtpMint',
    ...headers,
    host: url.host,
    connection: 'keep-alive',
    // Without compression a short answer is short in memory too.
    'accept-encoding': 'identity',
    ...(body !== undefined && { 'content-length': Buffer.byteLength(body) }),
  }
}

type Read = { text: string } | { fault: HttpFault['fault'] }

/** Calls back in the turn in which the answer ends, since the request closes after it. */
function readBody(
  response: IncomingMessage,
  timers: Pick<Timers, 'after'>,
  end: (read: Read) => void,
): void {
  const chunks: Buffer[] = []
  let length = 0
  let cancelSilence = () => {}
  const done = (read: Read) => {
    cancelSilence()
    end(read)
  }
  const wait = () => {
    cancelSilence = timers.after(silenceMaxMs, () => done({ fault: 'timeout' }))
  }
  wait()
  response.on('data', (chunk: Buffer) => {
    cancelSilence()
    length += chunk.length
    if (length > answerBytesMax) return done({ fault: 'too_long' })
    chunks.push(chunk)
    wait()
  })
  response.on('end', () => done({ text: Buffer.concat(chunks).toString() }))
  response.on('error', () => done({ fault: 'unreachable' }))
  response.on('close', () => done({ fault: 'unreachable' }))
}

function answerOf(response: IncomingMessage, body: string): HttpAnswer {
  const headers = new Headers()
  for (const [name, values] of Object.entries(response.headersDistinct)) {
    for (const value of values ?? []) headers.append(name, value)
  }
  return { status: response.statusCode ?? 0, body, headers, retryAfterMs: retryAfterOf(headers) }
}

/** RFC 9110 section 10.2.3: seconds, or a time, which is compared with the server's own clock. */
function retryAfterOf(headers: Headers): number | null {
  const text = headers.get('retry-after') ?? ''
  if (/^\d{1,6}$/.test(text)) return Number(text) * 1000
  const wait = Date.parse(text) - Date.parse(headers.get('date') ?? '')
  return wait >= 0 && wait < 1e9 ? wait : null
}
