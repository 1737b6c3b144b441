import { type TSchema, t } from 'elysia'
import type { ProblemCode } from '../domain/problem.ts'
import { exampleKey } from './key-docs.ts'
import { keySchema } from './present.ts'
import { integer, object, oneOf } from './schema.ts'

const tag = 'Apps'
const securities = ['tls', 'starttls', 'none'] as const

const policyFields = {
  code_length: t.Optional(integer(4, 10, 'Digits of a code.')),
  ttl_seconds: t.Optional(integer(30, 86_400, 'Seconds that a code lives.')),
  attempts_max: t.Optional(integer(1, 10, 'Tries a code; no more than the server allows.')),
  on_budget_exhausted: t.Optional(
    oneOf(['long_code', 'refuse'], 'What a recipient gets whose guess budget is spent.'),
  ),
  code_in_subject: t.Optional(t.Boolean({ description: 'The code in the mail’s subject.' })),
  longer_codes_on_alarm: t.Optional(
    t.Boolean({ description: 'Codes of 8 digits while the spray alarm is on.' }),
  ),
  origin: t.Optional(
    t.String({
      maxLength: 255,
      description: 'The https origin where the code is typed; adds the OTP-Token header.',
    }),
  ),
  starts_per_minute: t.Optional(
    integer(1, 1_000_000, 'Starts a minute; no more than the server allows.'),
  ),
  recipient_starts_per_day: t.Optional(
    integer(1, 10_000, 'Starts a day for one recipient; no more than the server allows.'),
  ),
}

const policy = object(policyFields, {
  description: 'Stricter or other than the server’s settings; null takes a field back.',
})
const host = t.String({ maxLength: 253, description: 'Host name or IP address.' })
const port = integer(1, 65_535, '465 is implicit TLS.')
const security = oneOf(securities, '`tls` on port 465, else `starttls`; `none` only if said.')
const user = t.Union([t.String({ maxLength: 256 }), t.Null()], {
  description: 'The From address if absent; null for no login.',
})
const password = t.String({
  maxLength: 1024,
  description: 'Write-only. Needed again when host, port, security or user change.',
})
const from = t.String({ maxLength: 254, description: 'The From address.' })
const fromName = t.Union([t.String({ maxLength: 64 }), t.Null()], {
  description: 'The sender’s name.',
})

const newEmail = object({
  host,
  port,
  security: t.Optional(security),
  user: t.Optional(user),
  password: t.Optional(password),
  from,
  from_name: t.Optional(fromName),
})

const shownEmail = object({
  host,
  port,
  security,
  user,
  from,
  from_name: fromName,
  has_password: t.Boolean({ description: 'A password is stored.' }),
  public_only: t.Boolean({ description: 'Registered openly: public addresses only.' }),
  updated_at: t.String({ description: 'RFC 3339.' }),
})

const appFields = {
  id: t.String({ description: '22 characters of base62.' }),
  name: t.String({ description: 'Stands in the mail.' }),
  policy,
  email: t.Union([shownEmail, t.Null()], { description: 'Null: this app cannot mail.' }),
  alarm_at: t.Union([t.String(), t.Null()], { description: 'Since when the spray alarm is on.' }),
  created_at: t.String({ description: 'RFC 3339.' }),
  updated_at: t.String({ description: 'RFC 3339.' }),
}
const keys = t.Array(keySchema, { description: 'Without the keys themselves.' })

const exampleEmail = {
  host: 'smtp.example.com',
  port: 587,
  security: 'starttls',
  user: 'codes@example.com',
  from: 'codes@example.com',
  from_name: 'Acme',
}
const exampleApp = {
  id: '7hQm2VtY4cRkBz0LxPwE1s',
  name: 'Acme',
  policy: { code_length: 6 },
  email: {
    ...exampleEmail,
    has_password: true,
    public_only: false,
    updated_at: '2026-11-22T09:00:00.000Z',
  },
  alarm_at: null,
  created_at: '2026-11-22T09:00:00.000Z',
  updated_at: '2026-11-22T09:00:00.000Z',
}
export const create = {
  tag,
  summary: 'Create an app with one live and one test key',
  description: 'The two keys are shown this once.',
  draft: object({
    name: t.String({ maxLength: 64, description: 'Stands in the mail: 1 to 64 characters.' }),
    policy: t.Optional(policy),
    email: t.Optional(newEmail),
  }),
  example: { name: 'Acme', email: { ...exampleEmail, password: 'the mailbox password' } },
  answers: {
    201: {
      description: 'Created.',
      schema: object({
        ...appFields,
        live_key: t.String({ description: 'Shown this once.' }),
        test_key: t.String({ description: 'Shown this once.' }),
        keys,
      }),
      example: {
        ...exampleApp,
        live_key: 'otpm_live_…',
        test_key: 'otpm_test_…',
        keys: [exampleKey],
      },
    },
  },
  problems: ['invalid_request'] satisfies ProblemCode[],
}

export const page = object({
  limit: t.Optional(integer(1, 100, 'How many at most (default 20).')),
  cursor: t.Optional(t.String({ maxLength: 64, description: 'The `next_cursor` before.' })),
})
const nextCursor = t.Union([t.String(), t.Null()], { description: 'Null on the last page.' })

/** One page of such items. */
export function pageOf<Item extends TSchema>(item: Item) {
  return object({ items: t.Array(item), next_cursor: nextCursor })
}

export const list = {
  tag,
  summary: 'List apps',
  query: page,
  answers: {
    200: {
      description: 'One page.',
      schema: pageOf(object(appFields)),
      example: { items: [exampleApp], next_cursor: null },
    },
  },
  problems: ['invalid_request'] satisfies ProblemCode[],
}

export const read = {
  tag,
  summary: 'Read an app and what its keys look like',
  answers: {
    200: {
      description: 'The app.',
      schema: object({ ...appFields, keys }),
      example: { ...exampleApp, keys: [exampleKey] },
    },
  },
  problems: ['app_not_found'] satisfies ProblemCode[],
}

export const update = {
  tag,
  summary: 'Change name, policy or mail server',
  description: 'What is absent stays. `email: null` takes the mail server away.',
  draft: object({
    name: t.Optional(t.String({ maxLength: 64, description: '1 to 64 characters.' })),
    policy: t.Optional(policy),
    email: t.Optional(
      object(
        {
          host: t.Optional(host),
          port: t.Optional(port),
          security: t.Optional(security),
          user: t.Optional(user),
          password: t.Optional(password),
          from: t.Optional(from),
          from_name: t.Optional(fromName),
        },
        { description: 'Only what changes.' },
      ),
    ),
  }),
  example: { policy: { code_length: 8 } },
  answers: {
    200: { description: 'Changed.', schema: object(appFields), example: exampleApp },
  },
  problems: ['invalid_request', 'app_not_found', 'password_required'] satisfies ProblemCode[],
}

export const remove = {
  tag,
  summary: 'Delete an app and everything of it',
  answers: { 204: { description: 'Deleted.' } },
  problems: ['app_not_found'] satisfies ProblemCode[],
}
