import { readFile } from 'node:fs/promises'
import { type PolicyInput, policyFieldList } from '../domain/app/policy.ts'
import { type SmtpField, type SmtpInput, smtpFieldList } from '../domain/app/smtp-fields.ts'
import type { Field } from '../domain/field.ts'
import { dataDirectory, requireDatabase } from '../runtime/data-directory.ts'
import { type Args, type Flag, type Flags, wrongUsage } from './command.ts'
import { settingsFor } from './installation.ts'
import type { Io } from './io.ts'

/** A flag for every field of a policy: `--code-length N`. */
export const policyFlags: Flags = Object.fromEntries(
  policyFieldList.map(([, field]) => [flagName(field.wire), flagOf(field)]),
)

/** A flag for every field of an SMTP endpoint, with the password in a file: `--smtp-host TEXT`. */
export const smtpFlags: Flags = {
  ...Object.fromEntries(smtpFieldList.map(([name, field]) => [smtpFlag(name), flagOf(field)])),
  'smtp-password-file': {
    value: 'FILE',
    help: 'A file with the password, or - for standard input. Asked for at a terminal.',
  },
  'smtp-no-login': { help: 'The mail server asks for no login.' },
}

/** The policy of the flags; the word `default` unsets a field. */
export function policyFrom(args: Args): PolicyInput {
  const input: PolicyInput = {}
  for (const [name, field] of policyFieldList) {
    const text = args.text(flagName(field.wire))
    if (text !== undefined) input[name] = text === 'default' ? null : fieldValue(field, text)
  }
  return input
}

/**
 * The mail server of the flags, without the password; undefined without such flags. The word
 * `default` unsets what need not be set, such as the sender's name.
 */
export async function smtpFrom(args: Args, io: Io): Promise<SmtpInput | undefined> {
  if (!Object.keys(smtpFlags).some(args.has)) return undefined
  const input: SmtpInput = {}
  for (const [name, field] of smtpFieldList) {
    const text = field.secret ? undefined : args.text(smtpFlag(name))
    if (text === undefined) continue
    const isTakenBack = text === 'default' && field.nullable && name !== 'user'
    if (isTakenBack) input[name] = null
    else
      input[name] = field.file ? await readText(smtpFlag(name), text, io) : fieldValue(field, text)
  }
  if (args.has('smtp-no-login')) input.user = null
  return input
}

/**
 * Adds the password of `--smtp-password-file`, or asks for it at the terminal where `isNeeded`.
 * Never from the command line, which other users of the machine can see. Called before the store is
 * opened, because a person may type for longer than a rotation of the master key takes, and the
 * keys that were read before it are gone afterwards.
 */
export async function withPassword(
  args: Args,
  io: Io,
  input: SmtpInput,
  isNeeded: boolean,
): Promise<SmtpInput> {
  const file = args.text('smtp-password-file')
  if (file !== undefined)
    return { ...input, password: await readText('smtp-password-file', file, io) }
  if (!io.terminal.input || input.user === null || !isNeeded) return input
  requireDatabase(dataDirectory(settingsFor(args, io).dataDir))
  return { ...input, password: (await io.askSecret('Password of the mail server: ')) ?? undefined }
}

/** The flag of a field: `--smtp-connections-max` for `email.connections_max`. */
function smtpFlag(name: SmtpField): string {
  const [, field] = smtpFieldList.find(([candidate]) => candidate === name) ?? []
  const flag = `smtp-${flagName(field?.wire ?? name)}`
  return field?.secret || field?.file ? `${flag}-file` : flag
}

function flagName(wire: string): string {
  return wire.replaceAll('_', '-')
}

function flagOf(field: Field & { file?: true }): Flag {
  const { says } = field
  if (field.file) return { value: 'FILE', help: `A file, or - for standard input. ${says}` }
  if (field.type === 'integer') return { value: 'N', help: `${says} ${field.min} to ${field.max}.` }
  if (field.type === 'boolean') return { value: 'YES|NO', help: says }
  if (field.type === 'choice') return { value: 'KIND', help: `${says} (${field.of.join(', ')})` }
  return { value: 'TEXT', help: says }
}

/** Parses numbers and switches; other text is left to the domain, which refuses it by name. */
function fieldValue(field: Field, text: string): unknown {
  if (field.type === 'integer') return /^\d{1,10}$/.test(text) ? Number(text) : text
  if (field.type !== 'boolean') return text
  if (text === 'yes' || text === 'true') return true
  return text === 'no' || text === 'false' ? false : text
}

/** Reads a file or standard input, without the final line break of editors and `echo`. */
export async function readText(flag: string, file: string, io: Io): Promise<string> {
  const text = file === '-' ? await io.readInput() : await readFile(file, 'utf8').catch(() => null)
  if (text === null) throw wrongUsage(`--${flag} names a file that cannot be read`)
  return text.replace(/\r?\n$/, '')
}
