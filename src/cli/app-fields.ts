import { readFile } from 'node:fs/promises'
import type { Policy } from '../domain/app.ts'
import type { MailInput } from '../domain/mail-settings.ts'
import type { AppFields } from '../domain/manage-apps.ts'
import type { PolicyInput } from '../domain/policy.ts'
import type { Flag, Words } from './command.ts'
import type { Io } from './io.ts'

export const mailFlags: Record<string, Flag> = {
  'smtp-host': { value: 'HOST', help: 'The mail server that sends the codes.' },
  'smtp-port': { value: 'PORT', help: 'Its port: usually 465 or 587.' },
  'smtp-security': {
    value: 'KIND',
    help: 'tls (default for port 465), starttls (default for others) or none.',
  },
  'smtp-user': { value: 'USER', help: 'The login; the sender address unless it is given.' },
  'smtp-no-login': { help: 'The mail server asks for no login.' },
  'smtp-password-file': {
    value: 'FILE',
    help: 'A file that holds the password, or - for standard input.\nAsked for at a terminal.',
  },
  'smtp-from': { value: 'ADDRESS', help: 'The sender address.' },
  'smtp-from-name': { value: 'NAME', help: 'The sender name.' },
}

type PolicyFlag = Flag & { field: keyof Policy; read(text: string): unknown }

const policyTable: Record<string, PolicyFlag> = {
  'code-length': {
    field: 'codeLength',
    value: 'N',
    help: 'Digits of a code: 4 to 10.',
    read: whole,
  },
  'ttl-seconds': {
    field: 'ttlSeconds',
    value: 'N',
    help: 'How long a code lives: 30 to 86400 seconds.',
    read: whole,
  },
  'attempts-max': { field: 'attemptsMax', value: 'N', help: 'Tries per code.', read: whole },
  'on-budget-exhausted': {
    field: 'onBudgetExhausted',
    value: 'WHAT',
    help: 'long_code or refuse, after too many wrong codes for a recipient.',
    read: (text) => text,
  },
  'code-in-subject': {
    field: 'codeInSubject',
    value: 'YES|NO',
    help: 'Whether the subject of the mail holds the code.',
    read: yesOrNo,
  },
  'longer-codes-on-alarm': {
    field: 'longerCodesOnAlarm',
    value: 'YES|NO',
    help: 'Eight digits while the spray alarm is on.',
    read: yesOrNo,
  },
  origin: {
    field: 'origin',
    value: 'URL',
    help: 'Where the code is typed, like https://app.example.com.',
    read: (text) => text,
  },
  'starts-per-minute': {
    field: 'startsPerMinute',
    value: 'N',
    help: 'Verifications that may be started in a minute.',
    read: whole,
  },
  'recipient-starts-per-day': {
    field: 'recipientStartsPerDay',
    value: 'N',
    help: 'Verifications a day for one recipient.',
    read: whole,
  },
}

export const policyFlags: Record<string, Flag> = policyTable

/** What the flags say of the policy; the word `default` takes a field back. */
export function policyFrom(words: Words): PolicyInput {
  const input: PolicyInput = {}
  for (const [flag, { field, read }] of Object.entries(policyTable)) {
    const text = words.text(flag)
    if (text !== undefined) input[field] = text === 'default' ? null : read(text)
  }
  return input
}

/**
 * What the flags say of the mail server; undefined when they say nothing. `asks` is whether a
 * password is needed that no flag names: it is asked for at a terminal, never taken from argv.
 */
export async function mailFrom(
  words: Words,
  io: Io,
  asks: (input: MailInput) => boolean,
): Promise<AppFields['email']> {
  if (!Object.keys(mailFlags).some(words.has)) return undefined
  const port = words.text('smtp-port')
  const input: MailInput = {
    host: words.text('smtp-host'),
    port: port === undefined ? undefined : whole(port),
    security: words.text('smtp-security'),
    user: words.has('smtp-no-login') ? null : words.text('smtp-user'),
    from: words.text('smtp-from'),
    fromName: words.text('smtp-from-name'),
  }
  const file = words.text('smtp-password-file')
  if (file !== undefined) return { ...input, password: await readSecret(file, io) }
  if (!io.terminal.input || input.user === null || !asks(input)) return input
  return { ...input, password: (await io.askSecret('Password of the mail server: ')) ?? undefined }
}

/** Without the line break that editors and `echo` leave; an unreadable file reads as empty. */
async function readSecret(file: string, io: Io): Promise<string> {
  const text = file === '-' ? await io.readInput() : await readFile(file, 'utf8').catch(() => '')
  return text.replace(/\r?\n$/, '')
}

/** What is no number stays as it was typed and is refused by the domain, by name. */
function whole(text: string): unknown {
  return /^\d{1,9}$/.test(text) ? Number(text) : text
}

function yesOrNo(text: string): unknown {
  if (text === 'yes' || text === 'true') return true
  return text === 'no' || text === 'false' ? false : text
}
