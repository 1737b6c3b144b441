import { type Static, t } from 'elysia'
import type { ProblemCode } from '../domain/problem.ts'
import { channelNames } from '../domain/verification.ts'
import { exampleVerification, statuses, verificationFields, verificationSchema } from './present.ts'
import { integer, object, oneOf, shaped } from './schema.ts'

const tag = 'Verifications'
const waitHeader = {
  Prefer:
    '`wait=N`: hold the answer until the delivery has an outcome, 0 to 30 seconds (RFC 7240).',
}
const dead: ProblemCode[] = [
  'verification_not_found',
  'verification_expired',
  'verification_exhausted',
  'verification_used',
  'verification_canceled',
]

const startBody = object({
  to: t.String({ maxLength: 254, description: 'The recipient: one e-mail address.' }),
  channel: t.Optional(
    oneOf(channelNames, 'How the code travels. A test key’s messages stay in the inbox.'),
  ),
  purpose: t.Optional(
    shaped(
      '^[a-z0-9][a-z0-9_.-]{0,63}$',
      'must be 1 to 64 characters of a-z, 0-9, _, . and -',
      'What the code is for (default `default`).',
    ),
  ),
  locale: t.Optional(
    shaped(
      '^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}$',
      'must be a language tag like de-AT',
      'The language of the mail, a BCP 47 tag like `de-AT`.',
    ),
  ),
  code_length: t.Optional(integer(4, 10, 'Digits of the code; else the app’s or server’s.')),
  ttl_seconds: t.Optional(integer(30, 86_400, 'Seconds that the code lives.')),
  variables: t.Optional(t.Object({}, { description: 'For templates; must be empty until then.' })),
  client_ip: t.Optional(
    shaped(
      '^[0-9A-Fa-f:.]{2,45}$',
      'must be an IP address',
      'The person’s IP address as your server sees it. Neither stored nor trusted.',
    ),
  ),
  metadata: t.Optional(
    t.Record(t.String({ pattern: '^.{1,40}$' }), t.String({ maxLength: 256 }), {
      maxProperties: 16,
      additionalProperties: false,
      reason: 'must be at most 16 strings of up to 256 characters',
      description: 'Up to 16 strings of 256 characters, kept with it; names of 1 to 40 characters.',
    }),
  ),
})

export type StartBody = Static<typeof startBody>

export const start = {
  tag,
  summary: 'Start a verification: mint a code and mail it',
  description:
    'Stored and queued on disk before the answer. With `Idempotency-Key`, a repeat within 24 ' +
    'hours gets the same answer and mails nothing; it says `Idempotency-Replayed: true`.',
  headers: {
    ...waitHeader,
    'Idempotency-Key': '1 to 255 visible ASCII characters, quoted or bare; kept for 24 hours.',
  },
  body: startBody,
  example: { to: 'ada@example.com', purpose: 'sign-in' },
  answers: {
    201: { description: 'Started.', schema: verificationSchema, example: exampleVerification },
  },
  problems: [
    'invalid_request',
    'channel_not_configured',
    'rate_limited',
    'budget_exhausted',
    'idempotency_key_reused',
    'idempotency_in_flight',
  ] satisfies ProblemCode[],
}

export const list = {
  tag,
  summary: 'List verifications, the newest first',
  query: object({
    status: t.Optional(oneOf(statuses, 'Only those that are so now.')),
    to: t.Optional(
      t.String({ maxLength: 254, description: 'Only those of exactly this address.' }),
    ),
    limit: t.Optional(integer(1, 100, 'How many at most (default 20).')),
    cursor: t.Optional(
      t.String({ maxLength: 64, description: 'The `next_cursor` of the page before.' }),
    ),
  }),
  answers: {
    200: {
      description: 'One page; `next_cursor` is null on the last.',
      schema: object({
        items: t.Array(verificationSchema),
        next_cursor: t.Union([t.String(), t.Null()]),
      }),
      example: { items: [exampleVerification], next_cursor: null },
    },
  },
  problems: ['invalid_request'] satisfies ProblemCode[],
}

export const read = {
  tag,
  summary: 'Read a verification',
  answers: {
    200: { description: 'As it stands.', schema: verificationSchema, example: exampleVerification },
  },
  problems: ['verification_not_found'] satisfies ProblemCode[],
}

export const check = {
  tag,
  summary: 'Check a code',
  description:
    'A wrong code is an answer, not a problem: `valid` is false and an attempt is spent. Spaces ' +
    'and hyphens do not matter. What cannot be the code (another length, not a string) costs none.',
  body: object({
    code: t.String({ maxLength: 64, description: 'What the person typed, as a string.' }),
  }),
  example: { code: '123456' },
  answers: {
    200: {
      description: 'Judged.',
      schema: object({ valid: t.Boolean(), ...verificationFields }),
      example: { valid: true, ...exampleVerification, status: 'approved' },
    },
  },
  problems: ['invalid_request', ...dead] satisfies ProblemCode[],
}

export const resend = {
  tag,
  summary: 'Mail the same code again',
  description: 'Same code, same expiry; attempts are not reset.',
  headers: waitHeader,
  body: object({
    channel: t.Optional(oneOf(channelNames, 'The channel of the first message.')),
  }),
  example: {},
  answers: {
    200: { description: 'Queued.', schema: verificationSchema, example: exampleVerification },
  },
  problems: [
    'invalid_request',
    'resend_too_early',
    'sends_exhausted',
    ...dead,
  ] satisfies ProblemCode[],
}

export const cancel = {
  tag,
  summary: 'Cancel a verification',
  description: 'Its code is refused from now on, and nothing further is sent.',
  body: object({}),
  example: {},
  answers: {
    200: {
      description: 'Canceled.',
      schema: verificationSchema,
      example: { ...exampleVerification, status: 'canceled' },
    },
  },
  problems: ['invalid_request', ...dead] satisfies ProblemCode[],
}
