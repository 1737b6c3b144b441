import type { Socket } from 'node:net'
import tls from 'node:tls'
import SMTPConnection from 'nodemailer/lib/smtp-connection'
import { failure } from '../connect.ts'
import { connectTimeoutMs, dial, type MailNetwork } from './dial.ts'
import type { MailServer } from './mail-job.ts'
import { isTlsFault } from './smtp-words.ts'
import { tokenLogins, tokenMethod } from './token-login.ts'
import { beginTranscript, loggerOf, noteTls } from './transcript.ts'

/** A connection to a mail server after greeting, encryption and login. */
export type Session = {
  /** Resolves when the server has accepted the message; rejects with an error for `outcomeOf`. */
  send(mail: OutgoingMail): Promise<{ accepted: string[]; response: string }>
  /** Resets the session after an interrupted message. */
  reset(): Promise<void>
  /** False during a message and after an interrupted one. */
  isClean(): boolean
  isOpen(): boolean
  /** Sends QUIT, and closes at the reply or after a time. */
  quit(): void
  close(): void
}

type OutgoingMail = {
  from: string
  to: string
  /** Names the message in reports about it, where the server makes them (RFC 3461). */
  envid: string
  raw: string
  /** Asked when the server has asked for the message. */
  mayBegin(): true | Promise<boolean>
  /** Called when it is being sent. */
  begun(): void
}

const greetingTimeoutMs = 8_000
/** A connection without traffic for this time is ended. */
const socketTimeoutMs = 20_000
/** An idle connection is closed with QUIT before that. */
export const idleMs = 18_000

/**
 * Connects, agrees on encryption and logs in. `opportunistic` encrypts where the server offers it
 * and its certificate is trusted, and goes on in plain text where not.
 */
export async function openSession(
  server: MailServer,
  network: MailNetwork,
  signal: AbortSignal,
): Promise<Session> {
  const { security } = server.settings
  if (security !== 'opportunistic') {
    return connect(server, network, { plain: security === 'none', signal })
  }
  try {
    return await connect(server, network, { plain: false, signal })
  } catch (error) {
    if (!isTlsFault(error as { code?: string })) throw error
    return connect(server, network, { plain: true, signal })
  }
}

async function connect(
  server: MailServer,
  network: MailNetwork,
  { plain, signal }: { plain: boolean; signal: AbortSignal },
): Promise<Session> {
  const socket = await dial(server, network, signal)
  const { transcript } = network
  if (transcript) beginTranscript(transcript, socket)
  const connection = new SMTPConnection(connectionOptions(server, { network, socket, plain }))
  // An idle connection may fail at any time; `isOpen` tells.
  connection.on('error', () => {})
  const abort = () => connection.close()
  signal.addEventListener('abort', abort)
  try {
    if (signal.aborted) throw failure('EABORT')
    await step<void>(connection, (done) => connection.connect((error) => done(error ?? null)))
    if (transcript) noteTls(transcript, connection._socket)
    const { user } = server.settings
    if (user !== null && server.credential !== null && connection.allowsAuth) {
      const isToken = server.settings.auth !== 'password'
      const method = isToken && tokenMethod(String(connection.lastServerResponse))
      const auth = { user, pass: server.credential, ...(method && { method }) }
      await step(connection, (done) => connection.login(auth, (error) => done(error)))
    }
    return sessionOn(connection)
  } catch (error) {
    connection.close()
    throw signal.aborted ? failure('EABORT') : error
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

function sessionOn(connection: SMTPConnection): Session {
  let isClean = true
  return {
    async send({ from, to, envid, raw, mayBegin, begun }) {
      isClean = false
      // nodemailer calls `pipe` of the message once the server has asked for it.
      const message = {
        pipe(stream: NodeJS.WritableStream) {
          const begin = () => {
            begun()
            stream.end(Buffer.from(raw, 'latin1'))
          }
          const may = mayBegin()
          if (may === true) begin()
          else void may.then((isMine) => isMine && !connection.destroyed && begin())
        },
      }
      // Asked for where the server offers it: a report of failures only, with the headers.
      const dsn = { envid, ret: 'HDRS', notify: 'FAILURE' }
      const sent = await step<{ accepted: string[]; response: string }>(connection, (done) => {
        connection.send({ from, to: [to], dsn }, message as unknown as string, (error, info) => {
          if (error || !info) done(error ?? failure('ECONNECTION'))
          else done(null, { accepted: info.accepted, response: info.response })
        })
      })
      isClean = true
      return sent
    },
    async reset() {
      try {
        await step(connection, (done) => connection.reset((error) => done(error)))
        isClean = true
      } catch {
        connection.close()
      }
    },
    isClean: () => isClean,
    isOpen: () => !connection.destroyed,
    quit: () => connection.quit(),
    close: () => connection.close(),
  }
}

/**
 * Runs one exchange with the server. nodemailer reports a broken connection by events, and not
 * always by the callback; where it does, the callback's error has more detail.
 */
function step<Result>(
  connection: SMTPConnection,
  run: (done: (error: Error | null, result?: Result) => void) => void,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const onEnd = () => {
      void Promise.resolve().then(() => settle(failure('ECONNECTION')))
    }
    const settle = (error: Error | null, result?: Result) => {
      connection.off('error', settle)
      connection.off('end', onEnd)
      if (error) reject(error)
      else resolve(result as Result)
    }
    connection.once('error', settle)
    connection.once('end', onEnd)
    run(settle)
  })
}

/**
 * Requires TLS 1.2 or newer with a verified certificate unless `security` is `none`, and disables
 * nodemailer's log, because the dialogue has codes and passwords; a transcript has neither.
 */
function connectionOptions(
  server: MailServer,
  { network, socket, plain }: { network: MailNetwork; socket: Socket; plain: boolean },
): ConstructorParameters<typeof SMTPConnection>[0] {
  const { host, port, security, auth, ca: own } = server.settings
  const ca = [...(network.ca ?? []), ...(own === null ? [] : [own])]
  return {
    host,
    port,
    connection: socket,
    secure: security === 'tls',
    requireTLS: security === 'starttls',
    ignoreTLS: plain,
    tls: {
      minVersion: 'TLSv1.2',
      rejectUnauthorized: true,
      // The default of these includes the certificates of NODE_EXTRA_CA_CERTS.
      ...(ca.length > 0 ? { ca: [...tls.getCACertificates('default'), ...ca] } : {}),
    },
    ...(auth !== 'password' && { customAuth: tokenLogins(server) }),
    // The time for the greeting and the handshake, after the connection.
    connectionTimeout: greetingTimeoutMs + connectTimeoutMs,
    greetingTimeout: greetingTimeoutMs,
    socketTimeout: socketTimeoutMs,
    socketCloseTimeout: 0,
    logger: network.transcript ? loggerOf(network.transcript) : false,
    debug: network.transcript !== undefined,
  }
}
