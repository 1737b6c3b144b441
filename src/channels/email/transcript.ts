import type { Socket } from 'node:net'
import tls from 'node:tls'

/** What was said and seen in a session, for the test of a mail server. In memory only. */
export type Transcript = {
  /** The address that answered. */
  address: string | null
  tls: TlsSeen | null
  /** Each reply with what it answers: `greeting`, a command, `AUTH PLAIN`, or `message`. */
  replies: Reply[]
}

type TlsSeen = { version: string; name: string; issuer: string; validTo: string }
export type Reply = { to: string; reply: string }

/** A reply has more lines than a person needs. */
const replyMax = 4_000
const repliesMax = 40

export function createTranscript(): Transcript {
  return { address: null, tls: null, replies: [] }
}

/** Forgets an earlier connection. */
export function beginTranscript(transcript: Transcript, socket: Socket): void {
  transcript.address = socket.remoteAddress ?? null
  transcript.tls = null
  transcript.replies = []
}

/** Notes how the connection is encrypted. */
export function noteTls(transcript: Transcript, socket: unknown): void {
  if (!(socket instanceof tls.TLSSocket)) return
  const { subject, issuer, valid_to: validTo } = socket.getPeerCertificate()
  const one = (value: string | string[] | undefined) => [value ?? ''].flat()[0] ?? ''
  transcript.tls = {
    version: socket.getProtocol() ?? 'TLS',
    name: one(subject?.CN),
    issuer: one(issuer?.O) || one(issuer?.CN),
    validTo: validTo ?? '',
  }
}

const commands = /^(EHLO|HELO|STARTTLS|AUTH [A-Z0-9-]+|MAIL|RCPT|DATA|RSET|QUIT)\b/

/**
 * A logger for nodemailer that notes replies. Of what is sent only the name of a command is kept,
 * because the rest has passwords, tokens and addresses.
 */
export function loggerOf(transcript: Transcript) {
  const waiting: string[] = ['greeting']
  let login = 'AUTH'
  const debug = ({ tnx }: { tnx?: string }, text: unknown) => {
    if (tnx === 'client') {
      const command = commands.exec(String(text))?.[1]
      if (command?.startsWith('AUTH')) login = command
      // A line without a command goes on with a login.
      waiting.push(command ?? login)
    }
    if (tnx !== 'server' || transcript.replies.length >= repliesMax) return
    const to = waiting.shift() ?? 'message'
    transcript.replies.push({ to, reply: String(text).slice(0, replyMax) })
  }
  const ignore = () => {}
  return { debug, trace: ignore, info: ignore, warn: ignore, error: ignore, fatal: ignore }
}

/** The last reply to a command; undefined without one. */
export function replyTo(transcript: Transcript, command: string): string | undefined {
  return transcript.replies.findLast(({ to }) => to.startsWith(command))?.reply
}
