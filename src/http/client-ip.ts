import ipaddr from 'ipaddr.js'

type Range = ReturnType<typeof ipaddr.parseCIDR>

/**
 * Whom a limit per client counts: the peer, or, behind proxies that the operator trusts, the first
 * address from the right of X-Forwarded-For that is none of them. What stands further left was
 * written by the client. IPv6 counts by /64, the least that one customer gets (RFC 6177).
 * Requests without any address share one bucket: a missing address must not mean no limit.
 */
export function createClientIp(trustedProxies: string[]) {
  const trusted = trustedProxies.map((cidr) => ipaddr.parseCIDR(cidr))

  return (request: Request, peer: string | null): string => {
    let address = read(peer)
    if (address === null) return 'unknown'
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

function read(text: string | null): ipaddr.IPv4 | ipaddr.IPv6 | null {
  if (text === null || text.length > 64 || !ipaddr.isValid(text)) return null
  // IPv4 addresses in IPv6 clothes become themselves again.
  return ipaddr.process(text)
}

function isWithin(address: ipaddr.IPv4 | ipaddr.IPv6, ranges: Range[]): boolean {
  return ranges.some(([range, bits]) => {
    return address.kind() === range.kind() && address.match(range, bits)
  })
}

function bucket(address: ipaddr.IPv4 | ipaddr.IPv6): string {
  if (address.kind() === 'ipv4') return address.toString()
  const { parts } = address as ipaddr.IPv6
  return `${parts
    .slice(0, 4)
    .map((part) => part.toString(16))
    .join(':')}::/64`
}
