import { Readable } from 'node:stream'
import SMTPPool from 'nodemailer/lib/smtp-pool'
import { type App, type EmailChannel, passwordPlace } from '../domain/app.ts'
import type { Ports } from '../domain/ports.ts'
import { type MailNetwork, smtpOptions } from './smtp-options.ts'
import { passwordForms, type SmtpFailure } from './smtp-outcome.ts'

/** The part of nodemailer's MailMessage that its pool reads; a transport gets no more. */
type PooledMail = Parameters<SMTPPool['send']>[0]

type Mail = { envelope: { from: string; to: string[] }; raw: string; signal: AbortSignal }

export type Handed =
  | { taken: true; accepted: string[]; response: string }
  /** `dataBegun`: the server had asked for the message and may have got all of it. */
  | { taken: false; failure: SmtpFailure; dataBegun: boolean }

export type MailPool = {
  send(mail: Mail): Promise<Handed>
  /** What the server said when it refused the login; null when it may be tried. */
  loginRefused(): string | null
  /** Nothing is dialled for a minute; what waits for a connection fails at once. */
  refuseLogin(detail: string): void
}

type Entry = MailPool & { updatedAt: number; waiting(): number; close(): void }

const poolsMax = 500
const poolOptions = {
  /** security.md D10; more of them do not send faster (docs/performance.md). */
  maxConnections: 3,
  maxMessages: 1_000,
  idleTimeout: 60_000,
}
const loginPauseMs = 60_000

/** One pool of connections for each app, as long as its settings stay. */
export function createPools({
  keyring,
  clock,
  network,
}: Pick<Ports, 'keyring' | 'clock'> & { network: MailNetwork }) {
  const pools = new Map<string, Entry>()

  const remove = (appId: string) => {
    pools.get(appId)?.close()
    pools.delete(appId)
  }
  const open = (app: App, email: EmailChannel): Entry | null => {
    const password = openPassword(keyring, app, email)
    return password === undefined
      ? null
      : createPool(smtpOptions(email, password, network), email, clock)
  }
  return {
    /** Null when the password does not open, which only setting it again can mend. */
    of(app: App, email: EmailChannel): MailPool | null {
      const known = pools.get(app.id)
      // A hand-over may be older than the settings by now; it does not bring the old ones back.
      if (known && known.updatedAt >= email.updatedAt) {
        // Back to the end: the front is what nobody used for longest.
        pools.delete(app.id)
        pools.set(app.id, known)
        return known
      }
      remove(app.id)
      const pool = open(app, email)
      if (pool === null) return null
      if (pools.size >= poolsMax) {
        const idle = [...pools].find(([, entry]) => entry.waiting() === 0) ?? [...pools][0]
        if (idle) remove(idle[0])
      }
      pools.set(app.id, pool)
      return pool
    },
    close() {
      for (const appId of [...pools.keys()]) remove(appId)
    },
  }
}

/** Null where the app has none, undefined where it has one that does not open. */
export function openPassword(
  keyring: Ports['keyring'],
  app: App,
  email: EmailChannel,
): string | null | undefined {
  if (email.passwordSealed === null) return null
  try {
    return keyring.open(app.id, app.dataKey, passwordPlace(app.id, email), email.passwordSealed)
  } catch {
    return undefined
  }
}

function createPool(options: SMTPPool.Options, email: EmailChannel, clock: Ports['clock']): Entry {
  const open = () => new SMTPPool({ ...options, ...poolOptions })
  let pool = open()
  let refused = { until: 0, detail: '' }
  const passwords = passwordForms(options.auth)
  return {
    updatedAt: email.updatedAt,
    waiting: () => pool.pendingCount(),
    async send(mail) {
      const handed = await hand(pool, mail)
      if (handed.taken) return handed
      const { code, originalCode, response, command } = handed.failure
      const failure = { code, originalCode, response, command, passwords }
      return { ...handed, failure }
    },
    loginRefused: () => (clock.now() < refused.until ? refused.detail : null),
    refuseLogin(detail) {
      refused = { until: clock.now() + loginPauseMs, detail }
      pool.close()
      pool = open()
    },
    close: () => pool.close(),
  }
}

/**
 * Gives the pool what it reads of a mail: envelope, message and signal. nodemailer's `sendMail`
 * would first wrap a composed message into a MIME tree and two more streams, which costs more than
 * all the rest of sending (docs/performance.md).
 */
function hand(pool: SMTPPool, { envelope, raw, signal }: Mail): Promise<Handed> {
  let stream: Readable | null = null
  // Asked for again when a connection turns out to be dead before anything was read.
  const createReadStream = () => {
    stream = Readable.from([Buffer.from(raw, 'latin1')], { objectMode: false })
    return stream
  }
  const getEnvelope = () => ({ ...envelope })
  const message = { getEnvelope, createReadStream, getHeader: () => '', messageId: () => '' }
  const mail = { data: { signal }, message } as unknown as PooledMail
  return new Promise((resolve) => {
    pool.send(mail, (failure, info) => {
      if (!failure && info) {
        resolve({ taken: true, accepted: info.accepted, response: info.response })
      } else {
        resolve({
          taken: false,
          failure: failure ?? {},
          dataBegun: stream?.readableDidRead ?? false,
        })
      }
    })
  })
}
