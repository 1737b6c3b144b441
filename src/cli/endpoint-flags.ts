import { type EndpointKind, endpointKindList, endpointKinds } from '../domain/app/endpoint.ts'
import type { EndpointField, EndpointInput } from '../domain/app/endpoint-fields.ts'
import { type Args, type Flags, wrongUsage } from './command.ts'
import { fieldValue, flagName, flagOf, readText } from './fields.ts'
import type { Io } from './io.ts'

/** A flag for every field of a kind of endpoint, with secrets in files: `--webhook-url TEXT`. */
export function kindFlags(kind: EndpointKind): Flags {
  const flags: Flags = Object.fromEntries(
    fieldsOf(kind).map(([, field]) => [flagFor(kind, field), flagOf(field)]),
  )
  return kind === 'email' ? { ...flags, ...noLogin } : flags
}

const noLogin: Flags = { 'smtp-no-login': { help: 'The mail server asks for no login.' } }

/** The flags of every kind. */
export const endpointFlags: Flags = Object.assign(
  {},
  ...endpointKindList.map(([kind]) => kindFlags(kind)),
)

/** The one kind that the flags are about; undefined without such flags. */
export function kindNamed(args: Args): EndpointKind | undefined {
  const [kind, other] = endpointKindList
    .map(([each]) => each)
    .filter((each) => Object.keys(kindFlags(each)).some(args.has))
  if (!kind || !other) return kind
  const [one, two] = [endpointKinds[kind].flags, endpointKinds[other].flags]
  throw wrongUsage(`--${one} and --${two} flags are for different endpoints: use one kind`)
}

/**
 * The endpoint of the flags, with the secrets of files; undefined without such flags. The word
 * `default` unsets what need not be set, such as the sender's name.
 */
export async function endpointFrom(
  kind: EndpointKind,
  args: Args,
  io: Io,
): Promise<EndpointInput | undefined> {
  if (!Object.keys(kindFlags(kind)).some(args.has)) return undefined
  const fields = fieldsOf(kind)
  const files = fields.filter(([, { file }]) => file).map(([, field]) => flagFor(kind, field))
  if (files.filter((flag) => args.text(flag) === '-').length > 1) {
    throw wrongUsage('only one file can be standard input')
  }
  const input: EndpointInput = {}
  for (const [name, field] of fields) {
    const flag = flagFor(kind, field)
    const text = args.text(flag)
    if (text === undefined) continue
    if (text === 'default' && field.nullable && name !== 'user') input[name] = null
    else input[name] = field.file ? await readText(flag, text, io) : fieldValue(field, text)
  }
  if (kind === 'email' && args.has('smtp-no-login')) input['user'] = null
  return input
}

function fieldsOf(kind: EndpointKind): [string, EndpointField][] {
  return Object.entries(endpointKinds[kind].fields)
}

/** The flag of a field: `--smtp-connections-max` for `email.connections_max`. */
function flagFor(kind: EndpointKind, { wire, file }: EndpointField): string {
  const flag = `${endpointKinds[kind].flags}-${flagName(wire)}`
  return file ? `${flag}-file` : flag
}
