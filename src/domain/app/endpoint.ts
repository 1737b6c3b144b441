import { type EndpointChannel, endpointChannels } from '../delivery/channel.ts'
import { isWithin, mustBe } from '../field.ts'
import { newId } from '../id.ts'
import type { Keyring, SealPlace } from '../keyring.ts'
import type { Ports } from '../ports.ts'
import { collected, type FieldError } from '../problem.ts'
import { readDomain, readRecipient } from '../verification/recipient.ts'
import { type App, readName } from './app.ts'
import {
  type SmtpField,
  type SmtpInput,
  type SmtpNames,
  type SmtpSecurity,
  type SmtpSettings,
  smtpFields,
  smtpSecurities,
} from './smtp-fields.ts'
import { destination, type NewSecret, readLogin } from './smtp-login.ts'

/** One configured way through a channel for an app, with its rank and its sealed secret. */
export type Endpoint = {
  id: string
  appId: string
  channel: EndpointChannel
  /** 1 is tried first. */
  rank: number
  settings: EndpointSettings
  /** Bound to every field that says where it goes; null where there is no secret. */
  secretSealed: Uint8Array | null
  createdAt: number
  updatedAt: number
}

/** By channel; `channel` is the tag. */
export type EndpointSettings = SmtpSettings

type Drafting = {
  input: SmtpInput
  names: SmtpNames
  current: Endpoint | null
  mistakes: FieldError[]
  id?: string
}

/** An email endpoint as it is to be stored, first by rank; null when a mistake was added. */
export function draftEndpoint(
  ports: Pick<Ports, 'keyring' | 'pem' | 'clock' | 'random'>,
  app: App,
  { input, names, current, mistakes, id = newId(ports.random) }: Drafting,
): Endpoint | null {
  const { registeredBy } = app
  const read = readSmtpSettings(ports, { input, names, current, registeredBy, mistakes })
  if (!read) return null
  const { settings, secret } = read
  const now = ports.clock.now()
  const place = { id: current?.id ?? id, settings }
  return {
    ...place,
    appId: app.id,
    channel: 'email',
    rank: current?.rank ?? 1,
    secretSealed: sealSecret(ports, app, place, { secret, current }),
    createdAt: current?.createdAt ?? now,
    updatedAt: now,
  }
}

/** The settings, and the secret to seal. */
export type ReadSettings = { settings: SmtpSettings; secret: NewSecret }

type Reading = {
  input: SmtpInput
  names: SmtpNames
  /** The endpoint that is changed; null for a new one. */
  current: Endpoint | null
  /** Who registered the app: a stranger may name public submission servers only. */
  registeredBy: App['registeredBy']
  mistakes: FieldError[]
}

/** Submission ports (RFC 6409, RFC 8314) and the customary alternative. */
const publicPorts = [465, 587, 2525]

/**
 * Merges `input` into the current settings. A change of anything that says where the secret goes
 * needs it again (`secret_required`). Adds what is wrong to `mistakes`; null when anything is.
 */
export function readSmtpSettings(ports: Pick<Ports, 'pem'>, reading: Reading): ReadSettings | null {
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
    return readRecipient('email', input.from, names.from).address
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
  if (mistakes.length > before) return null

  const server = { host, port, security, user, auth, ca }
  const fields = { ...server, from, fromName, connectionsMax, ratePerMinute }
  return readLogin(ports, reading, { channel: 'email', ...fields } as SmtpSettings)
}

/** The place that an endpoint's secret is bound to: one endpoint and one destination. */
export function secretPlace({ id, settings }: Pick<Endpoint, 'id' | 'settings'>): SealPlace {
  return {
    table: 'endpoints',
    row: id,
    column: 'secret_sealed',
    binding: destination(settings),
  }
}

/** Seals the secret for storing. */
export function sealSecret(
  { keyring }: { keyring: Keyring },
  app: Pick<App, 'id' | 'dataKey'>,
  endpoint: Pick<Endpoint, 'id' | 'settings'>,
  { secret, current }: { secret: NewSecret; current: Endpoint | null },
): Uint8Array | null {
  if (secret === 'none') return null
  if (secret === 'keep') return current?.secretSealed ?? null
  return keyring.seal(app.id, app.dataKey, secretPlace(endpoint), secret.set)
}

export function isEndpointChannel(value: unknown): value is EndpointChannel {
  return endpointChannels.some((channel) => channel === value)
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

/**
 * A host name as lower-case A-labels, one label included (`localhost`, `smtp`), or an IP literal in
 * its usual spelling. Refuses other spellings of addresses that resolvers accept, such as `127.1`.
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

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}

/** The current fields; a new host or port resets `security` to its default. */
function keptFields(current: Endpoint | null, input: SmtpInput): SmtpInput {
  if (!current) return {}
  const { security, channel: _, tenant: _t, clientId: _c, ...kept } = current.settings
  const isMoved = input.port !== undefined || input.host !== undefined
  return { ...kept, ...(!isMoved && { security }) }
}

/** The fields that were given. */
export function given(input: SmtpInput): SmtpInput {
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined))
}
