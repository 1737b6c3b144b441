import type { EmailChannel, SmtpSecurity } from './app.ts'
import { readName } from './app.ts'
import { type FieldError, Problem } from './problem.ts'
import { readDomain, readRecipient } from './recipient.ts'

/** A mail server as it came in: anything may stand in any field, what is absent stays as it is. */
export type MailInput = { [Field in keyof MailNames]?: unknown }

/** How the caller calls the fields, so that a mistake is reported under the name that was sent. */
export type MailNames = Record<
  'host' | 'port' | 'security' | 'user' | 'password' | 'from' | 'fromName',
  string
>

export const emailNames: MailNames = {
  host: 'email.host',
  port: 'email.port',
  security: 'email.security',
  user: 'email.user',
  password: 'email.password',
  from: 'email.from',
  fromName: 'email.from_name',
}

type Endpoint = Omit<EmailChannel, 'passwordSealed'>

/** The channel without its password; the password to seal, `keep` the one there is, or none. */
export type MailSettings = { endpoint: Endpoint; password: { set: string } | 'keep' | 'none' }

/** Submission ports (RFC 6409, RFC 8314), relay, and the customary alternative. */
const publicPorts = [25, 465, 587, 2525]

/**
 * Lays `input` over the channel there is. Where host, port, security or user change, the password
 * has to come again (`password_required`): it is never carried to another server.
 * What is wrong is added to `mistakes`; null when anything is.
 */
export function readMailSettings(request: {
  input: MailInput
  names: MailNames
  current: EmailChannel | null
  publicOnly: boolean
  now: number
  mistakes: FieldError[]
}): MailSettings | null {
  const { names, current, publicOnly, now, mistakes } = request
  const input: MailInput = { ...keptFields(current, request.input), ...given(request.input) }
  const before = mistakes.length
  const read = reader(input, names, mistakes)

  const host = read('host', 'must be a host name or an IP address', readHost)
  const port = publicOnly
    ? read('port', 'must be one of 25, 465, 587 and 2525', readPublicPort)
    : read('port', 'must be a whole number from 1 to 65535', readPort)
  const usual: SmtpSecurity = port === 465 ? 'tls' : 'starttls'
  const security = read('security', securityReason(publicOnly), (value) =>
    value === undefined ? usual : readSecurity(value, publicOnly),
  )
  const from = address(input.from, names.from, mistakes)
  const user = read('user', 'must be 1 to 256 characters without control characters', (value) =>
    value === undefined ? (from ?? undefined) : value === null ? null : readText(value, 256),
  )
  const fromName = displayName(input.fromName, names.fromName, mistakes)
  if (mistakes.length > before) return null

  const endpoint = { host, port, security, user, from, fromName, publicOnly, updatedAt: now }
  const password = readPassword(request, endpoint as Endpoint)
  return password === null ? null : { endpoint: endpoint as Endpoint, password }
}

function readPassword(
  { input, names, current, mistakes }: Parameters<typeof readMailSettings>[0],
  endpoint: Endpoint,
): MailSettings['password'] | null {
  const refuse = (reason: string) => {
    mistakes.push({ field: names.password, reason })
    return null
  }
  const given = input.password
  if (typeof given === 'string') {
    if (endpoint.user === null) return refuse('needs a user')
    if (readText(given, 1024) !== undefined) return { set: given }
  }
  if (given !== undefined && given !== null) {
    return refuse('must be 1 to 1024 characters without control characters')
  }
  if (endpoint.user === null) return 'none'
  if (given === null) return refuse('cannot be empty while there is a user')
  if (!current?.passwordSealed) return refuse('is missing')
  const moved = (['host', 'port', 'security', 'user'] as const).some(
    (field) => endpoint[field] !== current[field],
  )
  if (moved) throw new Problem('password_required')
  return 'keep'
}

/** Reads one field or notes what is wrong with it; `undefined` from `parse` means wrong. */
function reader(input: MailInput, names: MailNames, mistakes: FieldError[]) {
  return <Value>(
    field: keyof MailNames,
    reason: string,
    parse: (value: unknown) => Value | undefined,
  ): Value | undefined => {
    const value = parse(input[field])
    if (value === undefined) {
      const missing = input[field] === undefined
      // Without a `from` there is no user by default either: one mistake, not two.
      if (!(missing && field === 'user')) {
        mistakes.push({ field: names[field], reason: missing ? 'is missing' : reason })
      }
    }
    return value
  }
}

/**
 * A host name as lower-case A-labels, one label included (`localhost`, `smtp`), or an IP literal in
 * its usual spelling. Whatever a resolver might read as an address in disguise is refused.
 */
export function readHost(value: unknown): string | undefined {
  if (typeof value !== 'string' || value.length > 253) return undefined
  const text = value.trim().toLowerCase()
  if (/^[0-9a-f:.]*:[0-9a-f:.]*$/.test(text)) {
    return URL.parse(`http://[${text}]/`)?.hostname.slice(1, -1)
  }
  if (/^(\d{1,3}\.){3}\d{1,3}$/.test(text)) {
    return URL.parse(`http://${text}/`)?.hostname === text ? text : undefined
  }
  if (/^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/.test(text)) return text
  return readDomain(text) ?? undefined
}

function readPort(value: unknown): number | undefined {
  return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 65_535
    ? Number(value)
    : undefined
}

function readPublicPort(value: unknown): number | undefined {
  return publicPorts.includes(Number(value)) ? readPort(value) : undefined
}

function readSecurity(value: unknown, publicOnly: boolean): SmtpSecurity | undefined {
  if (value === 'tls' || value === 'starttls') return value
  return value === 'none' && !publicOnly ? value : undefined
}

function securityReason(publicOnly: boolean): string {
  return publicOnly ? 'must be "tls" or "starttls"' : 'must be "tls", "starttls" or "none"'
}

function readText(value: unknown, most: number): string | undefined {
  if (typeof value !== 'string' || value.length < 1 || value.length > most) return undefined
  return /\p{Cc}/u.test(value) ? undefined : value
}

function address(value: unknown, field: string, mistakes: FieldError[]): string | null {
  return collected(mistakes, () => readRecipient(value, field))
}

function displayName(value: unknown, field: string, mistakes: FieldError[]): string | null {
  if (value === undefined || value === null) return null
  return collected(mistakes, () => readName(value, field))
}

/** Runs a reader that throws and keeps what it says is wrong. */
export function collected<Value>(mistakes: FieldError[], read: () => Value): Value | null {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof Problem) || !error.extra.errors) throw error
    mistakes.push(...error.extra.errors)
    return null
  }
}

/** Another port may mean another kind of TLS, so it asks for the usual one again. */
function keptFields(current: EmailChannel | null, input: MailInput): MailInput {
  if (!current) return {}
  const { host, port, security, user, from, fromName } = current
  return { host, port, user, from, fromName, ...(input.port === undefined && { security }) }
}

function given(input: MailInput): MailInput {
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined))
}
