import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import type { Dns } from '../domain/ports.ts'
import { isLocalName } from './egress.ts'
import { createRanges, isPublicAddress } from './public-address.ts'

/** Where a URL leads: its addresses are judged, so these and no others are dialled. */
export type Destination = {
  isTls: boolean
  /** Whom the certificate must be for: a name, or an address. */
  host: string
  port: number
  addresses: string[]
}

export type HttpEgress = (url: URL) => Promise<Destination | 'not_public' | 'unknown_host'>

type Options = {
  dns: Pick<Dns, 'addresses'>
  /** CIDR ranges that may be reached though they are not public. */
  allow: string[]
  /** The text of /etc/hosts. */
  readHosts?: () => string
}

/** Where everybody may be reached; other ports lead to allowed addresses only. */
const publicPorts = [443, 8443]

/**
 * Limits where requests may go: by https to a name or an address that is public, on two ports. A name
 * with one address that is not public is not public. Within the allowed ranges also by http, to any
 * port, and to a name that /etc/hosts has.
 */
export function createHttpEgress({ dns, allow, readHosts = systemHosts }: Options): HttpEgress {
  const isAllowed = createRanges(allow)

  const addressesOf = async (host: string): Promise<string[] | null> => {
    if (isIP(host) !== 0) return [host]
    const here = allow.length === 0 ? [] : namedIn(readHosts(), host).filter(isAllowed)
    return here.length > 0 ? here : dns.addresses(host)
  }
  return async (url) => {
    const place = placeOf(url)
    if (place === null || (allow.length === 0 && !place.mayPublic)) return 'not_public'
    const { isTls, host, port, mayPublic } = place
    const addresses = await addressesOf(host)
    if (addresses === null) return 'unknown_host'
    if (addresses.length === 0) return isInside(host) ? 'not_public' : 'unknown_host'
    const mayAll = addresses.every(isAllowed)
    const isRight = (address: string) => isAllowed(address) || isPublicAddress(address)
    if (!mayAll && !(mayPublic && addresses.every(isRight))) return 'not_public'
    return { isTls, host, port, addresses }
  }
}

/** Tells of a URL, without the DNS, whether it could lead anywhere with these allowed ranges. */
export function createReach(allow: string[]): (text: string) => boolean {
  const isAllowed = createRanges(allow)
  return (text) => {
    const url = URL.parse(text)
    const place = url && placeOf(url)
    if (!place) return false
    const { host, mayPublic } = place
    if (isIP(host) === 0) return mayPublic || allow.length > 0
    return isAllowed(host) || (mayPublic && isPublicAddress(host))
  }
}

type Place = Omit<Destination, 'addresses'> & {
  /** It could be reached at a public address. */
  mayPublic: boolean
}

/** Null for a URL that never leads anywhere. */
function placeOf({ protocol, username, password, hostname, port: given }: URL): Place | null {
  const isTls = protocol === 'https:'
  if ((!isTls && protocol !== 'http:') || username !== '' || password !== '') return null
  const host = hostname.replace(/^\[(.*)\]$/, '$1')
  if (isIP(host) === 0 && !isName(host)) return null
  const port = Number(given || (isTls ? 443 : 80))
  const mayPublic = isTls && publicPorts.includes(port) && !isInside(host)
  return { isTls, host, port, mayPublic }
}

/** A host name in lower-case A-labels, as the URL parser leaves it; no dot at the end. */
function isName(host: string): boolean {
  return /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/.test(host)
}

/** A name that only the network inside knows. */
function isInside(host: string): boolean {
  return isIP(host) === 0 && (!host.includes('.') || isLocalName(host))
}

/** The addresses that a hosts file has for a name (hosts(5)). */
function namedIn(hosts: string, host: string): string[] {
  return hosts.split('\n').flatMap((line) => {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/)
    return names.some((name) => name.toLowerCase() === host) ? [address] : []
  })
}

function systemHosts(): string {
  try {
    return readFileSync('/etc/hosts', 'utf8')
  } catch {
    // A container may have none.
    return ''
  }
}
