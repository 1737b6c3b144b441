import { promises as dns } from 'node:dns'
import { isIP, type Socket } from 'node:net'
import type { Timers } from '../../domain/ports.ts'
import { connectFirst, failure } from '../connect.ts'
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

/**
 * Connects to a mail server. Addresses are looked up for every connection and, for an openly
 * registered app, checked to be public, so that a later change of the DNS reaches no internal server.
 * Rejects with an error that has a `code`.
 */
export async function dial(
  { settings: { host, port }, registeredBy }: MailServer,
  network: MailNetwork,
  signal: AbortSignal,
): Promise<Socket> {
  const addresses = await addressesOf(host, registeredBy, network)
  if (signal.aborted) throw failure('EABORT')
  return connectFirst({ addresses, port, maxMs: connectTimeoutMs }, network.timers, signal)
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
  return isIP(host) === 0 ? lookUp(host, timers) : [host]
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
