import { readFileSync } from 'node:fs'
import { readApiKey } from '../domain/app/api-key.ts'
import { isLoopback } from '../domain/app/host.ts'
import { settingsAreWrong } from '../startup-error.ts'
import type { Args, Command } from './command.ts'
import { reachable } from './healthcheck.ts'
import { envFileFlag, settingsFor } from './installation.ts'
import { exitCodes, type Io } from './io.ts'

/** What the server takes at most. */
const messageBytesMax = 256 * 1024
const timeoutMs = 30_000

/** Exit statuses of sysexits.h, which mail servers know: only after 75 do they try again. */
const sysexits = { dataError: 65, tryAgain: 75, noPermission: 77 } as const

export const bounce: Command = {
  name: 'bounce',
  summary: 'Report a mail that came back, from a pipe of the mail server.',
  about: [
    'Reads a returned mail from standard input and posts it to the server: its delivery is shown as',
    'bounced, and an address that is wrong is suppressed. Any other mail changes nothing. For the',
    'pipe of an alias, procmail, fetchmail or Sieve. Exit status 75 when the server cannot take it',
    'now, so that the mail server tries again; 65 for a message that is empty or longer than 256 KiB,',
    '77 when the key is refused, 78 for wrong settings. docs/email.md has examples to copy.',
  ].join('\n'),
  operands: [],
  flags: {
    'key-file': {
      value: 'FILE',
      help: 'A file with the key, of "otpmint app new-key --mode inbound"; else OTPMINT_INBOUND_KEY_FILE.',
    },
    'public-url': {
      value: 'URL',
      help: 'The URL of the server; else OTPMINT_PUBLIC_URL, or the server on this machine.',
    },
    ...envFileFlag,
  },
  examples: ['otpmint bounce --key-file /etc/otpmint/inbound.key < returned-mail'],
  async run(args, io) {
    const { url, key } = placeOf(args, io)
    const message = await io.readMessage(messageBytesMax)
    if (message === null) return fail(io, sysexits.dataError, 'the message is longer than 256 KiB')
    if (message.length === 0) return fail(io, sysexits.dataError, 'there is no message')
    const status = await post(url, key, message)
    if (status === 204) return exitCodes.done
    return fail(io, exitOf(status), says(status, url))
  },
}

/** Where to post, and the key. Throws `StartupError` for wrong settings. */
function placeOf(args: Args, io: Io): { url: string; key: string } {
  const { host, port, publicUrl, inboundKeyFile } = settingsFor(args, io)
  const url = publicUrl ?? `http://${reachable(host)}:${port}`
  const { protocol, hostname } = new URL(url)
  if (protocol !== 'https:' && !isLoopback(hostname.replace(/^\[(.*)\]$/, '$1'))) {
    throw settingsAreWrong('the URL must begin with https, or name this machine')
  }
  const file = args.text('key-file') ?? inboundKeyFile
  if (file === null) {
    throw settingsAreWrong('there is no key: use --key-file or OTPMINT_INBOUND_KEY_FILE')
  }
  return { url: `${url}/v1/inbound/dsn`, key: readKey(file) }
}

function readKey(file: string): string {
  let text: string
  try {
    text = readFileSync(file, 'utf8').trim()
  } catch {
    throw settingsAreWrong('the key file must be one that this user can read')
  }
  if (readApiKey(text)?.mode === 'inbound') return text
  throw settingsAreWrong('the key file must hold a key of the mode inbound: otpm_inbound_...')
}

/** The status of the answer; null without one. */
async function post(url: string, key: string, message: Uint8Array): Promise<number | null> {
  try {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'message/rfc822' },
      body: message,
      signal: AbortSignal.timeout(timeoutMs),
      // The key goes to no other place than the one that was named.
      redirect: 'manual',
      proxy: false,
    })
    return answer.status
  } catch {
    return null
  }
}

function exitOf(status: number | null): number {
  if (status === null || status === 429 || status >= 500) return sysexits.tryAgain
  if (status === 401) return sysexits.noPermission
  return [400, 413, 415, 422].includes(status) ? sysexits.dataError : exitCodes.settings
}

function says(status: number | null, url: string): string {
  if (status === null) return `nothing answers at ${url}`
  if (status === 401) return 'the server does not know the key'
  return `${url} answers ${status}`
}

function fail(io: Io, code: number, reason: string): number {
  io.err(`otpmint bounce: ${reason}\n`)
  return code
}
