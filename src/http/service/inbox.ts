import { t } from 'elysia'
import { inboxStates, stateOf } from '../../present/inbox.ts'
import { timestamp } from '../../present.ts'
import type { Reply } from '../core/api.ts'
import { json } from '../core/pipeline.ts'
import type { Operation, RoutePorts } from '../core/route.ts'
import { oneOf, output, time } from '../core/schema.ts'
import type { InboxMessage } from '../ports.ts'

const messageSchema = output('InboxMessage', {
  id: t.String({ description: 'The message’s id.' }),
  app: t.String({ description: 'The name of the app; empty where it has none.' }),
  to: t.String({ description: 'The recipient.' }),
  code: t.String({ description: 'The code.' }),
  reference: t.String({ description: 'As the verification shows it.' }),
  language: t.String({ description: 'The language of the message, a BCP 47 tag.' }),
  subject: t.String({ description: 'The subject.' }),
  text: t.String({ description: 'The plain text.' }),
  html: t.String({ description: 'The HTML.' }),
  state: oneOf(inboxStates, 'What became of the code.'),
  sent_at: time('When it arrived here.'),
  expires_at: time('Until when the code is good.'),
})

export const listInbox = {
  id: 'listInbox',
  tag: 'Pages',
  summary: 'The messages of test keys, the newest first',
  description: 'In developer mode only.',
  answers: {
    200: {
      description: 'The kept messages.',
      schema: output('Inbox', { items: t.Array(messageSchema) }),
      example: { items: [] },
    },
  },
} satisfies Operation

export async function list({ inbox, clock }: Pick<RoutePorts, 'inbox' | 'clock'>): Promise<Reply> {
  const messages = await inbox.list()
  const now = clock.now()
  return json({ items: messages.map((message) => presentMessage(message, now)) })
}

function presentMessage(message: InboxMessage, now: number) {
  return {
    id: message.deliveryId,
    app: message.appName ?? '',
    to: message.to,
    code: message.code,
    reference: message.reference,
    language: message.language,
    subject: message.subject,
    text: message.text,
    html: message.html,
    state: stateOf(message, now),
    sent_at: timestamp(message.at),
    expires_at: timestamp(message.expiresAt),
  }
}
