import type { Endpoint } from '../domain/app/endpoint.ts'
import {
  type SmtpField,
  type SmtpInput,
  smtpFieldList,
  smtpFields,
} from '../domain/app/smtp-fields.ts'
import { loginSecrets, type SecretField } from '../domain/app/smtp-login.ts'
import { dataDirectory, requireDatabase } from '../runtime/data-directory.ts'
import { type Args, type Flags, wrongUsage } from './command.ts'
import { fieldValue, flagName, flagOf, readText } from './fields.ts'
import { settingsFor } from './installation.ts'
import type { Io } from './io.ts'

/** A flag for every field of an SMTP endpoint, with secrets in files: `--smtp-host TEXT`. */
export const smtpFlags: Flags = {
  ...Object.fromEntries(smtpFieldList.map(([name, field]) => [smtpFlag(name), flagOf(field)])),
  'smtp-no-login': { help: 'The mail server asks for no login.' },
}

const fileFlags = smtpFieldList.filter(([, { file }]) => file).map(([name]) => smtpFlag(name))

/**
 * The mail server of the flags, with the secrets of files; undefined without such flags. The word
 * `default` unsets what need not be set, such as the sender's name.
 */
export async function smtpFrom(args: Args, io: Io): Promise<SmtpInput | undefined> {
  if (!Object.keys(smtpFlags).some(args.has)) return undefined
  if (fileFlags.filter((flag) => args.text(flag) === '-').length > 1) {
    throw wrongUsage('only one file can be standard input')
  }
  const input: SmtpInput = {}
  for (const [name, field] of smtpFieldList) {
    const flag = smtpFlag(name)
    const text = args.text(flag)
    if (text === undefined) continue
    if (text === 'default' && field.nullable && name !== 'user') input[name] = null
    else input[name] = field.file ? await readText(flag, text, io) : fieldValue(field, text)
  }
  if (args.has('smtp-no-login')) input.user = null
  return input
}

const questions: Partial<Record<SecretField, string>> = {
  password: 'Password of the mail server: ',
  clientSecret: 'Secret of the OAuth client: ',
  refreshToken: 'Refresh token: ',
}

/**
 * Asks at the terminal for the secrets of a new destination that no file gives. Called before the
 * store is opened to write, because a person may type for longer than a rotation of the master key
 * takes, and the keys that were read before it are gone afterwards.
 */
export async function withSecrets(
  args: Args,
  io: Io,
  input: SmtpInput,
  current: () => Promise<Endpoint | undefined>,
): Promise<SmtpInput> {
  if (!io.terminal.input || input.user === null) return input
  requireDatabase(dataDirectory(settingsFor(args, io).dataDir))
  const auth = input.auth ?? (await current())?.settings.auth ?? 'password'
  const asked: SmtpInput = { ...input }
  for (const field of loginSecrets(auth)) {
    const question = questions[field]
    if (question === undefined || input[field] !== undefined) continue
    asked[field] = (await io.askSecret(question)) ?? undefined
  }
  return asked
}

/** Whether a change has a new destination, which needs the secret again. */
export function leadsElsewhere(input: SmtpInput): boolean {
  const { host, port, security, user, auth, tenant, clientId, ca } = input
  const places = [host, port, security, user, auth, tenant, clientId, ca]
  return places.some((value) => value !== undefined)
}

/** The flag of a field: `--smtp-connections-max` for `email.connections_max`. */
function smtpFlag(name: SmtpField): string {
  const field = smtpFields[name]
  const flag = `smtp-${flagName(field.wire)}`
  return 'file' in field ? `${flag}-file` : flag
}
