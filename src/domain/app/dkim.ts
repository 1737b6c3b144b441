import { type Field, isWithin } from '../field.ts'
import type { SealPlace } from '../keyring.ts'
import { readDomain } from '../verification/recipient.ts'

/** An RSA key that signs an app's mail from one domain (RFC 6376). */
export type DkimKey = {
  id: string
  /** The domain of From addresses, as lower-case A-labels. */
  domain: string
  selector: string
  /** Base64 of the DER (SubjectPublicKeyInfo), as DNS has it. */
  publicKey: string
  /** Bound to the app, the domain and the selector. */
  privateSealed: Uint8Array
  /** Since when the DNS has the key; null until a check finds it there. */
  foundAt: number | null
  createdAt: number
}

/** Base64 of the DER: SubjectPublicKeyInfo and PKCS#8. */
export type DkimPair = { publicKey: string; privateKey: string }

/** Keys of an app: a few domains, and two of one while a key is replaced. */
export const dkimKeysMax = 10
/** A PEM file of 4096 bits has 3,300 characters. */
export const pemMax = 8_192

type DkimField = Field & { wire: string }

/** The fields that a key is made from. */
export const dkimFields = {
  domain: {
    type: 'text',
    min: 3,
    // So that the name of the record fits in a DNS name with any selector.
    max: 178,
    must: 'a domain like example.com',
    wire: 'domain',
    says: 'The domain of the From address, exactly as it stands after the @.',
  },
  selector: {
    type: 'text',
    min: 1,
    max: 63,
    must: '1 to 63 lower-case letters, digits, hyphens and dots',
    wire: 'selector',
    says: 'The first part of the name of the DNS record; chosen by the server if absent.',
  },
  privateKey: {
    type: 'text',
    min: 1,
    max: pemMax,
    must: 'an RSA private key of 2048 to 4096 bits in PEM, without a passphrase',
    wire: 'private_key',
    says: 'An RSA key in PEM, without a passphrase; made by the server if absent. Write-only.',
  },
} as const satisfies Record<string, DkimField>

/** The domain as lower-case A-labels; undefined for anything else. */
export function readDkimDomain(value: unknown): string | undefined {
  if (!isWithin(dkimFields.domain, value)) return undefined
  const domain = readDomain(String(value).trim().replace(/\.$/, ''))
  return domain !== null && isWithin(dkimFields.domain, domain) ? domain : undefined
}

const label = '[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?'
const labels = new RegExp(`^${label}(\\.${label})*$`)

export function readSelector(value: unknown): string | undefined {
  if (!isWithin(dkimFields.selector, value)) return undefined
  return labels.test(String(value)) ? String(value) : undefined
}

/** The TXT record that publishes a key. */
export function dkimRecord({
  domain,
  selector,
  publicKey,
}: Pick<DkimKey, 'domain' | 'selector' | 'publicKey'>) {
  const value = `v=DKIM1; k=rsa; p=${publicKey}`
  return { name: `${selector}._domainkey.${domain}`, type: 'TXT', value }
}

/**
 * What the DNS has at the record's name. `other`: another key, a revoked one, several records
 * (RFC 6376 section 3.6.2.2 leaves undefined which counts) or one that is not for SHA-256 or mail.
 */
export type InDns = 'found' | 'missing' | 'other'

export function inDns({ publicKey }: Pick<DkimKey, 'publicKey'>, records: string[]): InDns {
  const [record, ...more] = records
  if (record === undefined) return 'missing'
  const tags = tagsOf(record)
  const allows = (tag: string, value: string) => {
    const words = tags.get(tag)?.split(':')
    return words === undefined || words.includes(value) || words.includes('*')
  }
  const isRight =
    more.length === 0 &&
    (tags.get('v') ?? 'DKIM1') === 'DKIM1' &&
    (tags.get('k') ?? 'rsa') === 'rsa' &&
    tags.get('p') === publicKey &&
    allows('h', 'sha256') &&
    allows('s', 'email')
  return isRight ? 'found' : 'other'
}

/** The tags of a DKIM or DMARC record, `tag=value; ...`, without white space in the values. */
export function tagsOf(record: string): Map<string, string> {
  return new Map(
    record.split(';').flatMap((part) => {
      const at = part.indexOf('=')
      if (at < 0) return []
      return [[part.slice(0, at).trim(), part.slice(at + 1).replace(/\s/g, '')] as const]
    }),
  )
}

/** The key that signs mail from this address: the newest of its domain that the DNS has. */
export function signingKey({ dkim }: { dkim: DkimKey[] }, from: string): DkimKey | null {
  const domain = from.slice(from.lastIndexOf('@') + 1)
  let newest: DkimKey | null = null
  for (const key of dkim) {
    if (key.domain !== domain || key.foundAt === null) continue
    if (newest === null || key.createdAt >= newest.createdAt) newest = key
  }
  return newest
}

/** The place that a private key is bound to: one domain and one selector of one app. */
export function dkimPlace({ id, domain, selector }: Omit<DkimKey, 'privateSealed'>): SealPlace {
  return {
    table: 'dkim_keys',
    row: id,
    column: 'private_sealed',
    binding: `${domain}\0${selector}`,
  }
}
