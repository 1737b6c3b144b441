import { type Static, type TSchema, t } from 'elysia'
import { endpointsMax, keyModes } from '../../../domain/app/app.ts'
import { type EndpointKind, endpointKindList, endpointOffs } from '../../../domain/app/endpoint.ts'
import type { EndpointField, FieldTable } from '../../../domain/app/endpoint-fields.ts'
import { enabledField } from '../../../domain/app/endpoints.ts'
import { type PolicyField, policyFieldList } from '../../../domain/app/policy.ts'
import { webhookFields } from '../../../domain/app/webhook-fields.ts'
import { endpointChannels } from '../../../domain/delivery/channel.ts'
import { webhookFields as eventFields } from '../../../domain/webhook/webhook.ts'
import { namePattern } from '../../core/patterns.ts'
import { id, input, integer, nullable, oneOf, output, time } from '../../core/schema.ts'
import { securityField, wireField, wireFieldOrNull } from '../../core/wire-field.ts'
import { pageOf } from './page.ts'
import { locale, to, variables } from './verification.ts'

const policyShown = Object.fromEntries(
  policyFieldList.map(([, field]) => [field.wire, t.Optional(wireField(field))]),
)

const policySchema = output('Policy', policyShown, {
  description: 'What the app has set; absent fields follow the server’s settings.',
})

export const policyInput = input(
  'PolicyInput',
  Object.fromEntries(
    policyFieldList.map(([, field]) => [field.wire, t.Optional(nullable(policyField(field)))]),
  ),
  { description: 'The app’s own rules; null unsets a field.' },
)

function policyField({ ceiling, ...field }: PolicyField): TSchema {
  if (ceiling === undefined) return wireField(field)
  const says = `${field.says} No more than the server allows.`
  return { ...wireField({ ...field, says }), ceiling }
}

/** The component of a kind of endpoint: `EmailSettings`, `NewEmailSettings`. */
function componentOf(kind: string, before = '', after = ''): string {
  const words = kind.split('_').map((word) => word.charAt(0).toUpperCase() + word.slice(1))
  return `${before}${words.join('')}Settings${after}`
}

/** The settings as they are shown, by kind. */
const settingsShown = Object.fromEntries(
  endpointKindList.map(([kind, { fields, noun }]) => {
    const shown = Object.values<EndpointField>(fields).filter(({ secret }) => !secret)
    const schemas = shown.map((field) => [field.wire, wireFieldOrNull(field)])
    const settings = output(
      componentOf(kind),
      {
        ...Object.fromEntries(schemas),
        has_secret: t.Boolean({ description: 'What it needs to log in is stored.' }),
      },
      { description: `A ${noun}, without its secrets.` },
    )
    return [kind, t.Optional(settings)]
  }),
)

const emailInputSays =
  'An SMTP server: with a password, with what OAuth needs, or with `user: null`.'

/** What an endpoint is made or changed with; in a change every field is optional. */
function settingsInput(fields: FieldTable, isChange: boolean): Record<string, TSchema> {
  const entries = Object.values(fields).map((field: EndpointField) => {
    const schema = field.wire === 'security' ? securityField : wireFieldOrNull(field)
    return [field.wire, field.required && !isChange ? schema : t.Optional(schema)] as const
  })
  return Object.fromEntries(entries)
}

export const newSettings = Object.fromEntries(
  endpointKindList.map(([kind, { fields, noun }]) => {
    const description = kind === 'email' ? emailInputSays : `A ${noun}.`
    return [kind, input(componentOf(kind, 'New'), settingsInput(fields, false), { description })]
  }),
) as unknown as Record<EndpointKind, TSchema>

const settingsChanges = Object.fromEntries(
  endpointKindList.map(([kind, { fields }]) => {
    const description = 'Only what changes.'
    const schema = input(componentOf(kind, '', 'Change'), settingsInput(fields, true), {
      description,
    })
    return [kind, t.Optional(schema)]
  }),
)

const newSettingsOrNone = Object.fromEntries(
  Object.entries(newSettings).map(([kind, schema]) => [kind, t.Optional(schema)]),
)

const made = webhookFields.secret.says
const rank = integer(1, endpointsMax, '1 is tried first.')
const channel = oneOf(endpointChannels, 'The channel whose messages it takes.')

export const endpointSchema = output('Endpoint', {
  id: id('Names the endpoint in the routes, in tries and in the audit.'),
  channel,
  rank,
  ...settingsShown,
  off: nullable(oneOf(endpointOffs, 'Why it is off.'), 'Why it is off; null while it is on.'),
  created_at: time('When it was added.'),
  updated_at: time('When it was last changed.'),
})

