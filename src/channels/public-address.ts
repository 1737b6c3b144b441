import ipaddr from 'ipaddr.js'

/** IANA's special-purpose registries, and what tunnels or translates to an IPv4 address. */
const isSpecial = createRanges([
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '::/128',
  '::1/128',
  '::ffff:0:0/96',
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '100::/64',
  '2001::/23',
  '2001:db8::/32',
  '2002::/16',
  '3fff::/20',
  'fc00::/7',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
])

/** All of IPv4, and the only block that global IPv6 unicast is given from (RFC 4291 section 2.4). */
const isUnicast = createRanges(['0.0.0.0/0', '2000::/3'])

/** Whether an address can be reached from the whole internet; false for any other text. */
export function isPublicAddress(text: string): boolean {
  return isUnicast(text) && !isSpecial(text)
}

/** Tells whether an address is in one of these CIDR ranges. Another spelling of it is another one. */
export function createRanges(cidrs: string[]): (text: string) => boolean {
  const ranges = cidrs.map((cidr) => ipaddr.parseCIDR(cidr))
  return (text) => {
    if (!isAddress(text)) return false
    const address = ipaddr.parse(text)
    return ranges.some(
      ([range, bits]) => range.kind() === address.kind() && address.match(range, bits),
    )
  }
}

/** One of the usual spellings: four decimal parts, or IPv6 without a zone. */
function isAddress(text: string): boolean {
  if (text.includes('%')) return false
  return ipaddr.IPv4.isValidFourPartDecimal(text) || ipaddr.IPv6.isValid(text)
}
