import { isTimedId } from '../id.ts'
import type { Ports } from '../ports.ts'
import { invalidField } from '../problem.ts'
import {
  foldPhone,
  maskPhone,
  mustBePhone,
  type PhoneRules,
  phoneFault,
  readPhone,
} from './phone.ts'

/** The recipient of a message. The format of an address depends on its kind. */
export type Recipient = { kind: RecipientKind; address: string }

/** How addresses of a kind are read, folded into one mailbox, and masked. */
type Kind = {
  /** What only addresses of this kind match, so that an address tells its kind. */
  form: RegExp
  /** Completes "must be ...". */
  must: string
  read(input: string): string | null
  fold(address: string): string
  mask(address: string): string
}

const kinds = {
  email: {
    form: /@/,
    must: 'one e-mail address like ada@example.com',
    read: readEmail,
    fold: foldEmail,
    mask: (address) => `${address.charAt(0)}***${address.slice(address.lastIndexOf('@'))}`,
  },
  phone: {
    form: /^\+?[\d ().-]+$/,
    must: 'one telephone number with its country code, like +4917012345678',
    read: readPhone,
    fold: foldPhone,
    mask: maskPhone,
  },
  telegram: {
    form: /^[0-9A-Za-z]{30}$/,
    must: 'the id of a Telegram recipient of this app',
    read: (input) => (isTimedId(input) ? input : null),
    fold: (id) => id,
    mask: (id) => `${id.slice(0, 4)}***`,
  },
} satisfies Record<string, Kind>

export type RecipientKind = keyof typeof kinds
export const recipientKinds = Object.keys(kinds) as RecipientKind[]

/**
 * The one recipient that the text names, normalised. Throws `invalid_request` naming `field` for
 * anything that is not exactly one address of one of these kinds. A telephone number is only read
 * here; before anything is sent to it, `allowedRecipient` judges it.
 */
export function readRecipient(
  takes: readonly RecipientKind[],
  input: unknown,
  field = 'to',
): Recipient {
  const kind = takes.find((each) => kinds[each].form.test(String(input))) ?? takes[0]
  const address = kind && typeof input === 'string' ? kinds[kind].read(input) : null
  if (!kind || address === null) {
    throw invalidField(field, `must be ${takes.map((each) => kinds[each].must).join(' or ')}`)
  }
  return { kind, address }
}

/**
 * The recipient, where the app may send to it: a telephone number must exist, in a country and of a
 * type that the app allows. Throws `invalid_request` naming `field`.
 */
export function allowedRecipient(
  { phones }: Pick<Ports, 'phones'>,
  recipient: Recipient,
  rules: PhoneRules,
  field = 'to',
): Recipient {
  if (recipient.kind !== 'phone') return recipient
  const number = phones.read(recipient.address)
  const fault = phoneFault(number, rules)
  if (number === null || fault !== null) throw invalidField(field, fault ?? mustBePhone)
  return { kind: 'phone', address: number.e164 }
}

/** The recipient of a stored address. */
export function recipientOf(address: string): Recipient {
  const kind = recipientKinds.find((each) => kinds[each].form.test(address)) ?? 'email'
  return { kind, address }
}

/**
 * The mailbox that an address most likely belongs to. For limits only, so that another spelling
 * gets no separate limit; never for identity.
 */
export function foldRecipient({ kind, address }: Recipient): string {
  return `${kind}:${kinds[kind].fold(address)}`
}

/** The address for display, without revealing it: `a***@example.com`. */
export function maskRecipient({ kind, address }: Recipient): string {
  return kinds[kind].mask(address)
}

/** RFC 5321 section 4.5.3.1: 64 octets of local part, 254 of address in a path. */
export const addressMax = 254
const localMax = 64

// `%` and `!` would make some servers relay to another host (source routes), so they are refused.
const local = /^[A-Za-z0-9#$&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9#$&'*+/=?^_`{|}~-]+)*$/
const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/

/**
 * One strict addr-spec: the local part as typed, the domain as lower-case A-labels. Quoted local
 * parts, comments, groups, display names, address literals, lists, control and non-ASCII characters
 * in the local part are refused, so that exactly one mailbox can be meant.
 */
function readEmail(input: string): string | null {
  if (input.length > addressMax) return null
  const at = input.lastIndexOf('@')
  const name = input.slice(0, at)
  if (at < 1 || name.length > localMax || !local.test(name)) return null

  const domain = readDomain(input.slice(at + 1))
  if (domain === null) return null
  const address = `${name}@${domain}`
  return address.length > addressMax ? null : address
}

/**
 * A host name of two labels or more as lower-case A-labels, or null. The runtime's URL parser does
 * the UTS-46 mapping; what it would read as an IP address or strip as syntax is refused first.
 */
export function readDomain(text: string): string | null {
  if (text.length === 0 || text.length > 253) return null
  // biome-ignore lint/suspicious/noControlCharactersInRegex: refusing them is the point
  if (/[\x00-\x20\x7f"%&'()*+,/:;<=>?@[\\\]^`{|}~#!$_]/.test(text)) return null
  if (/[\p{Cc}\p{Cf}\p{Zs}\p{Zl}\p{Zp}]/u.test(text)) return null

  const url = URL.parse(`http://${text}/`)
  if (!url) return null
  const labels = url.hostname.split('.')
  if (labels.length < 2 || url.hostname.length > 253) return null
  if (!labels.every((part) => label.test(part))) return null
  // A last label of digits only would be an IPv4 address.
  return /^[0-9]+$/.test(labels.at(-1) ?? '') ? null : url.hostname
}

const gmail = ['gmail.com', 'googlemail.com']
const proton = ['proton.me', 'protonmail.com', 'protonmail.ch', 'pm.me']
const yahoo = /^(yahoo(\.[a-z]{2,3}){1,2}|ymail\.com|rocketmail\.com|aol\.com)$/
const fastmail = /(^|\.)(fastmail\.com|fastmail\.fm)$/

/**
 * Lower case without `+tag`; dots at Gmail; dots, hyphens and underscores at Proton; `-tag` at
 * Yahoo; `anything@name.fastmail.com` is `name@fastmail.com`.
 */
function foldEmail(address: string): string {
  const at = address.lastIndexOf('@')
  const domain = address.slice(at + 1)
  const name = address.slice(0, at).toLowerCase().split('+')[0] ?? ''
  if (gmail.includes(domain)) return `${name.replaceAll('.', '')}@gmail.com`
  if (proton.includes(domain)) return `${name.replace(/[._-]/g, '')}@proton.me`
  if (yahoo.test(domain)) return `${name.split('-')[0]}@${domain}`
  const service = fastmail.exec(domain)?.[2]
  if (service === undefined) return `${name}@${domain}`
  const user = domain.slice(0, -service.length - 1)
  return user === '' ? `${name}@${service}` : `${user.split('.').at(-1)}@${service}`
}
