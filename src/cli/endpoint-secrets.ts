import { type Endpoint, type EndpointKind, endpointKinds } from '../domain/app/endpoint.ts'
import type { EndpointField, EndpointInput } from '../domain/app/endpoint-fields.ts'
import { loginSecrets } from '../domain/app/smtp-login.ts'
import { dataDirectory, requireDatabase } from '../runtime/data-directory.ts'
import type { Args } from './command.ts'
import { settingsFor } from './installation.ts'
import type { Io } from './io.ts'

type Asking = {
  kind: EndpointKind
  input: EndpointInput
  /** The endpoint that is changed. */
  current?: (() => Promise<Endpoint | undefined>) | undefined
}

/**
 * Asks at the terminal for the secrets of a new destination that no file gives. Called before the
 * store is opened to write, because a person may type for longer than a rotation of the master key
 * takes, and the keys that were read before it are gone afterwards.
 */
export async function withSecrets(
  args: Args,
  io: Io,
  { kind, input, current = async () => undefined }: Asking,
): Promise<EndpointInput> {
  if (!io.terminal.input || (kind === 'email' && input['user'] === null)) return input
  const { dataDir, database } = settingsFor(args, io)
  if (!database) requireDatabase(dataDirectory(dataDir))
  const secrets = kind === 'email' ? loginSecrets(await authOf(input, current)) : undefined
  const asked: EndpointInput = { ...input }
  for (const [name, field] of fieldsOf(kind)) {
    const isNeeded = secrets?.some((secret) => secret === name) ?? field.required === true
    if (field.asks === undefined || !isNeeded || input[name] !== undefined) continue
    asked[name] = (await io.askSecret(`${field.asks}: `)) ?? undefined
  }
  return asked
}

async function authOf(
  input: EndpointInput,
  current: NonNullable<Asking['current']>,
): Promise<unknown> {
  const settings: Record<string, unknown> = { ...(await current())?.settings }
  return input['auth'] ?? settings['auth'] ?? 'password'
}

/** Whether a change has a new destination, which needs the secret again. */
export function leadsElsewhere(kind: EndpointKind, input: EndpointInput): boolean {
  const places = fieldsOf(kind).filter(([, { destination }]) => destination)
  return places.some(([name]) => input[name] !== undefined)
}

function fieldsOf(kind: EndpointKind): [string, EndpointField][] {
  return Object.entries(endpointKinds[kind].fields)
}
