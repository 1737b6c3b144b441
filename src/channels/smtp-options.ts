import net from 'node:net'
import tls from 'node:tls'
import type SMTPPool from 'nodemailer/lib/smtp-pool'
import type { EmailChannel } from '../domain/app.ts'
import type { MailEgress } from './egress.ts'
import { notPublicCode } from './smtp-outcome.ts'

/** security.md D10. nodemailer's own are minutes, longer than a code may live. */
export const connectTimeoutMs = 8_000
const greetingTimeoutMs = 8_000
const socketTimeoutMs = 20_000
const dnsTimeoutMs = 4_000

export type MailNetwork = {
  egress: MailEgress
  /** PEM certificates trusted besides the system's and those of NODE_EXTRA_CA_CERTS. */
  ca?: string[]
}

/**
 * How an app's mail server is reached: TLS 1.2 or better with a verified certificate unless the
 * operator said `none`, and nothing logged: a dialogue holds codes and passwords.
 */
export function smtpOptions(
  email: EmailChannel,
  password: string | null,
  { egress, ca = [] }: MailNetwork,
): SMTPPool.Options {
  const { host, port, security, user } = email
  return {
    host,
    port,
    secure: security === 'tls',
    requireTLS: security === 'starttls',
    ignoreTLS: security === 'none',
    tls: {
      minVersion: 'TLSv1.2',
      rejectUnauthorized: true,
      ...(ca.length > 0 ? { ca: [...tls.rootCertificates, ...ca] } : {}),
    },
    ...(user !== null && password !== null ? { auth: { user, pass: password } } : {}),
    connectionTimeout: connectTimeoutMs,
    greetingTimeout: greetingTimeoutMs,
    socketTimeout: socketTimeoutMs,
    dnsTimeout: dnsTimeoutMs,
    logger: false,
    debug: false,
    ...(email.publicOnly ? { getSocket: publicSocket(egress, host, port) } : {}),
  }
}

/**
 * Resolves and checks at every dial, then dials an address that was checked: a name that was public
 * when it was registered leads nowhere else later. nodemailer verifies the certificate on the name.
 */
function publicSocket(
  egress: MailEgress,
  host: string,
  port: number,
): NonNullable<SMTPPool.Options['getSocket']> {
  return (_options, callback) => {
    egress
      .publicAddresses(host)
      .then((reached) => {
        if (reached.reach === 'public') return dialFirst(reached.addresses, port)
        throw failure(reached.reach === 'unknown' ? 'EDNS' : notPublicCode)
      })
      .then(
        (connection) => callback(null, { connection }),
        (error: Error) => callback(error),
      )
  }
}

/** The first address that answers; they share the time that connecting may take. */
async function dialFirst(addresses: string[], port: number): Promise<net.Socket> {
  const eachMs = connectTimeoutMs / addresses.length
  let last: unknown
  for (const address of addresses) {
    try {
      return await dial(address, port, eachMs)
    } catch (error) {
      last = error
    }
  }
  throw last
}

function dial(host: string, port: number, timeoutMs: number): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host, port })
    const late = setTimeout(() => {
      socket.destroy()
      reject(failure('ETIMEDOUT'))
    }, timeoutMs)
    socket.once('error', (error) => {
      clearTimeout(late)
      reject(error)
    })
    socket.once('connect', () => {
      clearTimeout(late)
      socket.removeAllListeners('error')
      resolve(socket)
    })
  })
}

function failure(code: string): Error {
  return Object.assign(new Error(code), { code })
}
