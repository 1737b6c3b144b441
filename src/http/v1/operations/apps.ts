import { t } from 'elysia'
import type { Operation } from '../../core/route.ts'
import { id, output } from '../../core/schema.ts'
import {
  appChange,
  appDetails,
  appPage,
  appSchema,
  appWithKeys,
  endpointChange,
  endpointList,
  endpointRotation,
  endpointSchema,
  keyRequest,
  newApp,
  newEndpoint,
  newKeySchema,
  rotatedSchema,
  testDeliveryRequest,
  testDeliverySchema,
} from '../components/app.ts'
import { pageQuery } from '../components/page.ts'

const tag = 'Apps'
const params = { id: id('The app’s id.') }
const endpointParams = { ...params, endpoint_id: id('The endpoint’s id.') }
const keyParams = { ...params, key_id: id('The key’s id.') }

const email = {
  host: 'smtp.example.com',
  port: 587,
  security: 'starttls',
  user: 'codes@example.com',
  auth: 'password',
  tenant: null,
  client_id: null,
  from: 'codes@example.com',
  from_name: 'Acme',
  ca: null,
  connections_max: null,
  rate_per_minute: null,
  cost: null,
}
const exampleEndpoint = {
  id: '4kT9wQ2nB7xV0mL5sR8yZ1',
  channel: 'email',
  rank: 1,
  email: { ...email, has_secret: true },
  off: null,
  created_at: '2026-11-22T09:00:00.000Z',
  updated_at: '2026-11-22T09:00:00.000Z',
}
const exampleApp = {
  id: '7hQm2VtY4cRkBz0LxPwE1s',
  name: 'Acme',
  registered_by: 'admin',
  policy: { code_length: 6 },
  endpoints: [exampleEndpoint],
  spray_alarm_since: null,
  created_at: '2026-11-22T09:00:00.000Z',
  updated_at: '2026-11-22T09:00:00.000Z',
}
const exampleKey = {
  id: '0aB3dE6gH9jK2mN5pQ8rT1',
  mode: 'live',
  prefix: 'otpm_live_',
  last_four: 'x7Qa',
  created_at: '2026-11-22T09:00:00.000Z',
}

export const createApp = {
  id: 'createApp',
  tag,
  summary: 'Create an app with one live and one test key',
  description: 'The two keys are shown only now. `email` adds its first endpoint.',
  draft: newApp,
  example: { name: 'Acme', email: { ...email, password: 'the mailbox password' } },
  answers: {
    201: {
      description: 'Created.',
      schema: appWithKeys,
      example: {
        ...exampleApp,
        live_key: 'otpm_live_…',
        test_key: 'otpm_test_…',
        keys: [exampleKey],
      },
    },
  },
  problems: ['invalid_request'],
  sensitive: true,
} satisfies Operation

export const listApps = {
  id: 'listApps',
  tag,
  summary: 'List apps',
  query: pageQuery('id', {
    name: t.Optional(
      t.String({
        minLength: 1,
        maxLength: 64,
        description: 'Only those with this in their name, a to z in either case.',
      }),
    ),
  }),
  answers: {
    200: {
      description: 'One page.',
      schema: appPage,
      example: { items: [exampleApp], next_cursor: null },
    },
  },
  problems: ['invalid_request'],
} satisfies Operation

export const getApp = {
  id: 'getApp',
  tag,
  summary: 'Read an app and its keys, without the keys themselves',
  params,
  answers: {
    200: {
      description: 'The app.',
      schema: appDetails,
      example: { ...exampleApp, keys: [exampleKey] },
    },
  },
  problems: ['app_not_found'],
} satisfies Operation

export const updateApp = {
  id: 'updateApp',
  tag,
  summary: 'Change name or policy',
  description: 'Absent fields stay as they are; null unsets a field of the policy.',
  params,
  draft: appChange,
  example: { policy: { code_length: 8 } },
  answers: { 200: { description: 'Changed.', schema: appSchema, example: exampleApp } },
  problems: ['invalid_request', 'app_not_found'],
} satisfies Operation

export const deleteApp = {
  id: 'deleteApp',
  tag,
  summary: 'Delete an app and all its data',
  params,
  answers: { 204: { description: 'Deleted.' } },
  problems: ['app_not_found'],
  sensitive: true,
} satisfies Operation

