import type { Operation } from '../../core/route.ts'
import { id, timedId } from '../../core/schema.ts'
import { pageQuery } from '../components/page.ts'
import {
  newTelegramRecipient,
  telegramRecipient,
  telegramRecipientPage,
} from '../components/recipient.ts'

const tag = 'Recipients'
const params = { id: timedId('The recipient’s id.') }
const example = {
  id: '0Uw3Xa8bQ2sXyKBqCk1uT5vYw8ZaDf',
  status: 'waiting',
  mode: 'live',
  created_at: '2026-11-22T09:00:00.000Z',
  expires_at: '2026-11-22T09:10:00.000Z',
}
const answered = { ...example, status: 'answered', name: 'A*** L*** (@a***)' }
const { expires_at: _, ...active } = { ...answered, status: 'active' }

export const startTelegram = {
  id: 'startTelegramRecipient',
  tag,
  summary: 'Make a link by which a person lets the app write to them in Telegram',
  description:
    'The person follows the link, and the app’s bot asks them. At most 60 links a minute, and 500 ' +
    'recipients that wait. With a test key nobody is asked: a made-up person has agreed at once, ' +
    'and the recipient ends after an hour.',
  answers: {
    201: {
      description: 'Made.',
      schema: newTelegramRecipient,
      example: {
        ...example,
        link: 'https://t.me/acme_codes_bot?start=8pS0yq3dTQ2mB4nVt7LxWkZc1oJhRfUe',
      },
    },
  },
  problems: ['app_paused', 'channel_not_configured', 'bot_unavailable'],
} satisfies Operation

export const getTelegram = {
  id: 'getTelegramRecipient',
  tag,
  summary: 'Show a Telegram recipient',
  description: 'Show the masked name to the person before confirming: “Is this you?”',
  params,
  answers: { 200: { description: 'As it is now.', schema: telegramRecipient, example: answered } },
  problems: ['recipient_not_found'],
} satisfies Operation

export const confirmTelegram = {
  id: 'confirmTelegramRecipient',
  tag,
  summary: 'Activate a Telegram recipient that has agreed',
  description: 'From then on its id is a `to` of channel `telegram`. Repeating it does nothing.',
  params,
  answers: { 200: { description: 'Active.', schema: telegramRecipient, example: active } },
  problems: ['recipient_not_found', 'recipient_not_answered'],
} satisfies Operation

export const removeTelegram = {
  id: 'removeTelegramRecipient',
  tag,
  summary: 'Remove a Telegram recipient',
  params,
  answers: { 204: { description: 'Removed.' } },
  problems: ['recipient_not_found'],
} satisfies Operation

const ofApp = { id: id('The app’s id.') }

export const listTelegram = {
  id: 'listTelegramRecipients',
  tag: 'Apps',
  summary: 'List the Telegram recipients of an app',
  description: 'Of both modes, the newest first.',
  params: ofApp,
  query: pageQuery('timedId', {}),
  answers: {
    200: {
      description: 'One page.',
      schema: telegramRecipientPage,
      example: { items: [active], next_cursor: null },
    },
  },
  problems: ['invalid_request', 'app_not_found'],
} satisfies Operation

export const removeTelegramOf = {
  id: 'removeTelegramRecipientOfApp',
  tag: 'Apps',
  summary: 'Remove a Telegram recipient of an app',
  params: { ...ofApp, recipient_id: timedId('The recipient’s id.') },
  answers: { 204: { description: 'Removed.' } },
  problems: ['app_not_found', 'recipient_not_found'],
} satisfies Operation
