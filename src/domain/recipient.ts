import { invalidField } from './problem.ts'

/** RFC 5321 section 4.5.3.1: 64 octets of local part, 254 of address in a path. */
const addressMax = 254
const localMax = 64

const local = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/
const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/

/**
 * One strict addr-spec, normalised: the local part as typed, the domain as lower-case A-labels.
 * Quoted local parts, comments, groups, display names, address literals, lists, control and
 * non-ASCII characters in the local part are refused, so that exactly one mailbox can be meant.
 * Throws `invalid_request` naming `field`.
 */
export function readRecipient(input: unknown, field = 'to'): string {
  const address = parse(input)
  if (address === null) throw invalidField(field, 'must be one e-mail address like ada@example.com')
  return address
}

function parse(input: unknown): string | null {
  if (typeof input !== 'string' || input.length > addressMax) return null
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
  // A last label of digits only is an IPv4 address or nothing at all.
  return /^[0-9]+$/.test(labels.at(-1) ?? '') ? null : url.hostname
}

/**
 * The mailbox that an address most likely ends in: lower case, no `+tag`, no dots at Gmail. For
 * limits only: one person must not get more by spelling differently. Never for identity.
 */
export function foldRecipient(address: string): string {
  const at = address.lastIndexOf('@')
  const domain = address.slice(at + 1)
  const name = address.slice(0, at).toLowerCase().split('+')[0] ?? ''
  const gmail = domain === 'gmail.com' || domain === 'googlemail.com'
  return gmail ? `${name.replaceAll('.', '')}@gmail.com` : `${name}@${domain}`
}

/** What an app may show of an address without giving it away: `a***@example.com`. */
export function maskRecipient(address: string): string {
  return `${address.charAt(0)}***${address.slice(address.lastIndexOf('@'))}`
}
