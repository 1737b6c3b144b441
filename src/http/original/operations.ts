import { type TSchema, t } from 'elysia'
import type { EndpointField } from '../../domain/app/endpoint-fields.ts'
import { smtpFields } from '../../domain/app/smtp-fields.ts'
import { emailPattern, namePattern, portPattern, textPattern } from '../core/patterns.ts'
import type { Operation } from '../core/route.ts'
import { securityField, wireFieldOrNull } from '../core/wire-field.ts'

const tag = 'Original API'
const plain = t.String()

/** A body; other fields are ignored, as in the original. */
function body(component: string, fields: Record<string, TSchema>): TSchema {
  return t.Object(fields, { component })
}

const secretKey = t.String({
  minLength: 8,
  maxLength: 256,
  description: 'The app’s key, which you choose: 8 to 256 characters. It authenticates the app.',
  shown: { pattern: textPattern },
})
const mail = t.String({
  maxLength: 254,
  description: 'The recipient: one e-mail address.',
  shown: { pattern: emailPattern },
})

function smtp(field: EndpointField, says: string = field.says): TSchema {
  return wireFieldOrNull({ ...field, says })
}

export const registerSecretKey = {
  id: 'registerSecretKey',
  tag,
  summary: 'Register a secretKey and its mail server',
  description:
    'Needs `Authorization: Bearer <admin token>` unless registration is open or the server runs ' +
    'in developer mode. A taken secretKey is never overwritten. With open registration and ' +
    'without the token, the mail server must have public addresses only and accept the login, ' +
    'the From address must be in the domain of the login, and one address may call 10 times a ' +
    'minute.',
  draft: body('RegisterRequest', {
    secretKey,
    smtp_host: smtp(
      smtpFields.host,
      `${smtpFields.host.says} In developer mode "inbox" keeps the mails here.`,
    ),
    smtp_port: t.Union([smtp(smtpFields.port), t.String({ pattern: portPattern })], {
      description: smtpFields.port.says,
    }),
    smtp_mail: smtp(smtpFields.from, 'The From address, and the user unless smtp_user is given.'),
    smtp_password: smtp(
      smtpFields.password,
      'Stored encrypted, bound to host, port, security and user.',
    ),
    smtp_user: t.Optional(smtp(smtpFields.user)),
    smtp_from_name: t.Optional(smtp(smtpFields.fromName)),
    smtp_security: t.Optional(securityField),
    app_name: t.Optional(
      t.String({
        minLength: 1,
        maxLength: 64,
        description: 'Shown in the mail; without it the subject is “123456 is your code”.',
        shown: { pattern: namePattern },
      }),
    ),
  }),
  example: {
    secretKey: 'a-long-secret-of-your-own',
    smtp_host: 'smtp.example.com',
    smtp_port: 587,
    smtp_mail: 'codes@example.com',
    smtp_password: 'the mailbox password',
  },
  answers: {
    200: {
      description: 'Registered.',
      schema: plain,
      example: 'Registration of secretKey succeeded.',
    },
  },
  problems: [
    'invalid_request',
    'secret_key_taken',
    'host_not_public',
    'login_refused',
    'registration_closed',
    'unauthorized',
    'rate_limited',
    'store_unavailable',
  ],
} satisfies Operation

export const sendOtp = {
  id: 'sendOtp',
  tag,
  summary: 'Mail a code',
  description:
    'Answers once the mail server has accepted the mail or may have, after 20 seconds at ' +
    'most. 400 means that no mail arrives. With the shareableKey of a live code the same code is ' +
    'mailed again.',
  draft: body('OtpRequest', {
    mail,
    secretKey,
    shareableKey: t.Optional(
      t.String({ description: 'Of a live code: sends the same code again.' }),
    ),
  }),
  example: { mail: 'ada@example.com', secretKey: 'a-long-secret-of-your-own' },
  answers: {
    200: {
      description: 'The shareable key.',
      schema: plain,
      example: '0Uw3Xa8bQ2sXyKBqCk1uT5vYw8ZaDf',
    },
  },
  problems: [
    'invalid_request',
    'app_not_found',
    'verification_not_found',
    'channel_not_configured',
    'app_paused',
    'rate_limited',
    'budget_exhausted',
    'delivery_backlog',
    'resend_too_early',
    'sends_exhausted',
    'store_unavailable',
  ],
} satisfies Operation

export const verifyOtp = {
  id: 'verifyOtp',
  tag,
  summary: 'Check a code',
  description:
    'A wrong code costs an attempt; text that cannot be the code costs none. The last wrong ' +
    'attempt answers 403, every later one `Maximum Attempts Reached!`. Checks codes of `/otp` ' +
    'only.',
  draft: body('VerifyOtpRequest', {
    shareableKey: t.String({ description: 'As `/otp` answered.' }),
    otp: t.String({ description: 'What the person typed; spaces and hyphens are ignored.' }),
  }),
  example: { shareableKey: '0Uw3Xa8bQ2sXyKBqCk1uT5vYw8ZaDf', otp: '123456' },
  answers: {
    201: { description: 'Right; the code is used now.', schema: plain, example: 'OTP Matched!' },
    403: { description: 'Wrong.', schema: plain, example: 'OTP Mismatched!' },
  },
  problems: [
    'invalid_request',
    'verification_not_found',
    'verification_exhausted',
    'check_too_early',
    'rate_limited',
    'store_unavailable',
  ],
} satisfies Operation
