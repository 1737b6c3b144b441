import ipaddr from 'ipaddr.js'
import type { Dns } from '../../domain/ports.ts'

/** RFC 7208 section 4.6.4: terms that need the DNS, and hosts of one `mx`. */
const lookupsMax = 10
const mxMax = 10

type Term =
  | { kind: 'all'; qualifier: string }
  | { kind: 'redirect'; domain: string }
  | { kind: 'include'; domain: string; qualifier: string }
  | { kind: 'exists'; domain: string; qualifier: string }
  | { kind: 'a' | 'mx' | 'ptr'; domain: string | null; lengths: Lengths; qualifier: string }
  | { kind: 'ip'; network: string; qualifier: string }

type Lengths = { ip4: number; ip6: number }

/** What an SPF record (RFC 7208) allows, with everything that it includes. */
export type Spf = {
  record: string
  /** Networks that pass, in CIDR notation. */
  networks: string[]
  /** The domains whose records it includes, directly or not. */
  includes: string[]
  lookups: number
  /** The qualifier of `all`: `-`, `~`, `?` or `+`; null without one. */
  all: string | null
  /** True when a part depends on the message, so that more may pass than is listed. */
  hasMacros: boolean
}

export type SpfResult =
  | { state: 'none' }
  | { state: 'unknown' }
  /** `why` completes "the SPF record ...". */
  | { state: 'broken'; why: string }
  | { state: 'read'; spf: Spf }

/** Reads the SPF record of a domain and what it includes; asks the DNS at most 10 times and a bit. */
export async function readSpf(dns: Dns, domain: string): Promise<SpfResult> {
  const reading: Reading = { dns, lookups: 0, networks: [], includes: [], hasMacros: false }
  try {
    const top = await recordOf(reading, domain)
    if (top === null) return { state: 'none' }
    const { all } = await walk(reading, domain, top)
    const { networks, includes, lookups, hasMacros } = reading
    return { state: 'read', spf: { record: top, networks, includes, lookups, all, hasMacros } }
  } catch (error) {
    if (error instanceof Broken) return { state: 'broken', why: error.message }
    if (error instanceof Silent) return { state: 'unknown' }
    throw error
  }
}

/** Whether the address is in a network that passes. */
export function allows({ networks }: Pick<Spf, 'networks'>, address: string): boolean {
  if (!ipaddr.isValid(address)) return false
  const parsed = ipaddr.process(address)
  return networks.some((network) => {
    const [range, bits] = ipaddr.parseCIDR(network)
    return range.kind() === parsed.kind() && parsed.match(range, bits)
  })
}

class Broken extends Error {}
class Silent extends Error {}

type Reading = Pick<Spf, 'lookups' | 'networks' | 'includes' | 'hasMacros'> & { dns: Dns }

async function recordOf({ dns }: Reading, domain: string): Promise<string | null> {
  const records = answered(await dns.txt(domain)).filter((text) => /^v=spf1( |$)/i.test(text))
  if (records.length > 1) throw new Broken(`stands ${records.length} times at ${domain}`)
  return records[0] ?? null
}

async function walk(
  reading: Reading,
  domain: string,
  record: string,
): Promise<{ all: string | null }> {
  let all: string | null = null
  let redirect: string | null = null
  for (const text of record.trim().split(/ +/).slice(1)) {
    const term = termOf(text)
    if (term === null) continue
    if (term === undefined)
      throw new Broken(`of ${domain} has "${text.slice(0, 60)}", which is no term`)
    if (term.kind === 'all') {
      all = term.qualifier
      break
    }
    if (term.kind === 'redirect') redirect = term.domain
    else await take(reading, domain, term)
  }
  if (all !== null || redirect === null) return { all }
  return include(reading, redirect)
}

async function include(reading: Reading, domain: string): Promise<{ all: string | null }> {
  count(reading)
  if (domain.includes('%')) {
    reading.hasMacros = true
    return { all: null }
  }
  const record = await recordOf(reading, domain)
  if (record === null) throw new Broken(`includes ${domain}, which has none`)
  reading.includes.push(domain)
  return walk(reading, domain, record)
}

