import ipaddr from 'ipaddr.js'

type Address = ipaddr.IPv4 | ipaddr.IPv6
type Range = ReturnType<typeof ipaddr.parseCIDR>

/** The client's address, as limits count it and the log names it. */
export type ClientAddress = {
  /** IPv4 whole, IPv6 by its /64; `unknown` without an address. */
  name: string
  /** The IPv6 /48 around it; null for anything else. */
  wide: string | null
}

/**
 * Finds the client of a request: the peer, or, behind trusted proxies, the first address from the
 * right of X-Forwarded-For that is none of them, because a client can write what is further left. A
 * /64 is the least that one IPv6 customer gets, a /48 the most (RFC 6177). Requests without an
 * address share one bucket, so that they are limited too.
 */
export function createClientIp(trustedProxies: string[]) {
  const trusted = trustedProxies.map((cidr) => ipaddr.parseCIDR(cidr))

  return (request: Request, peer: string | null): ClientAddress => {
    let address = read(peer)
    if (address === null) return { name: 'unknown', wide: null }
    if (!isWithin(address, trusted)) return bucket(address)

    const header = request.headers.get('x-forwarded-for') ?? ''
    const hops = header.length > 2048 ? [] : header.split(',').reverse()
    for (const hop of hops) {
      const next = read(hop.trim())
      if (next === null) break
      address = next
      if (!isWithin(address, trusted)) break
    }
    return bucket(address)
  }
}

/** Converts IPv4-mapped IPv6 to IPv4. */
function read(text: string | null): Address | null {
  if (text === null || text.length > 64 || !ipaddr.isValid(text)) return null
  return ipaddr.process(text)
}

function isWithin(address: Address, ranges: Range[]): boolean {
  return ranges.some(([range, bits]) => {
    return address.kind() === range.kind() && address.match(range, bits)
  })
}

function bucket(address: Address): ClientAddress {
  if (address.kind() === 'ipv4') return { name: address.toString(), wide: null }
  const { parts } = address as ipaddr.IPv6
  const prefix = (count: number) => {
    const shown = parts.slice(0, count).map((part) => part.toString(16))
    return `${shown.join(':')}::/${count * 16}`
  }
  return { name: prefix(4), wide: prefix(3) }
}
