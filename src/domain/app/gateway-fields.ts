import { type FieldTable, type Pace, paceFields } from './endpoint-fields.ts'

export type TwilioSettings = Pace & { kind: 'twilio'; accountSid: string; from: string }
export type TwilioSecrets = { authToken: string }

export type VonageSettings = Pace & {
  kind: 'vonage'
  apiKey: string
  from: string
  signatureMethod: 'sha256' | 'sha512'
}
export type VonageSecrets = { apiSecret: string; signatureSecret?: string }

export type SnsSettings = Pace & {
  kind: 'sns'
  region: string
  accessKeyId: string
  senderId: string | null
}
export type SnsSecrets = { secretAccessKey: string }

export type WhatsappSettings = Pace & {
  kind: 'whatsapp'
  phoneNumberId: string
  template: string
  templateLanguage: string
  graphVersion: string
}
export type WhatsappSecrets = { accessToken: string; appSecret?: string; verifyToken?: string }

export type TelegramGatewaySettings = Pace & { kind: 'telegram_gateway'; sender: string | null }
export type TelegramGatewaySecrets = { accessToken: string }

/** The gateways that take a telephone number. */
export type GatewaySettings =
  | TwilioSettings
  | VonageSettings
  | SnsSettings
  | WhatsappSettings
  | TelegramGatewaySettings

/** Write-only: what a gateway gave for its API. */
const secret = {
  type: 'text',
  min: 1,
  max: 1024,
  must: '1 to 1024 visible characters without spaces',
  secret: true,
  file: true,
  pattern: '^[!-~]+$',
} as const

const sender = {
  type: 'text',
  min: 1,
  max: 40,
  must: 'a number like +4915112345678, or 2 to 11 letters, digits and spaces, a letter first',
  pattern: '^([+]?[0-9]{3,15}|[A-Za-z][A-Za-z0-9 ]{1,10})$',
} as const

export const twilioFields = {
  accountSid: {
    type: 'text',
    min: 34,
    max: 34,
    must: 'AC and 32 hexadecimal digits',
    wire: 'account_sid',
    required: true,
    destination: true,
    asks: 'Twilio account SID',
    pattern: '^AC[0-9a-fA-F]{32}$',
    says: 'The account, AC and 32 digits.',
  },
  authToken: {
    ...secret,
    wire: 'auth_token',
    required: true,
    asks: 'Twilio auth token',
    says: 'Write-only. Logs in, and verifies status callbacks.',
  },
  from: {
    ...sender,
    must: `${sender.must}, or MG and 32 hexadecimal digits`,
    wire: 'from',
    required: true,
    asks: 'From (number, sender name or MG...)',
    pattern: '^([+]?[0-9]{3,15}|[A-Za-z][A-Za-z0-9 ]{1,10}|MG[0-9a-fA-F]{32})$',
    says: 'The number or the name that sends, or a messaging service (MG and 32 digits).',
  },
  ...paceFields,
} as const satisfies FieldTable

export const vonageFields = {
  apiKey: {
    type: 'text',
    min: 1,
    max: 64,
    must: '1 to 64 letters and digits',
    wire: 'api_key',
    required: true,
    destination: true,
    asks: 'Vonage API key',
    pattern: '^[A-Za-z0-9]+$',
    says: 'The key of the account.',
  },
  apiSecret: {
    ...secret,
    wire: 'api_secret',
    required: true,
    asks: 'Vonage API secret',
    says: 'Write-only. Logs in.',
  },
  signatureSecret: {
    ...secret,
    wire: 'signature_secret',
    nullable: true,
    says: 'Write-only. Verifies signed receipts; without it every receipt is refused.',
  },
  signatureMethod: {
    type: 'choice',
    of: ['sha256', 'sha512'],
    wire: 'signature_method',
    usual: 'sha256',
    says: 'How receipts are signed: HMAC with SHA-256 (the default) or SHA-512.',
  },
  from: {
    ...sender,
    wire: 'from',
    required: true,
    asks: 'From (number or sender name)',
    says: 'The number or the name that sends.',
  },
  ...paceFields,
} as const satisfies FieldTable

