import { t } from 'elysia'
import { messageStatuses } from '../../../domain/webhook/message.ts'
import {
  offCauses,
  webhookFields,
  webhooksMax,
  webhookTypes,
} from '../../../domain/webhook/webhook.ts'
import { cursorPatterns, urlPattern, webhookSecretPattern } from '../../core/patterns.ts'
import {
  count,
  fieldSchema,
  id,
  input,
  nullable,
  oneOf,
  output,
  shaped,
  time,
  timedId,
} from '../../core/schema.ts'
import { pageOf, pageQuery } from './page.ts'
import { timeField } from './records.ts'

const { url, types, testEvents, enabled, secret, keepFormerSeconds } = webhookFields
const urlField = fieldSchema(url, { pattern: urlPattern })
const secretField = t.Optional(fieldSchema(secret, { pattern: webhookSecretPattern }))

const settings = {
  types: t.Optional(fieldSchema(types)),
  test_events: t.Optional(fieldSchema(testEvents)),
  enabled: t.Optional(fieldSchema(enabled)),
  secret: secretField,
}

export const newWebhook = input('NewWebhook', { url: urlField, ...settings })

export const webhookChange = input('WebhookChange', { url: t.Optional(urlField), ...settings })

export const secretRotation = input('SecretRotation', {
  secret: secretField,
  keep_former_seconds: t.Optional(fieldSchema(keepFormerSeconds)),
})

export const webhookSchema = output('Webhook', {
  id: id('Names the webhook in the routes.'),
  url: t.String({ description: 'Where messages are posted to.' }),
  types: t.Array(oneOf(webhookTypes, 'A type.'), { description: 'What it is told of.' }),
  test_events: t.Boolean({ description: 'Whether it is told of what test keys do.' }),
  enabled: t.Boolean({ description: enabled.says }),
  off_since: t.Optional(time('Since when it is off.')),
  off_cause: t.Optional(
    oneOf(
      offCauses,
      '`admin`: by hand. `gone`: the receiver answered 410. `failing`: for five days.',
    ),
  ),
  former_secret_until: t.Optional(time('Until when the former secret signs too.')),
  waiting: t.Optional(count('Messages that have neither arrived nor been given up.')),
  failing_since: t.Optional(
    nullable(time('Since when no try has succeeded; null after a success.')),
  ),
  secret: t.Optional(t.String({ description: 'Shown this once, where it was made here.' })),
  created_at: time('When it was added.'),
  updated_at: time('When its settings were changed.'),
})

export const webhookList = output('WebhookList', {
  items: t.Array(webhookSchema, { description: `All of them, at most ${webhooksMax}.` }),
})

export const webhookTest = output('WebhookTest', {
  delivered: t.Boolean({ description: 'The receiver answered with 2xx.' }),
  code: t.Optional(count('The status of its answer.')),
  detail: t.Optional(t.String({ description: 'Why there was no answer.' })),
})

export const messageQuery = pageQuery('message', {
  status: t.Optional(oneOf(['dead'], '`dead`: only those that were given up.')),
})

export const messagePage = pageOf(
  'MessagePage',
  output('Message', {
    id: t.String({ description: 'The same in every try, as in the header `webhook-id`.' }),
    type: oneOf(webhookTypes, 'What it tells.'),
    verification: t.Optional(timedId('The verification, where it concerns one.')),
    status: oneOf(messageStatuses, '`dead`: given up; it is sent again only by a replay.'),
    tries: count('How many tries were made, since the latest replay.'),
    next_try_at: nullable(time('When it is tried next; null once it has ended.')),
    code: t.Optional(count('The status of the latest answer.')),
    detail: t.Optional(t.String({ description: 'Why there was no answer, or no try.' })),
    created_at: time('When it happened.'),
  }),
)

export const replayRequest = input('Replay', {
  message: t.Optional(
    shaped(cursorPatterns.message, 'must be the id of a message', 'One message by its id.'),
  ),
  from: timeField('Those of this time on, in place of `message`. RFC 3339 in UTC.'),
  to: timeField('Those before this time; now if absent.'),
  only_dead: t.Optional(
    t.Boolean({ description: 'False: also those that arrived. True if absent.' }),
  ),
})

export const replaySchema = output('Replayed', {
  replayed: count('How many are sent again.'),
  complete: t.Boolean({ description: 'False: so many wait that the others had no room.' }),
})