export const createKey = {
  id: 'createKey',
  tag,
  summary: 'Add a key',
  description:
    'Shown only now. Two of a mode may be active, so that a key can be replaced without a gap.',
  params,
  body: keyRequest,
  example: { mode: 'live' },
  answers: {
    201: {
      description: 'Added.',
      schema: newKeySchema,
      example: { ...exampleKey, key: 'otpm_live_…' },
    },
  },
  problems: ['invalid_request', 'app_not_found', 'too_many_keys'],
  sensitive: true,
} satisfies Operation

export const showProofSecret = {
  id: 'showProofSecret',
  tag,
  summary: 'Show the secret of an app’s proofs',
  description:
    'Under it the proofs of hosted pages hash the address. It changes with the policy’s ' +
    '`proof_version` and with nothing else. Written to the audit log.',
  sensitive: true,
  params,
  answers: {
    200: {
      description: 'The secret.',
      schema: output('ProofSecret', {
        secret: t.String({ description: 'The key of HMAC-SHA-256, all of it as text.' }),
      }),
      example: { secret: 'otpm_proof_…' },
    },
  },
  problems: ['app_not_found', 'proof_off'],
} satisfies Operation

export const revokeKey = {
  id: 'revokeKey',
  tag,
  summary: 'Revoke a key',
  params: keyParams,
  answers: { 204: { description: 'Revoked.' } },
  problems: ['key_not_found'],
  sensitive: true,
} satisfies Operation

export const listEndpoints = {
  id: 'listEndpoints',
  tag,
  summary: 'List an app’s endpoints',
  description: 'The servers that send its messages, by channel and rank; at most ten of a channel.',
  params,
  answers: {
    200: {
      description: 'All of them.',
      schema: endpointList,
      example: { items: [exampleEndpoint] },
    },
  },
  problems: ['app_not_found'],
} satisfies Operation

export const addEndpoint = {
  id: 'addEndpoint',
  tag,
  summary: 'Add an endpoint',
  description: 'A message that the endpoint of rank 1 cannot send goes to rank 2 at once.',
  params,
  draft: newEndpoint,
  example: { channel: 'email', email: { ...email, password: 'the mailbox password' } },
  answers: { 201: { description: 'Added.', schema: endpointSchema, example: exampleEndpoint } },
  problems: ['invalid_request', 'app_not_found', 'too_many_endpoints'],
  sensitive: true,
} satisfies Operation

export const updateEndpoint = {
  id: 'updateEndpoint',
  tag,
  summary: 'Change an endpoint or its rank',
  description:
    'What is absent stays. A change of anything that says where the secret goes needs it again.',
  params: endpointParams,
  draft: endpointChange,
  example: { rank: 1 },
  answers: { 200: { description: 'Changed.', schema: endpointSchema, example: exampleEndpoint } },
  problems: ['invalid_request', 'app_not_found', 'endpoint_not_found', 'secret_required'],
  sensitive: true,
} satisfies Operation

export const rotateEndpoint = {
  id: 'rotateEndpoint',
  tag,
  summary: 'Give a webhook another secret',
  description:
    'Requests are signed with both secrets, the new one first, until the former one ends. A secret ' +
    'that is made here is shown only now.',
  params: endpointParams,
  draft: endpointRotation,
  example: {},
  answers: {
    200: {
      description: 'Both sign from now on.',
      schema: rotatedSchema,
      example: {
        endpoint: exampleEndpoint.id,
        secret: 'whsec_…',
        former_secret_until: '2026-11-23T09:00:00.000Z',
      },
    },
  },
  problems: ['invalid_request', 'app_not_found', 'endpoint_not_found'],
  sensitive: true,
} satisfies Operation

export const removeEndpoint = {
  id: 'removeEndpoint',
  tag,
  summary: 'Remove an endpoint with its password',
  params: endpointParams,
  answers: { 204: { description: 'Removed.' } },
  problems: ['app_not_found', 'endpoint_not_found'],
  sensitive: true,
} satisfies Operation

export const testDelivery = {
  id: 'testDelivery',
  tag,
  summary: 'Test an endpoint, and send a real message through it',
  description:
    'Tells the dialogue with the mail server step by step. Nothing is sent without `to`.',
  params,
  body: testDeliveryRequest,
  example: { to: 'you@example.com' },
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
  problems: ['invalid_request', 'app_not_found', 'endpoint_not_found', 'channel_not_configured'],
} satisfies Operation
