import type { App } from '../../domain/app/app.ts'
import { dkimRecord, tagsOf } from '../../domain/app/dkim.ts'
import type { Dns, DnsFinding } from '../../domain/ports.ts'
import { type DomainRecords, type Relay, readDomains } from './records.ts'
import { allows, type Spf } from './spf.ts'

/**
 * What the DNS says about the From domain of each mail server of the app: whether mail can come back
 * (MX), whether the server may send (SPF), who signs (DKIM), and what becomes of mail that neither
 * covers (DMARC).
 */
export async function adviseMailDns({ dns }: { dns: Dns }, app: App): Promise<DnsFinding[]> {
  const domains = await readDomains(dns, app)
  return domains.flatMap(adviseDomain)
}

export function adviseDomain(records: DomainRecords): DnsFinding[] {
  return [
    mxFinding(records),
    ...spfFindings(records),
    ...dkimFindings(records),
    dmarcFinding(records),
  ]
}

type Say = Omit<DnsFinding, 'domain' | 'check'>
type Rest = { next?: string; record?: DnsFinding['record'] }

function say(status: DnsFinding['status'], detail: string, rest: Rest = {}): Say {
  return { status, detail, next: rest.next ?? null, record: rest.record ?? null }
}

const silent = say('warning', 'the DNS did not answer', { next: 'try again' })

function mxFinding({ domain, mx, addresses }: DomainRecords): DnsFinding {
  const place = { domain, check: 'mx' } as const
  if (mx === null || addresses === null) return { ...place, ...silent }
  const [host] = mx
  if (host === '' || host === '.') {
    const next = 'name a server that takes mail: some servers refuse a sender who takes none'
    return { ...place, ...say('warning', `${domain} takes no mail (null MX)`, { next }) }
  }
  if (host !== undefined) return { ...place, ...say('ok', `mail to ${domain} goes to ${host}`) }
  if (addresses.length > 0) {
    return { ...place, ...say('ok', `${domain} has no MX record; mail goes to its address`) }
  }
  const next = 'add an MX record: bounces find no way back, and some servers refuse such a sender'
  return { ...place, ...say('warning', `${domain} takes no mail: no MX, no address`, { next }) }
}

function spfFindings({ domain, spf, relays }: DomainRecords): DnsFinding[] {
  const place = { domain, check: 'spf' } as const
  const record = {
    name: domain,
    type: 'TXT',
    value: `v=spf1 ${relays.map(termFor).join(' ')} ~all`,
  }
  if (spf.state === 'unknown') return [{ ...place, ...silent }]
  if (spf.state === 'none') {
    const next = `add one${relays.some(isUnknown) ? unknownAddress : ''}`
    return [{ ...place, ...say('warning', `${domain} has no SPF record`, { next, record }) }]
  }
  if (spf.state === 'broken') {
    const next = 'correct it: a broken record counts as none, or against the mail'
    return [{ ...place, ...say('failed', `the SPF record ${spf.why}`, { next }) }]
  }
  const read = spf.spf
  if (read.all === '+') {
    const next = 'end it with "~all" or "-all"'
    return [{ ...place, ...say('warning', 'the SPF record lets everybody send', { next }) }]
  }
  return relays.map((relay) => ({ ...place, ...spfOfRelay(read, relay) }))
}

function spfOfRelay(spf: Spf, relay: Relay): Say {
  const { host, addresses } = relay
  const term = termFor(relay)
  if (covers(spf, relay)) return say('ok', `the SPF record covers ${host}`)
  if (isUnknown(relay)) {
    const detail = `the SPF record (${spf.lookups} look-ups) cannot be compared: ${host} is on this network`
    return say('ok', `${detail}; it must name the public address that mail leaves from`)
  }
  if (addresses === null)
    return say('warning', `${host} has no address in the DNS`, { next: 'try again' })
  const isProvider = providerOf(host) !== undefined
  const detail = `the SPF record does not cover ${host}`
  const next = isProvider
    ? `add "${term}" to it, before "all"`
    : `add "${term}" to it, before "all", or what your provider names for mail from your domain`
  return say(isProvider && spf.all === '-' ? 'failed' : 'warning', detail, { next })
}

/** Providers whose mail leaves from other addresses than it is handed in at. */
const providers: [RegExp, string][] = [
  [/^(smtp|smtp-relay|smtp-mail)\.(gmail|google)\.com$/, '_spf.google.com'],
  [/^smtp(\.|-mail\.)?(office365|outlook)\.com$/, 'spf.protection.outlook.com'],
]

function providerOf(host: string): string | undefined {
  return providers.find(([pattern]) => pattern.test(host))?.[1]
}

/** Its address on the Internet is not known here. */
function isUnknown({ host, isInside }: Relay): boolean {
  return isInside && providerOf(host) === undefined
}

const unknownAddress = ', with the public address of the machine that the mail leaves from'