export const endpointList = output('EndpointList', {
  items: t.Array(endpointSchema, { description: 'By channel, each channel’s by rank.' }),
})

export const newEndpoint = input('NewEndpoint', {
  channel,
  rank: t.Optional({ ...rank, description: '1 is tried first; last if absent.' }),
  enabled: t.Optional(wireField(enabledField)),
  ...newSettingsOrNone,
})

export const endpointChange = input('EndpointChange', {
  rank: t.Optional({ ...rank, description: 'The new rank; the others move.' }),
  enabled: t.Optional(wireField(enabledField)),
  ...settingsChanges,
})

export const endpointRotation = input('EndpointRotation', {
  secret: t.Optional(wireField({ ...webhookFields.secret, says: `${made} Made if absent.` })),
  keep_former_seconds: t.Optional(wireField(eventFields.keepFormerSeconds)),
})

export const rotatedSchema = output('EndpointRotated', {
  endpoint: id('The webhook.'),
  secret: t.Optional(t.String({ description: 'The new secret, where it was made here.' })),
  former_secret_until: nullable(
    time('Until when the former secret signs too.'),
    'Null for not at all.',
  ),
})

const keyFields = {
  id: id('Names the key in the routes and in the audit.'),
  mode: oneOf(
    keyModes,
    'A test key’s messages go to the built-in inbox; an inbound key only reports returned mail.',
  ),
  prefix: t.String({ description: 'The start of the key.' }),
  last_four: t.String({ description: 'The last four characters.' }),
  created_at: time('When it was made.'),
  revoked_at: t.Optional(time('When it was revoked.')),
}
const keySchema = output('Key', keyFields, { description: 'A key, without the key itself.' })

export const newKeySchema = output('NewKey', {
  ...keyFields,
  key: t.String({ description: 'The key itself, shown only now.' }),
})
export const keyRequest = input('KeyRequest', { mode: oneOf(keyModes, 'What it is for.') })

const appFields = {
  id: id('22 characters of base62.'),
  name: nullable(
    t.String(),
    'Shown in the mail; null for a secretKey that was registered without a name.',
  ),
  registered_by: oneOf(
    ['admin', 'open'],
    '`open`: by a stranger through open registration, so only public mail servers are dialled.',
  ),
  policy: policySchema,
  endpoints: t.Array(endpointSchema, { description: 'By channel, each channel’s by rank.' }),
  spray_alarm_since: nullable(time('Since when the spray alarm is on; null while it is off.')),
  created_at: time('When it was made.'),
  updated_at: time('When it or an endpoint was last changed.'),
}
const keys = t.Array(keySchema, { description: 'Without the keys themselves.' })

export const appSchema = output('App', appFields)
export const appDetails = output('AppDetails', { ...appFields, keys })
export const appWithKeys = output('AppWithKeys', {
  ...appFields,
  keys,
  live_key: t.String({ description: 'Shown only now.' }),
  test_key: t.String({ description: 'Shown only now.' }),
})
export const appPage = pageOf('AppPage', appSchema)

const name = t.String({
  minLength: 1,
  maxLength: 64,
  description: 'Shown in the mail: 1 to 64 characters.',
  shown: { pattern: namePattern },
})

export const newApp = input('NewApp', {
  name,
  policy: t.Optional(policyInput),
  email: t.Optional(newSettings.email),
})
export const appChange = input('AppChange', {
  name: t.Optional(name),
  policy: t.Optional(policyInput),
})

export const testDeliveryRequest = input('TestDeliveryRequest', {
  to: t.Optional({ ...to, description: 'Sends a real message to this address; none if absent.' }),
  endpoint: t.Optional(id('Through which endpoint; the first for email if absent.')),
  locale: t.Optional(locale),
  variables: t.Optional(variables),
})
export type TestDeliveryRequest = Static<typeof testDeliveryRequest>

export const testDeliverySchema = output('TestDelivery', {
  status: nullable(
    oneOf(['sent', 'deferred', 'refused'], 'The end of it.'),
    'The end of it; null when no message was to be sent.',
  ),
  detail: nullable(t.String(), 'The mail server’s words.'),
  steps: t.Array(
    output('TestStep', {
      name: t.String({ description: 'What was done.' }),
      ok: t.Boolean({ description: 'The step succeeded.' }),
      detail: nullable(t.String(), 'What came of it.'),
    }),
    { description: 'In order; the first that is not ok is the last.' },
  ),
})
