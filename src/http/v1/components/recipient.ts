import { t } from 'elysia'
import { bindingStatuses } from '../../../domain/telegram/binding.ts'
import { modes } from '../../../domain/verification/verification.ts'
import { nullable, oneOf, output, time, timedId } from '../../core/schema.ts'
import { pageOf } from './page.ts'

const fields = {
  id: timedId('What `to` of a verification is, once it is active.'),
  status: oneOf(
    bindingStatuses,
    '`waiting` for the person, `answered` when they agree, `active` once confirmed.',
  ),
  mode: oneOf(modes, 'That of the key that made it.'),
  name: t.Optional(t.String({ description: 'The person’s name in Telegram, masked.' })),
  created_at: time('When it was made.'),
  expires_at: t.Optional(time('When the next step is too late, or a test recipient ends.')),
}

export const telegramRecipient = output('TelegramRecipient', fields)

export const newTelegramRecipient = output('NewTelegramRecipient', {
  ...fields,
  link: nullable(
    t.String(),
    'For the person to follow, once, within ten minutes; null with a test key.',
  ),
})

export const telegramRecipientPage = pageOf('TelegramRecipientPage', telegramRecipient)