/** The term of an SPF record that lets this server send. */
function termFor(relay: Relay): string {
  const provider = providerOf(relay.host)
  if (provider !== undefined) return `include:${provider}`
  if (isUnknown(relay)) return 'ip4:PUBLIC_ADDRESS'
  if (/^[\d.]+$/.test(relay.host)) return `ip4:${relay.host}`
  return relay.host.includes(':') ? `ip6:${relay.host}` : `a:${relay.host}`
}

function covers(spf: Spf, relay: Relay): boolean {
  const provider = providerOf(relay.host)
  if (provider !== undefined) return spf.includes.some((name) => name.toLowerCase() === provider)
  if (isUnknown(relay)) return false
  const { addresses } = relay
  return addresses !== null && addresses.length > 0 && addresses.every((one) => allows(spf, one))
}

function dkimFindings({ appId, domain, dkim, relays }: DomainRecords): DnsFinding[] {
  const place = { domain, check: 'dkim' } as const
  if (dkim.length > 0) {
    return dkim.map(({ key, found, signs }) => {
      const record = dkimRecord(key)
      return { ...place, ...dkimOfKey(record, { appId, found, signs }) }
    })
  }
  const next = `or sign here: "otpmint dkim add ${appId} --domain ${domain}"`
  if (relays.some(isUnknown)) {
    const detail = `no key signs for ${domain} here`
    return [
      { ...place, ...say('warning', detail, { next: `have your mail server sign, ${next}` }) },
    ]
  }
  const detail = `signing is left to ${relays.map(({ host }) => host).join(', ')}`
  return [{ ...place, ...say('ok', detail) }]
}

function dkimOfKey(
  record: ReturnType<typeof dkimRecord>,
  { appId, found, signs }: Omit<DomainRecords['dkim'][number], 'key'> & { appId: string },
): Say {
  const check = `run "otpmint dkim check ${appId}"`
  if (found === 'unknown') return silent
  if (found === 'found') {
    if (signs) return say('ok', `${record.name} is in the DNS, and its key signs`)
    const detail = `${record.name} is in the DNS, and its key does not sign`
    return say('warning', detail, { next: `${check}, or remove an old key` })
  }
  const what = found === 'missing' ? 'is not in the DNS' : 'is another record in the DNS'
  if (signs) {
    const detail = `${record.name} ${what}, and its key signs: signatures are wrong`
    return say('failed', detail, { next: `publish it, then ${check}`, record })
  }
  const next = `publish it, then ${check}`
  return say('warning', `${record.name} ${what}; its key does not sign`, { next, record })
}

/** What is asked of a receiver for mail that fails, by policy. */
const fates: Record<string, string> = {
  none: 'is only reported',
  quarantine: 'goes to the spam folder',
  reject: 'is refused',
}

function dmarcFinding(records: DomainRecords): DnsFinding {
  const { domain, dmarc } = records
  const place = { domain, check: 'dmarc' } as const
  const found = dmarc.records
  if (found === null) return { ...place, ...silent }
  const [text, ...more] = found
  if (text === undefined) {
    const record = { name: `_dmarc.${domain}`, type: 'TXT', value: 'v=DMARC1; p=none' }
    const next = 'add one: large mailbox providers ask for it'
    return { ...place, ...say('warning', `${domain} has no DMARC record`, { next, record }) }
  }
  if (more.length > 0) {
    const detail = `${dmarc.name} has ${found.length} DMARC records, so that none counts`
    return { ...place, ...say('failed', detail, { next: 'remove all but one' }) }
  }
  const tags = tagsOf(text)
  const own = dmarc.name === `_dmarc.${domain}`
  const policy = (own ? tags.get('p') : (tags.get('sp') ?? tags.get('p')))?.toLowerCase()
  if (policy === undefined || !Object.hasOwn(fates, policy)) {
    const detail = `the DMARC record at ${dmarc.name} has no policy`
    return { ...place, ...say('failed', detail, { next: 'give it p=none, quarantine or reject' }) }
  }
  return { ...place, ...alignment(records, policy) }
}

/** Whether SPF or DKIM vouch for the From domain, which is also the domain of the envelope. */
function alignment({ domain, spf, relays, dkim }: DomainRecords, policy: string): Say {
  const bySpf = spf.state === 'read' && relays.every((relay) => covers(spf.spf, relay))
  const byDkim = dkim.some(({ signs, found }) => signs && found === 'found')
  const ways = [...(byDkim ? ['DKIM'] : []), ...(bySpf ? ['SPF'] : [])].join(' and ')
  const fate = fates[policy]
  if (ways !== '') return say('ok', `${ways} vouch for ${domain}; mail that fails ${fate}`)
  const detail = `whether SPF or DKIM vouch for ${domain} depends on the mail server`
  if (policy === 'none') return say('ok', `${detail}; mail that fails ${fate}`)
  const next = 'let it sign with this domain, or sign here, or put its address into the SPF record'
  return say('warning', `${detail}, and mail that fails ${fate}`, { next })
}
