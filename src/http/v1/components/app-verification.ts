import { t } from 'elysia'
import { channelKinds } from '../../../domain/delivery/channel.ts'
import { stepKinds } from '../../../domain/verification/story.ts'
import { modes } from '../../../domain/verification/verification.ts'
import { count, id, input, object, oneOf, output, time } from '../../core/schema.ts'
import { cursorField, limitField, pageQuery } from './page.ts'
import { detailsSchema, exampleDetails, statusField, to } from './verification.ts'

export const modeField = t.Optional(oneOf(modes, 'Those of live keys (default) or of test keys.'))

export const modeQuery = object({ mode: modeField })

export const listQuery = pageQuery('timedId', { mode: modeField, status: statusField })

export const searchOfAppRequest = input('SearchOfAppRequest', {
  to: { ...to, description: 'Only those of exactly this address.' },
  mode: modeField,
  status: statusField,
  limit: limitField,
  cursor: cursorField('timedId'),
})

const stepSchema = output('Step', {
  at: time('When it happened.'),
  kind: oneOf(
    stepKinds,
    'What happened: `queued` is a message, `sent`, `deferred` and `refused` are tries to hand one over.',
  ),
  channel: t.Optional(oneOf(channelKinds, 'The channel of the message.')),
  endpoint: t.Optional(id('The endpoint of the try.')),
  took_ms: t.Optional(count('How long the try took.')),
  cause: t.Optional(t.String({ description: 'Why it was not sent.' })),
  code: t.Optional(t.String({ description: 'The server’s reply code, such as `550 5.1.1`.' })),
  detail: t.Optional(t.String({ description: 'The words of the other server.' })),
})

export const storySchema = output('VerificationStory', {
  ...detailsSchema.properties,
  steps: t.Array(stepSchema, {
    description: 'All that happened to it, oldest first; never a code.',
  }),
})

const endpoint = '4kT9wQ2nB7xV0mL5sR8yZ1'

export const exampleStory = {
  ...exampleDetails,
  steps: [
    { at: '2026-11-22T09:00:00.000Z', kind: 'started' },
    { at: '2026-11-22T09:00:00.000Z', kind: 'queued', channel: 'email' },
    {
      at: '2026-11-22T09:00:00.014Z',
      kind: 'deferred',
      channel: 'email',
      endpoint,
      took_ms: 4,
      cause: 'network',
      detail: 'connection refused',
    },
    { at: '2026-11-22T09:00:41.500Z', kind: 'wrong_code' },
  ],
}