async function take(
  reading: Reading,
  domain: string,
  term: Exclude<Term, { kind: 'all' } | { kind: 'redirect' }>,
): Promise<void> {
  const { networks, dns } = reading
  const passes = term.qualifier === '+'
  if (term.kind === 'ip') {
    if (passes) networks.push(term.network)
    return
  }
  if (term.kind === 'include') {
    if (passes) await include(reading, term.domain)
    else count(reading)
    return
  }
  count(reading)
  const target = term.domain ?? domain
  if (term.kind === 'exists' || term.kind === 'ptr' || target.includes('%')) {
    reading.hasMacros = true
    return
  }
  const hosts = term.kind === 'mx' ? answered(await dns.mx(target)).slice(0, mxMax) : [target]
  for (const host of hosts) {
    const addresses = answered(await dns.addresses(host))
    if (passes) networks.push(...addresses.map((address) => networkOf(address, term.lengths)))
  }
}

function count(reading: Reading): void {
  reading.lookups++
  if (reading.lookups <= lookupsMax) return
  throw new Broken(`needs more than ${lookupsMax} look-ups, so that it counts as broken`)
}

function answered<Value>(answer: Value | null): Value {
  if (answer === null) throw new Silent()
  return answer
}

function networkOf(address: string, { ip4, ip6 }: Lengths): string {
  return `${address}/${address.includes(':') ? ip6 : ip4}`
}

const host = '[A-Za-z0-9_.%{}+=,/-]+?'
const withDomain = new RegExp(`^(include|exists):(${host})$`, 'i')
const withHost = new RegExp(`^(a|mx|ptr)(?::(${host}))?(?:/(\\d{1,2}))?(?://(\\d{1,3}))?$`, 'i')

/** One term; null for a modifier without a meaning here, undefined for none. */
function termOf(text: string): Term | null | undefined {
  const modifier = /^([A-Za-z][A-Za-z0-9_.-]*)=(.*)$/.exec(text)
  if (modifier) {
    const [, name = '', value = ''] = modifier
    if (name.toLowerCase() !== 'redirect') return null
    return value === '' ? undefined : { kind: 'redirect', domain: value }
  }
  const [, sign = '', mechanism = ''] = /^([+?~-]?)(.*)$/.exec(text) ?? []
  const qualifier = sign === '' ? '+' : sign
  if (mechanism.toLowerCase() === 'all') return { kind: 'all', qualifier }
  const [, kind, domain] = withDomain.exec(mechanism) ?? []
  if (kind !== undefined && domain !== undefined) {
    return { kind: kind.toLowerCase() as 'include' | 'exists', domain, qualifier }
  }
  return hostTerm(mechanism, qualifier) ?? ipTerm(mechanism, qualifier)
}

function hostTerm(mechanism: string, qualifier: string): Term | undefined {
  const [whole, kind = '', domain, ip4, ip6] = withHost.exec(mechanism) ?? []
  const lengths = { ip4: Number(ip4 ?? 32), ip6: Number(ip6 ?? 128) }
  if (whole === undefined || lengths.ip4 > 32 || lengths.ip6 > 128) return undefined
  const name = kind.toLowerCase() as 'a' | 'mx' | 'ptr'
  return { kind: name, domain: domain ?? null, lengths, qualifier }
}

function ipTerm(mechanism: string, qualifier: string): Term | undefined {
  const [, version, address = '', length] =
    /^ip([46]):([^/]+)(?:\/(\d{1,3}))?$/i.exec(mechanism) ?? []
  const isRight =
    version === '4'
      ? ipaddr.IPv4.isValidFourPartDecimal(address)
      : version === '6' && ipaddr.IPv6.isValid(address) && !address.includes('%')
  const bits = Number(length ?? (version === '4' ? 32 : 128))
  if (!isRight || bits > (version === '4' ? 32 : 128)) return undefined
  return { kind: 'ip', network: `${address}/${bits}`, qualifier }
}
