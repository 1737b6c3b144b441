import { type Field, isWithin, mustBe } from '../field.ts'
import { type FieldError, Problem } from '../problem.ts'
import type { App } from './app.ts'

/** A field of an endpoint's settings. */
export type EndpointField = Field & {
  wire: string
  required?: true
  secret?: true
  nullable?: true
  /** On the command line it is read from a file. */
  file?: true
  /** It says where the secret goes, so a change of it needs the secret again. */
  destination?: true
  /** It is a URL that requests go to. */
  leads?: true
  /** How a person at a terminal is asked for it. */
  asks?: string
  /** Its value where nothing was said. */
  usual?: string
  /** Its usual spelling; null where it is wrong. */
  read?: (value: string) => string | null
}
export type FieldTable = Record<string, EndpointField>

/** The fields by which an admin spares a server and counts costs; every kind of endpoint has them. */
export const paceFields = {
  connectionsMax: {
    type: 'integer',
    min: 1,
    max: 50,
    wire: 'connections_max',
    nullable: true,
    says: 'Connections to this server at a time; 10 if absent or null.',
  },
  ratePerMinute: {
    type: 'integer',
    min: 1,
    max: 10_000,
    wire: 'rate_per_minute',
    nullable: true,
    says: 'Messages to this server in any 60 seconds; as many as it takes if absent or null.',
  },
  cost: {
    type: 'integer',
    min: 0,
    max: 1_000_000_000,
    wire: 'cost',
    nullable: true,
    says: 'What a message costs, in millionths of your currency; nothing if absent or null.',
  },
} as const satisfies FieldTable

export type Pace = {
  /** Connections at a time; null follows the server's default of 10. */
  connectionsMax: number | null
  /** Messages in any 60 s; null for as many as the server takes. */
  ratePerMinute: number | null
  /** What a message costs, in millionths of the admin's currency; null for nothing. */
  cost: number | null
}

/** Settings as received, by the names of the domain, not validated. */
export type EndpointInput = Record<string, unknown>
export type EndpointNames = Record<string, string>

/** The wire names of the fields below the object of their kind, for reporting mistakes. */
export function namesOf<Table extends FieldTable>(
  kind: string,
  fields: Table,
): Record<keyof Table, string> {
  const names = Object.entries(fields).map(([name, { wire }]) => [name, `${kind}.${wire}`])
  return Object.fromEntries(names) as Record<keyof Table, string>
}

/** What is to be sealed; `keep` keeps what is. */
export type NewSecret = { set: string } | 'keep' | 'none'
export type ReadSettings<Settings> = { settings: Settings; secret: NewSecret }

export type SettingsReading = {
  input: EndpointInput
  names: EndpointNames
  /** The endpoint that is changed; null for a new one. */
  current: { settings: object; secretSealed: Uint8Array | null } | null
  /** Who registered the app: a stranger may name public submission servers only. */
  registeredBy: App['registeredBy']
  mistakes: FieldError[]
}

/**
 * Merges `input` into the current settings, by the table. The secrets are sealed together, as JSON by
 * name, so all of them are given or none. Adds what is wrong to `mistakes`; null when anything is.
 * Throws `secret_required` where the destination changes without them.
 */
export function readByTable<Settings extends { kind: string }>(
  kind: Settings['kind'],
  fields: FieldTable,
  { input, names, current, mistakes }: SettingsReading,
): ReadSettings<Settings> | null {
  const before = mistakes.length
  const refuse = (name: string, reason: string) => {
    mistakes.push({ field: names[name] ?? name, reason })
  }
  const entries = Object.entries(fields)
  const kept: Record<string, unknown> = { ...current?.settings }
  const settings: Record<string, unknown> = { kind }
  for (const [name, field] of entries.filter(([, { secret }]) => !secret)) {
    const value = readField(field, input[name] === undefined ? kept[name] : input[name])
    if (value === undefined) refuse(name, isAbsent(input[name]) ? 'is missing' : mustBe(field))
    else settings[name] = value
  }
  const secret = readSecrets(entries, input, current !== null, refuse)
  if (mistakes.length > before || secret === null) return null
  const isMoved =
    current !== null && destinationOf(fields, settings) !== destinationOf(fields, kept)
  if (isMoved && secret === 'keep' && current.secretSealed) throw new Problem('secret_required')
  return { settings: settings as Settings, secret }
}

/** Every field of the destination in one text, for comparing and for binding the secret. */
export function destinationOf(fields: FieldTable, settings: Record<string, unknown>): string {
  const named = Object.entries(fields).filter(([, { destination }]) => destination)
  return [settings['kind'], ...named.map(([name]) => settings[name] ?? '')].join('\0')
}

/** Undefined for what is wrong or missing. */
function readField(field: EndpointField, given: unknown): unknown {
  const value = given ?? field.usual ?? null
  if (value === null) return field.required ? undefined : null
  if (!isWithin(field, value)) return undefined
  return field.read ? (field.read(String(value)) ?? undefined) : value
}

function readSecrets(
  entries: [string, EndpointField][],
  input: EndpointInput,
  isChange: boolean,
  refuse: (name: string, reason: string) => void,
): NewSecret | null {
  const secrets = entries.filter(([, { secret }]) => secret)
  const isGiven = secrets.some(([name]) => !isAbsent(input[name]))
  if (!isGiven && isChange) return 'keep'
  const values: Record<string, string> = {}
  for (const [name, field] of secrets) {
    const value = readField(field, input[name])
    if (value === undefined) refuse(name, isAbsent(input[name]) ? 'is missing' : mustBe(field))
    else if (value !== null) values[name] = String(value)
  }
  return Object.keys(values).length === 0 ? 'none' : { set: JSON.stringify(values) }
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null
}

/** The fields that were given. */
export function given<Input extends EndpointInput>(input: Input): Input {
  return Object.fromEntries(
    Object.entries(input).filter(([, value]) => value !== undefined),
  ) as Input
}
