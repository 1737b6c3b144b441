import { addressMax } from '../verification/recipient.ts'
import { type EndpointField, namesOf, type Pace, paceFields } from './endpoint-fields.ts'

export const smtpSecurities = ['tls', 'starttls', 'opportunistic', 'none'] as const
export type SmtpSecurity = (typeof smtpSecurities)[number]

/**
 * How to log in: with a password, or with an access token (OAuth 2.0) that Google gives for a refresh
 * token or a service account, or Microsoft for a refresh token or the app itself.
 */
export const smtpAuths = [
  'password',
  'google',
  'google_service_account',
  'microsoft',
  'microsoft_app',
] as const
export type SmtpAuth = (typeof smtpAuths)[number]

export type SmtpSettings = Pace & {
  kind: 'email'
  host: string
  port: number
  security: SmtpSecurity
  /** Null for a server without login. */
  user: string | null
  auth: SmtpAuth
  /** The Microsoft tenant; null with other logins. */
  tenant: string | null
  /** The OAuth client, or the address of the service account; null with a password. */
  clientId: string | null
  from: string
  fromName: string | null
  /** PEM certificates that are trusted besides the system's; null for none. */
  ca: string | null
}

/** Every field of an SMTP endpoint: wire name, type, bounds and description. */
export const smtpFields = {
  host: {
    type: 'text',
    min: 1,
    max: 253,
    must: 'a host name or an IP address',
    wire: 'host',
    destination: true,
    required: true,
    says: 'Host name or IP address of the mail server.',
  },
  port: {
    type: 'integer',
    min: 1,
    max: 65_535,
    wire: 'port',
    destination: true,
    required: true,
    says: 'Its port: 587 (STARTTLS) or 465 (implicit TLS) with most providers.',
  },
  security: {
    type: 'choice',
    of: smtpSecurities,
    wire: 'security',
    destination: true,
    says:
      'tls: implicit TLS (default on 465). starttls: required (default elsewhere). ' +
      'opportunistic: STARTTLS if it is offered and trusted, else plain (default on loopback). ' +
      'none: plain text.',
  },
  user: {
    type: 'text',
    min: 1,
    max: 256,
    must: '1 to 256 characters without control characters',
    wire: 'user',
    destination: true,
    nullable: true,
    says: 'The login or mailbox; the From address if absent, null for no login.',
  },
  auth: {
    type: 'choice',
    of: smtpAuths,
    wire: 'auth',
    destination: true,
    says:
      'password: the default. google, google_service_account: a token of Google for a refresh token ' +
      'or a service account. microsoft, microsoft_app: a token of Microsoft for a refresh token or ' +
      'for the app itself.',
  },
  tenant: {
    type: 'text',
    min: 1,
    max: 253,
    must: 'the id (GUID) or a domain of the tenant',
    wire: 'tenant',
    destination: true,
    nullable: true,
    says: 'The Microsoft tenant: its id or a domain of it.',
  },
  clientId: {
    type: 'text',
    min: 1,
    max: 256,
    must: '1 to 256 characters without control characters',
    wire: 'client_id',
    destination: true,
    nullable: true,
    says: 'The OAuth client. For a service account its address is shown here.',
  },
  password: {
    type: 'text',
    min: 1,
    max: 1024,
    must: '1 to 1024 characters without control characters',
    wire: 'password',
    secret: true,
    asks: 'Password of the mail server',
    file: true,
    says: 'Write-only. Needed again when anything changes that says where it goes.',
  },
  clientSecret: {
    type: 'text',
    min: 1,
    max: 1024,
    must: '1 to 1024 characters without control characters',
    wire: 'client_secret',
    secret: true,
    asks: 'Secret of the OAuth client',
    file: true,
    says: 'Write-only. The secret of the OAuth client; with auth microsoft it may be absent.',
  },
  refreshToken: {
    type: 'text',
    min: 1,
    max: 8192,
    must: '1 to 8192 characters without control characters',
    wire: 'refresh_token',
    secret: true,
    asks: 'Refresh token',
    file: true,
    says: 'Write-only. What the owner of the mailbox consented to.',
  },
  serviceAccount: {
    type: 'text',
    min: 1,
    max: 8192,
    must: 'the JSON key of a Google service account, with an RSA key of 2048 bits or more',
    lines: true,
    wire: 'service_account',
    secret: true,
    file: true,
    says: 'Write-only. The JSON key of a Google service account, as its file holds it.',
  },
  from: {
    type: 'text',
    min: 3,
    max: addressMax,
    must: 'one e-mail address like ada@example.com',
    wire: 'from',
    required: true,
    says: 'The From address.',
  },
  fromName: {
    type: 'text',
    min: 1,
    max: 64,
    must: '1 to 64 characters without control characters',
    wire: 'from_name',
    nullable: true,
    says: 'The name of the sender.',
  },
  ca: {
    type: 'text',
    min: 1,
    max: 8192,
    must: 'certificates in PEM of at most 8,192 characters, and nothing else',
    lines: true,
    wire: 'ca',
    destination: true,
    nullable: true,
    file: true,
    says:
      'Certificates (PEM) of an authority of your own, trusted for this server besides the ' +
      'system’s; none if absent or null.',
  },
  ...paceFields,
} as const satisfies Record<string, EndpointField>

export type SmtpField = keyof typeof smtpFields
export const smtpFieldList = Object.entries(smtpFields) as [SmtpField, EndpointField][]

/** An endpoint's settings as received, not validated. */
export type SmtpInput = { [Name in SmtpField]?: unknown }

/** The caller's names of the fields, for reporting mistakes. */
export type SmtpNames = Record<SmtpField, string>

export const emailNames = namesOf('email', smtpFields)