export const snsFields = {
  region: {
    type: 'text',
    min: 9,
    max: 32,
    must: 'a region like eu-central-1',
    wire: 'region',
    required: true,
    destination: true,
    asks: 'AWS region',
    pattern: '^[a-z]{2}(-[a-z]{2,12}){1,3}-[0-9]{1,2}$',
    says: 'The AWS region.',
  },
  accessKeyId: {
    type: 'text',
    min: 16,
    max: 128,
    must: '16 to 128 letters and digits',
    wire: 'access_key_id',
    required: true,
    destination: true,
    asks: 'AWS access key id',
    pattern: '^[A-Za-z0-9_]+$',
    says: 'An access key whose policy allows sns:Publish and sns:GetSMSAttributes.',
  },
  secretAccessKey: {
    ...secret,
    wire: 'secret_access_key',
    required: true,
    asks: 'AWS secret access key',
    says: 'Write-only. Signs requests; it is never sent.',
  },
  senderId: {
    type: 'text',
    min: 1,
    max: 11,
    must: '1 to 11 letters, digits and hyphens, a letter first',
    wire: 'sender_id',
    nullable: true,
    pattern: '^[A-Za-z][A-Za-z0-9-]{0,10}$',
    says: 'The name that sends, where the country allows one.',
  },
  ...paceFields,
} as const satisfies FieldTable

export const whatsappFields = {
  phoneNumberId: {
    type: 'text',
    min: 5,
    max: 32,
    must: '5 to 32 digits',
    wire: 'phone_number_id',
    required: true,
    destination: true,
    asks: 'WhatsApp phone number id',
    pattern: '^[0-9]+$',
    says: 'The id of the number that sends, not the number.',
  },
  accessToken: {
    ...secret,
    wire: 'access_token',
    required: true,
    asks: 'WhatsApp access token',
    says: 'Write-only. The token of a system user.',
  },
  appSecret: {
    ...secret,
    wire: 'app_secret',
    nullable: true,
    says: 'Write-only. Verifies status callbacks; without it every one is refused.',
  },
  verifyToken: {
    ...secret,
    wire: 'verify_token',
    nullable: true,
    says: 'Write-only. What you type into Meta’s form beside the callback URL.',
  },
  template: {
    type: 'text',
    min: 1,
    max: 512,
    must: 'lower-case letters, digits and underscores',
    wire: 'template',
    required: true,
    asks: 'Name of the authentication template',
    pattern: '^[a-z0-9_]+$',
    says: 'The name of the approved authentication template, with a copy-code button.',
  },
  templateLanguage: {
    type: 'text',
    min: 2,
    max: 8,
    must: 'a language of WhatsApp like en or pt_BR',
    wire: 'template_language',
    usual: 'en',
    pattern: '^[a-z]{2,3}(_[A-Z]{2,3})?$',
    says: 'The language of the template (default en).',
  },
  graphVersion: {
    type: 'text',
    min: 5,
    max: 6,
    must: 'a version like v23.0',
    wire: 'graph_version',
    usual: 'v23.0',
    pattern: '^v[0-9]{2,3}[.]0$',
    says: 'The version of Meta’s Graph API (default v23.0).',
  },
  ...paceFields,
} as const satisfies FieldTable

export const telegramGatewayFields = {
  accessToken: {
    ...secret,
    wire: 'access_token',
    required: true,
    asks: 'Telegram Gateway access token',
    says: 'Write-only. Logs in, and verifies reports.',
  },
  sender: {
    type: 'text',
    min: 5,
    max: 32,
    must: '5 to 32 letters, digits and underscores, without @',
    wire: 'sender',
    nullable: true,
    pattern: '^[A-Za-z][A-Za-z0-9_]{4,31}$',
    says: 'The username of a verified channel that sends; Telegram’s own if absent.',
  },
  ...paceFields,
} as const satisfies FieldTable
