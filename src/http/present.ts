import { t } from 'elysia'
import type { App, AppKey } from '../domain/app.ts'
import { policyRules } from '../domain/policy.ts'
import { attemptsLeft, statusOf, type Verification } from '../domain/verification.ts'
import { timestamp } from './reply.ts'
import { object, oneOf } from './schema.ts'

export const statuses = ['pending', 'approved', 'canceled', 'expired', 'exhausted'] as const
const deliveryStatuses = ['queued', 'sent', 'deferred', 'refused', 'undeliverable'] as const

const time = (description: string) =>
  t.String({ description: `${description} RFC 3339, UTC, milliseconds.` })
const count = (description: string) => t.Number({ multipleOf: 1, minimum: 0, description })

export const verificationFields = {
  id: t.String({ description: '22 characters of base62, 128 random bits.' }),
  status: oneOf(statuses, 'What became of it so far.'),
  mode: oneOf(['live', 'test'], 'The mode of the key that started it.'),
  to: t.String({ description: 'The recipient, masked.' }),
  channel: oneOf(['email', 'inbox'], '`inbox` for test keys: nothing leaves the machine.'),
  purpose: t.String({ description: 'As given at the start.' }),
  locale: t.Optional(t.String({ description: 'As given at the start.' })),
  metadata: t.Optional(
    t.Record(t.String(), t.String(), { description: 'As given at the start; never in the mail.' }),
  ),
  code_length: count('Characters of the code.'),
  code_format: oneOf(
    ['numeric', 'crockford'],
    '`crockford`: 13 letters and digits, sent when the recipient’s guess budget is spent.',
  ),
  reference: t.String({ description: 'A short tag, not secret, that also stands in the mail.' }),
  created_at: time('When it was started.'),
  expires_at: time('From then on the code is refused.'),
  attempts_left: count('Wrong codes that it still takes.'),
  resend_at: time('From when the next resend is allowed.'),
  sends_left: count('Resends that are left.'),
  delivery: object(
    {
      status: oneOf(deliveryStatuses, 'How the latest message stands.'),
      detail: t.Optional(t.String({ description: 'The mail server’s words.' })),
    },
    { description: 'The latest message.' },
  ),
}

export const verificationSchema = object(verificationFields)

export function presentVerification(verification: Verification, now: number) {
  const { delivery, locale, metadata } = verification
  return {
    id: verification.id,
    status: statusOf(verification, now),
    mode: verification.mode,
    to: verification.to,
    channel: verification.channel,
    purpose: verification.purpose,
    ...(locale !== null && { locale }),
    ...(metadata !== null && { metadata }),
    code_length: verification.codeLength,
    code_format: verification.codeFormat,
    reference: verification.reference,
    created_at: timestamp(verification.createdAt),
    expires_at: timestamp(verification.expiresAt),
    attempts_left: attemptsLeft(verification),
    resend_at: timestamp(verification.resendAt),
    sends_left: Math.max(0, verification.resendsMax - verification.resendsSpent),
    delivery: {
      status: delivery.status,
      ...(delivery.detail !== null && { detail: delivery.detail }),
    },
  }
}

export const exampleVerification = {
  id: '2sXyKBqCk1uT5vYw8ZaDfG',
  status: 'pending',
  mode: 'live',
  to: 'a***@example.com',
  channel: 'email',
  purpose: 'sign-in',
  code_length: 6,
  code_format: 'numeric',
  reference: 'KF42',
  created_at: '2026-11-22T09:00:00.000Z',
  expires_at: '2026-11-22T09:10:00.000Z',
  attempts_left: 5,
  resend_at: '2026-11-22T09:00:30.000Z',
  sends_left: 3,
  delivery: { status: 'sent', detail: '250 2.0.0 Ok: queued' },
}

export const keySchema = object({
  id: t.String({ description: 'Names the key in the routes and in the audit.' }),
  mode: oneOf(['live', 'test'], 'A test key’s messages go to the built-in inbox.'),
  prefix: t.String({ description: 'How the key begins.' }),
  last_four: t.String({ description: 'How it ends.' }),
  created_at: time('When it was made.'),
  revoked_at: t.Optional(time('From then on it is unknown.')),
})

export function presentKey({ id, mode, prefix, lastFour, createdAt, revokedAt }: AppKey) {
  return {
    id,
    mode,
    prefix,
    last_four: lastFour,
    created_at: timestamp(createdAt),
    ...(revokedAt !== null && { revoked_at: timestamp(revokedAt) }),
  }
}

export function presentApp({ id, name, email, createdAt, updatedAt, alarmAt, policy }: App) {
  return {
    id,
    name,
    policy: presentPolicy(policy),
    email: email && {
      host: email.host,
      port: email.port,
      security: email.security,
      user: email.user,
      from: email.from,
      from_name: email.fromName,
      has_password: email.passwordSealed !== null,
      public_only: email.publicOnly,
      updated_at: timestamp(email.updatedAt),
    },
    alarm_at: alarmAt === null ? null : timestamp(alarmAt),
    created_at: timestamp(createdAt),
    updated_at: timestamp(updatedAt),
  }
}

function presentPolicy(policy: App['policy']) {
  const fields = Object.keys(policyRules) as (keyof App['policy'])[]
  const set = fields.filter((field) => policy[field] !== undefined)
  return Object.fromEntries(set.map((field) => [policyRules[field].wire, policy[field]]))
}
