import { promises as dns } from 'node:dns'
import net from 'node:net'
import type { Timers } from '../../domain/ports.ts'
import type { MailEgress } from '../egress.ts'
import type { MailServer } from './mail-job.ts'
import { notPublicCode } from './smtp-advice.ts'
import type { Transcript } from './transcript.ts'

export type MailNetwork = {
  egress: MailEgress
  timers: Timers
  /** PEM certificates trusted besides the system's and those of NODE_EXTRA_CA_CERTS. */
  ca?: string[]
  /** Filled by the test of a mail server. */
  transcript?: Transcript
}

/** nodemailer's own time limits are minutes, longer than a code may live. */
export const connectTimeoutMs = 8_000
const dnsTimeoutMs = 4_000
/** The next address is tried in parallel after this time (RFC 8305). */
const staggerMs = 250

/**
 * Connects to a mail server. Addresses are looked up for every connection and, for an openly
 * registered app, checked to be public, so that a later change of the DNS reaches no internal server.
 * Rejects with an error that has a `code`.
 */
export async function dial(
  { settings: { host, port }, registeredBy }: MailServer,
  network: MailNetwork,
  signal: AbortSignal,
): Promise<net.Socket> {
  const addresses = await addressesOf(host, registeredBy, network)
  if (signal.aborted) throw failure('EABORT')
  return firstToAnswer(addresses, port, network.timers, signal)
}

export function failure(code: string): Error & { code: string } {
  return Object.assign(new Error(code), { code })
}

async function addressesOf(
  host: string,
  registeredBy: MailServer['registeredBy'],
  { egress, timers }: MailNetwork,
): Promise<string[]> {
  if (registeredBy === 'open') {
    const reached = await egress.publicAddresses(host)
    if (reached.reach === 'public') return reached.addresses
    throw failure(reached.reach === 'unknown' ? 'EDNS' : notPublicCode)
  }
  return net.isIP(host) === 0 ? lookUp(host, timers) : [host]
}

/** Resolves as the system does, with /etc/hosts. Rejects with EDNS. */
export function lookUp(host: string, timers: Timers): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const cancel = timers.after(dnsTimeoutMs, () => reject(failure('EDNS')))
    dns
      .lookup(host, { all: true })
      .then((found) => {
        if (found.length === 0) throw failure('EDNS')
        resolve(found.map(({ address }) => address))
      })
      .catch(() => reject(failure('EDNS')))
      .finally(cancel)
  })
}

/** Tries the addresses in turn, each after a delay or when the one before has failed. */
function firstToAnswer(
  addresses: string[],
  port: number,
  timers: Timers,
  signal: AbortSignal,
): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const waiting = [...addresses]
    const dialled = new Set<net.Socket>()
    let cancelNext = () => {}
    let last: Error = failure('EDNS')

    const end = (socket: net.Socket | null, error: Error) => {
      cancelNext()
      cancelLate()
      signal.removeEventListener('abort', onAbort)
      for (const other of dialled) if (other !== socket) other.destroy()
      if (socket) resolve(socket)
      else reject(error)
    }
    const cancelLate = timers.after(connectTimeoutMs, () => end(null, failure('ETIMEDOUT')))
    const onAbort = () => end(null, failure('EABORT'))
    signal.addEventListener('abort', onAbort)

    const next = () => {
      cancelNext()
      const host = waiting.shift()
      if (host === undefined) return
      const socket = net.connect({ host, port })
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
