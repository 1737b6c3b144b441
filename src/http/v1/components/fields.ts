import { t } from 'elysia'
import { endpointKindList } from '../../../domain/app/endpoint.ts'
import { endpointChannels } from '../../../domain/delivery/channel.ts'
import type { Field } from '../../../domain/field.ts'
import { languages } from '../../../domain/language.ts'
import { count, input, nullable, oneOf, output } from '../../core/schema.ts'
import { newSettings, policyInput } from './app.ts'

/** The compiler checks that none is missing. */
const typesOfFields: Record<Field['type'], true> = {
  ...{ integer: true, boolean: true, choice: true },
  ...{ list: true, integers: true, texts: true, text: true },
}

const usual = nullable(
  t.Union([t.String(), t.Number(), t.Boolean(), t.Array(t.Union([t.String(), t.Number()]))]),
  'What holds where nothing was set; null for nothing.',
)

const described = {
  name: t.String({ description: 'Its name in requests.' }),
  says: t.String({ description: 'What it is for.' }),
  type: oneOf(Object.keys(typesOfFields), 'What its value is.'),
  min: nullable(t.Number(), 'The least number, characters or items.'),
  max: nullable(t.Number(), 'The most.'),
  of: nullable(t.Array(t.String()), 'The words of a choice or a list.'),
  lines: t.Boolean({ description: 'A text that may have line breaks.' }),
  usual,
}

const yes = (description: string) => t.Boolean({ description })

export const fieldsSchema = output('Fields', {
  policy: t.Array(output('PolicyField', described), { description: 'What an app may set.' }),
  endpoints: t.Array(
    output('EndpointKind', {
      kind: oneOf(
        endpointKindList.map(([kind]) => kind),
        'The name of its object in requests.',
      ),
      channel: oneOf(endpointChannels, 'The channel whose messages it takes.'),
      noun: t.String({ description: 'One of it, in English.' }),
      fields: t.Array(
        output('EndpointField', {
          ...described,
          required: yes('A new one needs it.'),
          nullable: yes('Null unsets it.'),
          secret: yes('Write-only.'),
          destination: yes('A change of it needs the secrets again.'),
        }),
        { description: 'What an endpoint of it is made of.' },
      ),
    }),
    { description: 'The kinds of endpoints.' },
  ),
  languages: t.Array(oneOf(languages, 'One of them.'), {
    description: 'The languages of the built-in messages.',
  }),
})

export const policyQuestion = input('PolicyQuestion', { policy: t.Optional(policyInput) })

export const policyEffectSchema = output('PolicyEffect', {
  policy: t.Record(t.String(), usual, { description: 'Every field as it would be in force.' }),
  wrong_codes_per_day: count('Wrong codes for a recipient in 24 hours before codes become long.'),
  wrong_codes_per_month: count('The same in 30 days.'),
  guesses_per_year: count('Guesses that one recipient can get in a year, in the worst case.'),
  guess_bound_per_year: t.Number({
    minimum: 0,
    maximum: 1,
    description: 'The chance in a year, for one recipient, that one of them is right.',
  }),
})

export const mailServerTest = input('MailServerTest', {
  name: t.Optional(t.String({ description: 'The app’s name, as the message shows it.' })),
  email: newSettings.email,
  to: t.Optional(
    t.String({ description: 'Sends a real message to this address; none if absent.' }),
  ),
})
