import type { Operation } from '../../core/route.ts'
import { id } from '../../core/schema.ts'
import {
  messagePage,
  messageQuery,
  newWebhook,
  replayRequest,
  replaySchema,
  secretRotation,
  webhookChange,
  webhookList,
  webhookSchema,
  webhookTest,
} from '../components/webhook.ts'

const tag = 'Webhooks'
const params = { id: id('The app’s id.') }
const webhookParams = { ...params, webhook_id: id('The webhook’s id.') }
const at = '2026-11-22T09:00:00.000Z'

const example = {
  id: '5nQ8xW2mK7vT0yR4sB9zC1',
  url: 'https://app.example.com/otpmint-events',
  types: ['verification.approved', 'delivery.failed'],
  test_events: false,
  enabled: true,
  created_at: at,
  updated_at: at,
}
const standing = { ...example, waiting: 0, failing_since: null }
const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo='

export const listWebhooks = {
  id: 'listWebhooks',
  tag,
  summary: 'List an app’s webhooks',
  params,
  answers: {
    200: { description: 'All of them.', schema: webhookList, example: { items: [standing] } },
  },
  problems: ['app_not_found'],
} satisfies Operation

export const addWebhook = {
  id: 'addWebhook',
  tag,
  summary: 'Add a webhook',
  description: 'A URL that is told what happens in the app from now on (docs/events.md).',
  params,
  draft: newWebhook,
  example: { url: example.url, types: example.types },
  answers: {
    201: { description: 'Added.', schema: webhookSchema, example: { ...example, secret } },
  },
  problems: ['invalid_request', 'app_not_found', 'too_many_webhooks'],
  sensitive: true,
} satisfies Operation

export const updateWebhook = {
  id: 'updateWebhook',
  tag,
  summary: 'Change a webhook, or switch it off and on',
  description:
    'Absent fields stay. With another URL it gets another secret, unless you give one. Once it is ' +
    'on again, what waits is sent.',
  params: webhookParams,
  draft: webhookChange,
  example: { enabled: true },
  answers: { 200: { description: 'Changed.', schema: webhookSchema, example } },
  problems: ['invalid_request', 'app_not_found', 'webhook_not_found'],
  sensitive: true,
} satisfies Operation

export const removeWebhook = {
  id: 'removeWebhook',
  tag,
  summary: 'Remove a webhook with its messages',
  params: webhookParams,
  answers: { 204: { description: 'Removed.' } },
  problems: ['app_not_found', 'webhook_not_found'],
  sensitive: true,
} satisfies Operation

export const testWebhook = {
  id: 'testWebhook',
  tag,
  summary: 'Post a test message to a webhook',
  description: 'Once, signed, of the type `webhook.test`; also while the webhook is off.',
  params: webhookParams,
  answers: {
    200: {
      description: 'What the receiver answered.',
      schema: webhookTest,
      example: { delivered: true, code: 204 },
    },
  },
  problems: ['app_not_found', 'webhook_not_found'],
} satisfies Operation

export const rotateWebhookSecret = {
  id: 'rotateWebhookSecret',
  tag,
  summary: 'Give a webhook another secret',
  description: 'For a day the former secret signs too, so that no message is refused meanwhile.',
  params: webhookParams,
  draft: secretRotation,
  example: {},
  answers: {
    200: {
      description: 'The webhook, with its secret where that was made here.',
      schema: webhookSchema,
      example: { ...example, former_secret_until: '2026-11-23T09:00:00.000Z', secret },
    },
  },
  problems: ['invalid_request', 'app_not_found', 'webhook_not_found'],
  sensitive: true,
} satisfies Operation

export const listMessages = {
  id: 'listMessages',
  tag,
  summary: 'List the messages of a webhook, the newest first',
  description: 'Those of the last seven days. With `status=dead` it is the dead-letter list.',
  params: webhookParams,
  query: messageQuery,
  answers: {
    200: {
      description: 'One page.',
      schema: messagePage,
      example: {
        items: [
          {
            id: 'msg_0Uw3Xa8b0000002a',
            type: 'verification.approved',
            verification: '0Uw3Xa8bQ2sXyKBqCk1uT5vYw8ZaDf',
            status: 'waiting',
            tries: 1,
            next_try_at: '2026-11-22T09:05:05.000Z',
            code: 503,
            created_at: at,
          },
        ],
        next_cursor: null,
      },
    },
  },
  problems: ['invalid_request', 'app_not_found', 'webhook_not_found'],
} satisfies Operation

export const replayMessages = {
  id: 'replayMessages',
  tag,
  summary: 'Send messages of a webhook again',
  description: 'One by its id, or those of a time; with the same ids, as if they were new.',
  params: webhookParams,
  body: replayRequest,
  example: { from: '2026-11-22T08:00:00.000Z', to: at },
  answers: {
    200: {
      description: 'How many are sent again.',
      schema: replaySchema,
      example: { replayed: 17, complete: true },
    },
  },
  problems: ['invalid_request', 'app_not_found', 'webhook_not_found', 'message_not_found'],
} satisfies Operation
