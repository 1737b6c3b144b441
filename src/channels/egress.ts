import type { Dns, Egress } from '../domain/ports.ts'
import { readDomain } from '../domain/verification/recipient.ts'
import { isPublicAddress } from './public-address.ts'

export type Reached =
  | { reach: 'public'; addresses: string[] }
  | { reach: 'not_public' }
  | { reach: 'unknown' }

export type MailEgress = Egress & {
  /** Resolves and checks in one step, so that the addresses to dial are the checked ones. */
  publicAddresses(host: string): Promise<Reached>
}

/**
 * Limits where mail of an openly registered app may go: to a name in the public DNS all of whose
 * addresses are global. An address in place of a name is never public here.
 */
export function createEgress({ dns }: { dns: Pick<Dns, 'addresses'> }): MailEgress {
  const publicAddresses = async (host: string): Promise<Reached> => {
    const name = readDomain(host)
    if (name === null || isLocalName(name)) return { reach: 'not_public' }
    const addresses = await dns.addresses(name)
    // A missing answer might have a private address, so it is not public.
    if (addresses === null || addresses.length === 0) return { reach: 'unknown' }
    if (!addresses.every(isPublicAddress)) return { reach: 'not_public' }
    return { reach: 'public', addresses }
  }
  return {
    publicAddresses,
    reach: async (host) => (await publicAddresses(host)).reach,
  }
}

/** Names that are answered inside a network (RFC 6761, RFC 8375, ICANN's `internal`). */
export function isLocalName(name: string): boolean {
  return /(^|\.)(localhost|local|internal|localdomain|lan|intranet|corp|home|home\.arpa)$/.test(
    name,
  )
}
