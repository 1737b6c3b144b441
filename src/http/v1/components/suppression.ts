import { t } from 'elysia'
import { suppressionCauses } from '../../../domain/delivery/suppression.ts'
import { input, oneOf, output, time, timedId } from '../../core/schema.ts'
import { pageOf } from './page.ts'
import { to } from './verification.ts'

export const suppressionPage = pageOf(
  'SuppressionPage',
  output('Suppression', {
    id: timedId('Names the suppression in the route that removes it.'),
    to: t.String({ description: 'The address, masked.' }),
    cause: oneOf(
      suppressionCauses,
      '`refused` by the mail server, or `bounced` after the server had accepted the message.',
    ),
    code: t.Optional(t.String({ description: 'The server’s code, such as `550 5.1.1`.' })),
    since: time('When it began.'),
    until: time('When it ends by itself.'),
  }),
)

export const suppressedAddress = input('SuppressedAddress', {
  to: { ...to, description: 'Exactly the suppressed address.' },
})
