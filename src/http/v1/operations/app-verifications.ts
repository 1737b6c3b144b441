import type { Operation } from '../../core/route.ts'
import { id, timedId } from '../../core/schema.ts'
import {
  exampleStory,
  listQuery,
  modeQuery,
  searchOfAppRequest,
  storySchema,
} from '../components/app-verification.ts'
import {
  cancelRequest,
  exampleVerification,
  resendRequest,
  verificationPage,
  verificationSchema,
} from '../components/verification.ts'

const tag = 'Apps'
const params = { id: id('The app’s id.') }
const paramsOfOne = { ...params, verification_id: timedId('The verification’s id.') }

const dead = [
  'verification_not_found',
  'verification_expired',
  'verification_exhausted',
  'verification_used',
  'verification_canceled',
] as const

export const listVerificationsOfApp = {
  id: 'listVerificationsOfApp',
  tag,
  summary: 'List the verifications of an app, the newest first',
  params,
  query: listQuery,
  answers: {
    200: {
      description: 'One page.',
      schema: verificationPage,
      example: { items: [exampleVerification], next_cursor: null },
    },
  },
  problems: ['invalid_request', 'app_not_found'],
} satisfies Operation

export const searchVerificationsOfApp = {
  id: 'searchVerificationsOfApp',
  tag,
  summary: 'Find the verifications of one recipient in an app, the newest first',
  description:
    'A POST, so that the address is in no log of a proxy. The audit log has that somebody searched, ' +
    'and not for whom.',
  reads: true,
  params,
  body: searchOfAppRequest,
  example: { to: 'ada@example.com' },
  answers: listVerificationsOfApp.answers,
  problems: ['invalid_request', 'app_not_found'],
} satisfies Operation

export const getVerificationOfApp = {
  id: 'getVerificationOfApp',
  tag,
  summary: 'Read a verification with its messages and all that happened to it',
  params: paramsOfOne,
  query: modeQuery,
  answers: { 200: { description: 'Its story.', schema: storySchema, example: exampleStory } },
  problems: ['invalid_request', 'app_not_found', 'verification_not_found'],
} satisfies Operation

export const resendVerificationOfApp = {
  id: 'resendVerificationOfApp',
  tag,
  summary: 'Send the code of a verification again',
  description: 'As the app could: the same code, at the same times.',
  params: paramsOfOne,
  query: modeQuery,
  body: resendRequest,
  example: {},
  answers: {
    200: { description: 'Queued.', schema: verificationSchema, example: exampleVerification },
  },
  problems: ['invalid_request', 'app_not_found', 'resend_too_early', 'sends_exhausted', ...dead],
} satisfies Operation

export const cancelVerificationOfApp = {
  id: 'cancelVerificationOfApp',
  tag,
  summary: 'Cancel a verification of an app',
  description: 'Its code is refused from now on, and nothing further is sent.',
  params: paramsOfOne,
  query: modeQuery,
  body: cancelRequest,
  example: {},
  answers: {
    200: {
      description: 'Canceled.',
      schema: verificationSchema,
      example: { ...exampleVerification, status: 'canceled' },
    },
  },
  problems: ['invalid_request', 'app_not_found', ...dead],
} satisfies Operation
