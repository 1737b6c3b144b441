import { t } from 'elysia'
import type { ProblemCode } from '../domain/problem.ts'
import { keySchema } from './present.ts'
import { object, oneOf } from './schema.ts'

const tag = 'Apps'

export const exampleKey = {
  id: '0aB3dE6gH9jK2mN5pQ8rT1',
  mode: 'live',
  prefix: 'otpm_live_',
  last_four: 'x7Qa',
  created_at: '2026-11-22T09:00:00.000Z',
}

export const createKey = {
  tag,
  summary: 'Add a key',
  description: 'Shown this once. Two of a mode may be active, so that they can be changed over.',
  body: object({ mode: oneOf(['live', 'test'], 'What it is for.') }),
  example: { mode: 'live' },
  answers: {
    201: {
      description: 'Added.',
      schema: object({ ...keySchema.properties, key: t.String({ description: 'Shown once.' }) }),
      example: { ...exampleKey, key: 'otpm_live_…' },
    },
  },
  problems: ['invalid_request', 'app_not_found', 'too_many_keys'] satisfies ProblemCode[],
}

export const revoke = {
  tag,
  summary: 'Revoke a key',
  answers: { 204: { description: 'Revoked; it is unknown from now on.' } },
  problems: ['key_not_found'] satisfies ProblemCode[],
}

export const testDelivery = {
  tag,
  summary: 'Send a real mail through the app’s mail server',
  body: object({ to: t.String({ maxLength: 254, description: 'One e-mail address.' }) }),
  example: { to: 'you@example.com' },
  answers: {
    200: {
      description: 'How far it got, step by step.',
      schema: object({
        status: oneOf(['sent', 'deferred', 'refused'], 'The end of it.'),
        detail: t.Union([t.String(), t.Null()], { description: 'The mail server’s words.' }),
        steps: t.Array(
          object({
            name: t.String(),
            ok: t.Boolean(),
            detail: t.Union([t.String(), t.Null()]),
          }),
          { description: 'In order; the first that is not ok is where it ended.' },
        ),
      }),
      example: {
        status: 'sent',
        detail: '250 2.0.0 Ok: queued',
        steps: [{ name: 'connect', ok: true, detail: null }],
      },
    },
  },
  problems: ['invalid_request', 'app_not_found', 'channel_not_configured'] satisfies ProblemCode[],
}
