import type { Operation } from '../../core/route.ts'
import { testDeliverySchema } from '../components/app.ts'
import {
  fieldsSchema,
  mailServerTest,
  policyEffectSchema,
  policyQuestion,
} from '../components/fields.ts'

const tag = 'Apps'

export const listFields = {
  id: 'listFields',
  tag,
  summary: 'What may be set, for who builds a form',
  description: 'Every field of a policy and of each kind of endpoint, with its bounds.',
  answers: {
    200: {
      description: 'The fields.',
      schema: fieldsSchema,
      example: {
        policy: [
          {
            name: 'code_length',
            says: 'Digits of a code.',
            type: 'integer',
            min: 6,
            max: 10,
            of: null,
            lines: false,
            usual: 6,
          },
        ],
        endpoints: [],
        languages: ['en', 'de'],
      },
    },
  },
} satisfies Operation

export const judgePolicy = {
  id: 'judgePolicy',
  tag,
  summary: 'What a policy would mean, with this server’s settings',
  description: 'Stores nothing.',
  draft: policyQuestion,
  reads: true,
  example: { policy: { code_length: 8 } },
  answers: {
    200: {
      description: 'The rules that would be in force, and the chance of who guesses.',
      schema: policyEffectSchema,
      example: {
        policy: { code_length: 8, attempts_max: 5 },
        wrong_codes_per_day: 25,
        wrong_codes_per_month: 76,
        guesses_per_year: 988,
        guess_bound_per_year: 0.00000988,
      },
    },
  },
  problems: ['invalid_request'],
} satisfies Operation

export const testMailServer = {
  id: 'testMailServer',
  tag,
  summary: 'Test a mail server before an app is made with it',
  description: 'As `test-delivery`, with settings that are not stored.',
  draft: mailServerTest,
  example: {
    name: 'Acme',
    email: {
      host: 'smtp.example.com',
      port: 587,
      from: 'codes@example.com',
      password: 'the mailbox password',
    },
    to: 'you@example.com',
  },
  answers: {
    200: {
      description: 'The steps and their results.',
      schema: testDeliverySchema,
      example: {
        status: 'sent',
        detail: '250 2.0.0 Ok: queued',
        steps: [
          { name: 'connect', ok: true, detail: 'A mail server answers at 192.0.2.7 port 587.' },
        ],
      },
    },
  },
  problems: ['invalid_request'],
} satisfies Operation
