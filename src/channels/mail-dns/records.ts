import { type App, mailServersOf } from '../../domain/app/app.ts'
import { type DkimKey, dkimRecord, type InDns, inDns, signingKey } from '../../domain/app/dkim.ts'
import type { Dns } from '../../domain/ports.ts'
import { isPublicAddress } from '../public-address.ts'
import { readSpf, type SpfResult } from './spf.ts'

/** A mail server that sends from the domain. */
export type Relay = {
  host: string
  /** Its addresses; null without an answer. */
  addresses: string[] | null
  /** On this machine or network, so that its address on the Internet is unknown here. */
  isInside: boolean
}

/** A DKIM key of the app, and what the DNS has at its name. */
export type KeyInDns = { key: DkimKey; found: InDns | 'unknown'; signs: boolean }

/** A DMARC policy: of the domain itself, or of the one above it that it was found at. */
export type DmarcRecords = { name: string; records: string[] | null }

/** What the DNS has for one From domain; null stands for no answer. */
export type DomainRecords = {
  appId: string
  domain: string
  relays: Relay[]
  mx: string[] | null
  addresses: string[] | null
  spf: SpfResult
  dkim: KeyInDns[]
  dmarc: DmarcRecords
}

/** Reads the records of every From domain of the app. */
export function readDomains(dns: Dns, app: App): Promise<DomainRecords[]> {
  const hosts = new Map<string, Set<string>>()
  for (const { settings } of mailServersOf(app)) {
    const domain = settings.from.slice(settings.from.lastIndexOf('@') + 1)
    hosts.set(domain, (hosts.get(domain) ?? new Set()).add(settings.host))
  }
  return Promise.all(
    [...hosts].map(async ([domain, names]) => {
      const [mx, addresses, spf, dmarc, dkim, relays] = await Promise.all([
        dns.mx(domain),
        dns.addresses(domain),
        readSpf(dns, domain),
        readDmarc(dns, domain),
        readKeys(dns, app, domain),
        Promise.all([...names].map((host) => readRelay(dns, host))),
      ])
      return { appId: app.id, domain, relays, mx, addresses, spf, dkim, dmarc }
    }),
  )
}

async function readRelay(dns: Dns, host: string): Promise<Relay> {
  const isAddress = /^[\d.]+$|:/.test(host)
  const addresses = isAddress ? [host] : await dns.addresses(host)
  // A name without an address in the DNS is known in this network only.
  const isInside =
    addresses !== null &&
    (addresses.length === 0 || addresses.some((address) => !isPublicAddress(address)))
  return { host, addresses, isInside }
}

async function readKeys(dns: Dns, app: App, domain: string): Promise<KeyInDns[]> {
  const signer = signingKey(app, `@${domain}`)
  const keys = app.dkim.filter((key) => key.domain === domain)
  return Promise.all(
    keys.map(async (key) => {
      const records = await dns.txt(dkimRecord(key).name)
      const found = records === null ? 'unknown' : inDns(key, records)
      return { key, found, signs: key.id === signer?.id }
    }),
  )
}

/** The names that are asked, from the domain up. */
const dmarcNamesMax = 8

/** The policy of the domain, or of the nearest domain above it that has one. */
async function readDmarc(dns: Dns, domain: string): Promise<DmarcRecords> {
  const labels = domain.split('.')
  for (let up = 0; up < Math.min(labels.length - 1, dmarcNamesMax); up++) {
    const name = `_dmarc.${labels.slice(up).join('.')}`
    const found = await dns.txt(name)
    const records = found?.filter((text) => /^v=DMARC1 *(;|$)/.test(text)) ?? null
    if (records === null || records.length > 0) return { name, records }
  }
  return { name: `_dmarc.${domain}`, records: [] }
}
