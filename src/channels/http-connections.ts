import { isIP, type Socket } from 'node:net'
import tls from 'node:tls'
import type { HttpFault } from '../domain/http-out.ts'
import type { Timers } from '../domain/ports.ts'
import { connectFirst, failure } from './connect.ts'
import type { Destination, HttpEgress } from './http-egress.ts'

export type Connection = {
  socket: Socket
  /** Scheme, name and port: a connection serves no other name at the same address. */
  origin: string
  /** When its address was judged, in monotonic ms. */
  openedAt: number
}

export type Connections = {
  /** A connection that was kept, or a new one to an address that was just judged. */
  take(url: URL, signal: AbortSignal): Promise<Connection | HttpFault['fault']>
  /** Keeps a connection for the next request to the same origin. */
  keep(connection: Connection): void
}

type Options = { timers: Pick<Timers, 'after' | 'monotonic'>; egress: HttpEgress }

/** The longest time until a connection with TLS is there, without the question to the DNS. */
const connectMaxMs = 5_000
/** Servers close what was not used for 2 s or more; a request that meets that is ambiguous. */
export const idleMaxMs = 1_500
/** An address is judged again, and looked up, after so long. */
export const ageMaxMs = 60_000
/** The most connections that are kept, of all origins; those unused for longest end first. */
export const keptMax = 100

export function createConnections({ timers, egress }: Options): Connections {
  /** Unused ones with what ends their time, those unused for longest first. */
  const kept = new Map<Connection, () => void>()

  const end = (connection: Connection) => {
    release(connection)
    connection.socket.destroy()
  }
  /** Forgets a kept connection; false when it is not kept any more. */
  const release = (connection: Connection): boolean => {
    kept.get(connection)?.()
    return kept.delete(connection)
  }
  const keptFor = (origin: string): Connection | null => {
    const found = [...kept.keys()].findLast((each) => each.origin === origin)
    return found && release(found) ? found : null
  }
  return {
    async take(url, signal) {
      const old = keptFor(url.origin)
      if (old) return old
      const destination = await orStopped(egress(url), signal)
      if (typeof destination === 'string') return destination
      const openedAt = timers.monotonic()
      try {
        const socket = await open(destination, timers, signal)
        return { socket, origin: url.origin, openedAt }
      } catch (error) {
        return faultOf(error)
      }
    },
    keep(connection) {
      const { socket, openedAt } = connection
      const isOld = timers.monotonic() - openedAt > ageMaxMs
      if (isOld || socket.destroyed || !socket.writable) return void socket.destroy()
      const onEnd = () => end(connection)
      // Also what is not the answer to any request ends it.
      const events = ['end', 'close', 'error', 'data'] as const
      for (const event of events) socket.on(event, onEnd)
      const cancelIdle = timers.after(idleMaxMs, onEnd)
      kept.set(connection, () => {
        cancelIdle()
        for (const event of events) socket.off(event, onEnd)
      })
      const [oldest] = kept.keys()
      if (kept.size > keptMax && oldest) end(oldest)
    },
  }
}

/** The result, or `timeout` once the signal is given. */
function orStopped<Result>(
  work: Promise<Result>,
  signal: AbortSignal,
): Promise<Result | 'timeout'> {
  return new Promise((resolve, reject) => {
    const stop = () => resolve('timeout')
    signal.addEventListener('abort', stop)
    if (signal.aborted) stop()
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}

async function open(
  destination: Destination,
  timers: Pick<Timers, 'after'>,
  signal: AbortSignal,
): Promise<Socket> {
  const { isTls, addresses, port } = destination
  const socket = await connectFirst({ addresses, port, maxMs: connectMaxMs }, timers, signal)
  socket.setNoDelay(true)
  return isTls ? secure(socket, destination.host, timers, signal) : socket
}

/** TLS 1.2 or newer with a certificate for this host, whatever the environment says. */
function secure(
  socket: Socket,
  host: string,
  timers: Pick<Timers, 'after'>,
  signal: AbortSignal,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const secured = tls.connect({
      socket,
      host,
      // An address is no server name (RFC 6066 section 3).
      ...(isIP(host) === 0 && { servername: host }),
      ALPNProtocols: ['http/1.1'],
      minVersion: 'TLSv1.2',
      rejectUnauthorized: true,
    })
    const settle = (error: Error | null) => {
      cancelLate()
      signal.removeEventListener('abort', onAbort)
      secured.removeAllListeners()
      if (!error) return resolve(secured)
      // What still comes is not thrown.
      secured.on('error', () => {})
      secured.destroy()
      reject(error)
    }
    const onAbort = () => settle(failure('EABORT'))
    const cancelLate = timers.after(connectMaxMs, () => settle(failure('ETIMEDOUT')))
    signal.addEventListener('abort', onAbort)
    secured.once('secureConnect', () => settle(null))
    secured.once('error', settle)
    secured.once('close', () => settle(failure('ESOCKET')))
  })
}

function faultOf(error: unknown): HttpFault['fault'] {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code === 'ETIMEDOUT' || code === 'EABORT') return 'timeout'
  return /CERT|^UNABLE_TO_|HOSTNAME_MISMATCH/.test(code) ? 'certificate' : 'unreachable'
}
