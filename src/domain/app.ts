import type { WrappedKey } from './keyring.ts'
import { Problem } from './problem.ts'

/** What an app may set for itself; what is absent follows the server's settings. */
export type Policy = {
  /** Digits, 4 to 10. */
  codeLength?: number
  /** 30 to 86,400. */
  ttlSeconds?: number
  /** 1 to 10, and no more than the server allows. */
  attemptsMax?: number
  /** What a recipient gets whose guess budget is spent: a code of 65 bits, or a refusal. */
  onBudgetExhausted?: 'long_code' | 'refuse'
  /** The code in the mail's subject; off where subjects are logged or shown on locked screens. */
  codeInSubject?: boolean
  /** Codes of 8 digits while the spray alarm is on. */
  longerCodesOnAlarm?: boolean
  /** The https origin where the code is typed; adds `OTP-Token` and the `@domain #code` line. */
  origin?: string
  /** Starts in a minute, no more than the server allows. */
  startsPerMinute?: number
  /** Starts in a day for one recipient, no more than the server allows. */
  recipientStartsPerDay?: number
}

export type SmtpSecurity = 'tls' | 'starttls' | 'none'

/** The mail server of an app. The password is sealed and bound to host, port, security and user. */
export type EmailChannel = {
  host: string
  port: number
  security: SmtpSecurity
  user: string | null
  from: string
  fromName: string | null
  passwordSealed: Uint8Array | null
  /** Registered by a stranger: only public addresses are dialled. */
  publicOnly: boolean
  updatedAt: number
}

export type App = {
  id: string
  name: string
  policy: Policy
  email: EmailChannel | null
  dataKey: WrappedKey
  createdAt: number
  updatedAt: number
  /** When the spray alarm went off; null while calm. */
  alarmAt: number | null
}

export type AppKey = {
  id: string
  appId: string
  mode: 'live' | 'test'
  /** The visible head and tail, to tell keys apart: `otpm_live_` and four characters. */
  prefix: string
  lastFour: string
  createdAt: number
  revokedAt: number | null
}

/** Where an SMTP password belongs: to one app and to one endpoint (security.md K6). */
export function passwordPlace(appId: string, email: Omit<EmailChannel, 'passwordSealed'>) {
  return {
    table: 'email_channels',
    row: appId,
    column: 'password_sealed',
    binding: [email.host, email.port, email.security, email.user ?? ''].join('\0'),
  }
}

/** Where the address of a verification belongs. */
export function recipientPlace(verificationId: string) {
  return { table: 'verifications', row: verificationId, column: 'recipient_sealed' }
}

/**
 * A name as it may stand in a subject and a From header: 1 to 64 characters of NFC without control,
 * bidi or invisible characters. Throws `invalid_request` naming `field`.
 */
export function readName(input: unknown, field = 'name'): string {
  const name = typeof input === 'string' ? input.trim().normalize('NFC') : ''
  const length = [...name].length
  if (length < 1 || length > 64 || /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u.test(name)) {
    throw new Problem('invalid_request', {
      errors: [{ field, reason: 'must be 1 to 64 characters without control characters' }],
    })
  }
  return name
}
