import { isWithin, mustBe } from '../field.ts'
import type { Ports } from '../ports.ts'
import { collected, type FieldError } from '../problem.ts'
import { readRecipient } from '../verification/recipient.ts'
import { readName } from './app.ts'
import { given, type ReadSettings, type SettingsReading } from './endpoint-fields.ts'
import { isLoopback, readHost } from './host.ts'
import {
  type SmtpField,
  type SmtpInput,
  type SmtpNames,
  type SmtpSecurity,
  type SmtpSettings,
  smtpFields,
  smtpSecurities,
} from './smtp-fields.ts'
import { readLogin, type SmtpCurrent } from './smtp-login.ts'

/** An SMTP server to change (null for a new one), and the fields to change in it. */
type Reading = Omit<SettingsReading, 'input' | 'names' | 'current'> & {
  input: SmtpInput
  names: SmtpNames
  current: SmtpCurrent | null
}

/** Submission ports (RFC 6409, RFC 8314) and the customary alternative. */
const publicPorts = [465, 587, 2525]

/**
 * Merges `input` into the current settings. A change of anything that says where the secret goes
 * needs it again (`secret_required`). Adds what is wrong to `mistakes`; null when anything is.
 */
export function readSmtpSettings(
  ports: Pick<Ports, 'pem'>,
  reading: Reading,
): ReadSettings<SmtpSettings> | null {
  const { names, current, registeredBy, mistakes } = reading
  const input: SmtpInput = { ...keptFields(current, reading.input), ...given(reading.input) }
  const before = mistakes.length
  const isStranger = registeredBy === 'open'
  const read = reader(input, names, mistakes)

  const host = read('host', readHost)
  const port = isStranger
    ? read('port', readPublicPort, 'must be one of 465, 587 and 2525')
    : read('port', within('port'))
  const security = read(
    'security',
    (value) => {
      return value === undefined ? usualSecurity(host, port) : readSecurity(value, isStranger, host)
    },
    isStranger
      ? 'must be "tls" or "starttls"'
      : 'must be "tls", "starttls" or "none" ("opportunistic" is for loopback only)',
  )
  const from = collected(mistakes, () => {
    return readRecipient(['email'], input.from, names.from).address
  })
  const user = read('user', (value) => {
    if (value === null && !isStranger) return null
    return value === undefined ? (from ?? undefined) : within<string>('user')(value)
  })
  const auth = read('auth', (value) => (value === undefined ? 'password' : within('auth')(value)))
  const name = input.fromName ?? null
  const fromName = name === null ? null : collected(mistakes, () => readName(name, names.fromName))
  const ca = read('ca', (value) => {
    if (value === undefined || value === null) return null
    const text = within<string>('ca')(value)
    return text !== undefined && ports.pem.areCertificates(text) ? text : undefined
  })
  const connectionsMax = read('connectionsMax', numberOrNull('connectionsMax'))
  const ratePerMinute = read('ratePerMinute', numberOrNull('ratePerMinute'))
  const cost = read('cost', numberOrNull('cost'))
  if (mistakes.length > before) return null

  const server = { host, port, security, user, auth, ca }
  const fields = { ...server, from, fromName, connectionsMax, ratePerMinute, cost }
  return readLogin(ports, reading, { kind: 'email', ...fields } as SmtpSettings)
}

/** Reads one field or adds a mistake; `undefined` from `parse` means invalid. */
function reader(input: SmtpInput, names: SmtpNames, mistakes: FieldError[]) {
  return <Value>(
    field: SmtpField,
    parse: (value: unknown) => Value | undefined,
    reason = mustBe(smtpFields[field]),
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

function within<Value = number>(field: SmtpField): (value: unknown) => Value | undefined {
  return (value) => (isWithin(smtpFields[field], value) ? (value as Value) : undefined)
}

function numberOrNull(field: SmtpField): (value: unknown) => number | null | undefined {
  return (value) => (value === undefined || value === null ? null : within(field)(value))
}

function readPublicPort(value: unknown): number | undefined {
  return publicPorts.includes(Number(value)) ? within('port')(value) : undefined
}

function readSecurity(
  value: unknown,
  isStranger: boolean,
  host: string | undefined,
): SmtpSecurity | undefined {
  if (value === 'opportunistic' && !isLoopback(host ?? '')) return undefined
  const allowed = isStranger ? (['tls', 'starttls'] as const) : smtpSecurities
  return allowed.find((security) => security === value)
}

/** The default security; loopback needs no encryption, because nobody can listen there. */
function usualSecurity(host: string | undefined, port: number | undefined): SmtpSecurity {
  if (port === 465) return 'tls'
  return host !== undefined && isLoopback(host) ? 'opportunistic' : 'starttls'
}

/** The current fields; a new host or port resets `security` to its default. */
function keptFields(current: SmtpCurrent | null, input: SmtpInput): SmtpInput {
  if (!current) return {}
  const { security, kind: _, tenant: _t, clientId: _c, ...kept } = current.settings
  const isMoved = input.port !== undefined || input.host !== undefined
  return { ...kept, ...(!isMoved && { security }) }
}
