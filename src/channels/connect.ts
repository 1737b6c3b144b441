import { connect, type Socket } from 'node:net'
import type { Timers } from '../domain/ports.ts'

/** The next address is tried in parallel after this time (RFC 8305). */
const staggerMs = 250

export function failure(code: string): Error & { code: string } {
  return Object.assign(new Error(code), { code })
}

/**
 * Connects to the first address that answers: they are tried in turn, each after a delay or when the
 * one before has failed. Rejects with an error whose `code` is EDNS (no address), ETIMEDOUT, EABORT
 * or ESOCKET, the last with an `originalCode`.
 */
export function connectFirst(
  { addresses, port, maxMs }: { addresses: string[]; port: number; maxMs: number },
  timers: Pick<Timers, 'after'>,
  signal: AbortSignal,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const waiting = [...addresses]
    const dialled = new Set<Socket>()
    let cancelNext = () => {}
    let last: Error = failure('EDNS')

    const end = (socket: Socket | null, error: Error) => {
      cancelNext()
      cancelLate()
      signal.removeEventListener('abort', onAbort)
      for (const other of dialled) if (other !== socket) other.destroy()
      if (socket) resolve(socket)
      else reject(error)
    }
    const cancelLate = timers.after(maxMs, () => end(null, failure('ETIMEDOUT')))
    const onAbort = () => end(null, failure('EABORT'))
    signal.addEventListener('abort', onAbort)

    const next = () => {
      cancelNext()
      const host = waiting.shift()
      if (host === undefined) return
      const socket = connect({ host, port })
      dialled.add(socket)
      socket.once('connect', () => {
        socket.removeAllListeners('error')
        end(socket, last)
      })
      // Kept on the other sockets, so that their later errors are not thrown.
      socket.on('error', ({ code: originalCode }: { code?: string }) => {
        last = Object.assign(failure('ESOCKET'), { originalCode })
        dialled.delete(socket)
        if (waiting.length > 0) next()
        else if (dialled.size === 0) end(null, last)
      })
      if (waiting.length > 0) cancelNext = timers.after(staggerMs, next)
    }
    next()
  })
}
