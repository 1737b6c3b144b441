import { idempotencyKeyPattern } from '../../core/request.ts'
import type { Operation } from '../../core/route.ts'
import { timedId } from '../../core/schema.ts'
import { pageQuery } from '../components/page.ts'
import {
  cancelRequest,
  checkRequest,
  checkSchema,
  detailsSchema,
  exampleDetails,
  exampleVerification,
  resendRequest,
  resultRequest,
  resultSchema,
  searchRequest,
  startedSchema,
  startRequest,
  statusField,
  verificationPage,
  verificationSchema,
} from '../components/verification.ts'

const tag = 'Verifications'
const params = { id: timedId('The verification’s id.') }

const prefer = {
  description:
    '`wait=N`: hold the answer until the message has an outcome, 0 to 30 seconds (RFC 7240). ' +
    'Not followed together with an `Idempotency-Key`.',
  schema: { type: 'string' },
}
const waited = { 'Preference-Applied': 'The `wait=N` that was followed.' }
const idempotencyKey = (kept: string) => ({
  description: `1 to 255 visible ASCII characters, quoted or bare; kept for ${kept}.`,
  schema: { type: 'string', pattern: idempotencyKeyPattern },
})
const replayed = { 'Idempotency-Replayed': '`true`: this is an earlier answer again.' }
const dead = [
  'verification_not_found',
  'verification_expired',
  'verification_exhausted',
  'verification_used',
  'verification_canceled',
] as const

export const startVerification = {
  id: 'startVerification',
  tag,
  summary: 'Start a verification: make a code and send it',
  description:
    'Stored and queued on disk before the answer. With `Idempotency-Key`, a repeat within 24 ' +
    'hours gets the same answer, byte for byte, and sends nothing.',
  headers: { Prefer: prefer, 'Idempotency-Key': idempotencyKey('24 hours') },
  body: startRequest,
  example: { to: 'ada@example.com', purpose: 'sign-in' },
  answers: {
    201: {
      description: 'Started.',
      headers: { ...waited, ...replayed },
      schema: startedSchema,
      example: exampleVerification,
    },
  },
  problems: [
    'invalid_request',
    'page_unavailable',
    'channel_not_configured',
    'app_paused',
    'delivery_backlog',
    'rate_limited',
    'budget_exhausted',
    'idempotency_key_reused',
  ],
} satisfies Operation

export const listVerifications = {
  id: 'listVerifications',
  tag,
  summary: 'List verifications, the newest first',
  query: pageQuery('timedId', { status: statusField }),
  answers: {
    200: {
      description: 'One page.',
      schema: verificationPage,
      example: { items: [exampleVerification], next_cursor: null },
    },
  },
  problems: ['invalid_request'],
} satisfies Operation

export const searchVerifications = {
  id: 'searchVerifications',
  tag,
  summary: 'Find the verifications of one recipient, the newest first',
  description: 'A POST, so that the address is in no log of a proxy.',
  body: searchRequest,
  example: { to: 'ada@example.com' },
  answers: listVerifications.answers,
  problems: ['invalid_request'],
} satisfies Operation

export const getVerification = {
  id: 'getVerification',
  tag,
  summary: 'Read a verification with its messages',
  params,
  answers: {
    200: { description: 'The verification.', schema: detailsSchema, example: exampleDetails },
  },
  problems: ['verification_not_found'],
} satisfies Operation

export const checkVerification = {
  id: 'checkVerification',
  tag,
  summary: 'Check a code',
  description:
    'A wrong code is an answer, not a problem: `valid` is false and an attempt is spent. ' +
    'What cannot be the code (another length, not a string) costs none, nor does a check before ' +
    '`next.check`. With `Idempotency-Key`, ' +
    'the same code again within 10 minutes gets the same answer, byte for byte, and spends ' +
    'nothing: make a random key for each submission, never one from the id or the session.',
  params,
  headers: { 'Idempotency-Key': idempotencyKey('10 minutes') },
  body: checkRequest,
  example: { code: '123456' },
  answers: {
    200: {
      description: 'Judged.',
      headers: replayed,
      schema: checkSchema,
      example: { valid: true, ...exampleVerification, status: 'approved' },
    },
  },
  problems: ['invalid_request', 'check_too_early', 'idempotency_key_reused', ...dead],
} satisfies Operation

export const resendVerification = {
  id: 'resendVerification',
  tag,
  summary: 'Send the same code again',
  description:
    'Same code, same expiry; attempts are not reset. With another `channel` of the route, that one ' +
    'is used from then on, and what is on its way through the others is stopped.',
  params,
  headers: {
    Prefer: { ...prefer, description: prefer.description.replace(/ Not followed .*/, '') },
  },
  body: resendRequest,
  example: {},
  answers: {
    200: {
      description: 'Queued.',
      headers: waited,
      schema: verificationSchema,
      example: exampleVerification,
    },
  },
  problems: ['invalid_request', 'resend_too_early', 'sends_exhausted', ...dead],
} satisfies Operation

export const cancelVerification = {
  id: 'cancelVerification',
  tag,
  summary: 'Cancel a verification',
  description: 'Its code is refused from now on, and nothing further is sent.',
  params,
  body: cancelRequest,
  example: {},
  answers: {
    200: {
      description: 'Canceled.',
      schema: verificationSchema,
      example: { ...exampleVerification, status: 'canceled' },
    },
  },
  problems: ['invalid_request', ...dead],
} satisfies Operation

export const redeemResult = {
  id: 'redeemResult',
  tag,
  summary: 'Ask what became of a verification with a hosted page, once',
  description:
    'With the token that the browser brought back; good once, for a minute. Compare `id` with the ' +
    'verification that you started for this browser, and look for `status` `approved`.',
  body: resultRequest,
  example: { result: 'kQ3nVt0m9wXbL7cRz2aYf5hJ8dSgPuE1' },
  answers: {
    200: {
      description: 'The verification as it is now.',
      schema: resultSchema,
      example: { ...exampleVerification, status: 'approved' },
    },
  },
  problems: ['invalid_request', 'result_not_found'],
} satisfies Operation
