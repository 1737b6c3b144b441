import type SMTPConnection from 'nodemailer/lib/smtp-connection'
import { failure } from '../connect.ts'
import type { MailServer } from './mail-job.ts'

type Options = NonNullable<ConstructorParameters<typeof SMTPConnection>[0]>
type Handlers = NonNullable<Options['customAuth']>
type Exchange = Parameters<Handlers[string]>[0]

/** The mechanisms that log in with an access token, the preferred first. */
const mechanisms = ['XOAUTH2', 'OAUTHBEARER'] as const

/** nodemailer takes the name XOAUTH2 for its own, and sends the token with PLAIN then. */
const methodOf = (mechanism: string) => `TOKEN ${mechanism}`

/**
 * nodemailer's method for an access token, by the mechanisms in the server's reply to EHLO. Throws an
 * error of code ENOAUTH where it offers none.
 */
export function tokenMethod(reply: string): string {
  const offered = [...reply.matchAll(/^250[ -]AUTH[ =](.*)$/gim)].flatMap(([, names = '']) =>
    names.trim().toUpperCase().split(/\s+/),
  )
  const mechanism = mechanisms.find((name) => offered.includes(name))
  if (mechanism === undefined) throw failure('ENOAUTH')
  return methodOf(mechanism)
}

/** Logs in with an access token: Google's XOAUTH2, and OAUTHBEARER (RFC 7628). */
export function tokenLogins({ settings, credential }: MailServer): Handlers {
  const { user, host, port } = settings
  const bearer = `auth=Bearer ${credential ?? ''}\u0001\u0001`
  const name = (user ?? '').replaceAll('=', '=3D').replaceAll(',', '=2C')
  return {
    [methodOf('XOAUTH2')]: exchange('XOAUTH2', `user=${user}\u0001${bearer}`, ''),
    [methodOf('OAUTHBEARER')]: exchange(
      'OAUTHBEARER',
      `n,a=${name},\u0001host=${host}\u0001port=${port}\u0001${bearer}`,
      base64('\u0001'),
    ),
  }
}

/** The longest command, with its line break (RFC 5321 section 4.5.3.1.4). */
const commandMax = 512

/**
 * Sends the token: with the command, or after the server's go-ahead where that makes the command too
 * long (RFC 4954 section 4). Sends `end` where the server gives its reason before it refuses.
 */
function exchange(mechanism: string, message: string, end: string) {
  return async ({ sendCommand }: Exchange): Promise<void> => {
    const command = `AUTH ${mechanism}`
    const token = base64(message)
    const isLong = command.length + token.length + 3 > commandMax
    let reply = await sendCommand(isLong ? command : `${command} ${token}`)
    if (isLong && reply.status === 334) reply = await sendCommand(token)
    if (reply.status === 334) reply = await sendCommand(end)
    if (reply.status !== 235) throw failure('EAUTH')
  }
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}
