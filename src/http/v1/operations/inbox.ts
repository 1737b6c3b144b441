import { t } from 'elysia'
import { inboxStates } from '../../../present/inbox.ts'
import type { Operation } from '../../core/route.ts'
import { id, nullable, object, oneOf, output, time, timedId } from '../../core/schema.ts'
import { pageOf, pageQuery } from '../components/page.ts'

const tag = 'Records'
const text = (description: string) => t.String({ description })

const itemFields = {
  id: timedId('The message’s id.'),
  app: id('The app.'),
  app_name: nullable(t.String(), 'The name of the app; null where it has none.'),
  verification: timedId('Its verification.'),
  to: text('The recipient.'),
  code: text('The code, which works for test keys only.'),
  reference: text('As the verification shows it.'),
  language: text('The language of the message, a BCP 47 tag.'),
  subject: text('The subject.'),
  state: oneOf(inboxStates, 'What became of the code.'),
  sent_at: time('When it arrived here.'),
  expires_at: time('Until when the code is good.'),
}

const messageSchema = output('TestMessage', {
  ...itemFields,
  text: text('The plain text.'),
  html: text('The HTML.'),
  source: nullable(
    t.String(),
    'The mail as the app’s first mail server would get it, unsigned; null for what is no mail.',
  ),
  headers: t.Array(
    output('MailHeader', { name: text('The name.'), value: text('The value, in one line.') }),
    { description: 'The fields of its header.' },
  ),
})

const exampleItem = {
  id: '0Uw3Xa8bQ5mN7pR4tL0zC3vB6nM9kJ',
  app: '7hQm2VtY4cRkBz0LxPwE1s',
  app_name: 'Acme',
  verification: '0Uw3Xa8bQ2sXyKBqCk1uT5vYw8ZaDf',
  to: 'ada@example.com',
  code: '123456',
  reference: 'KF42',
  language: 'en',
  subject: '123456 is your Acme code',
  state: 'live',
  sent_at: '2026-11-22T09:00:00.000Z',
  expires_at: '2026-11-22T09:10:00.000Z',
}

const appField = t.Optional(id('Only this app’s.'))

export const listTestMessages = {
  id: 'listTestMessages',
  tag,
  summary: 'List the messages of test keys, the newest first',
  description: 'The newest 200 of all apps are kept. Nothing of them has left the machine.',
  query: pageQuery('timedId', {
    app: appField,
    search: t.Optional(
      t.String({
        maxLength: 254,
        description:
          'Only those with this in recipient, subject, code, reference or name of the app.',
      }),
    ),
  }),
  answers: {
    200: {
      description: 'One page.',
      schema: pageOf('TestMessagePage', output('TestMessageItem', itemFields)),
      example: { items: [exampleItem], next_cursor: null },
    },
  },
  problems: ['invalid_request'],
} satisfies Operation

export const getTestMessage = {
  id: 'getTestMessage',
  tag,
  summary: 'Read one message of a test key, with its source',
  params: { id: timedId('The message’s id.') },
  answers: {
    200: {
      description: 'The message.',
      schema: messageSchema,
      example: {
        ...exampleItem,
        text: '123456 is your Acme code.',
        html: '<p>123456 is your Acme code.</p>',
        source: 'From: Acme <codes@example.com>',
        headers: [{ name: 'From', value: 'Acme <codes@example.com>' }],
      },
    },
  },
  problems: ['message_not_found'],
} satisfies Operation

export const clearTestMessages = {
  id: 'clearTestMessages',
  tag,
  summary: 'Delete the messages of test keys',
  query: object({ app: appField }),
  answers: { 204: { description: 'Deleted.' } },
  problems: ['invalid_request', 'app_not_found'],
} satisfies Operation
