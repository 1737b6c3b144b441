import { type Static, t } from 'elysia'
import { policyFields, routeMax } from '../../../domain/app/policy.ts'
import { channelKinds } from '../../../domain/delivery/channel.ts'
import {
  deferralCauses,
  deliveryStatuses,
  refusalCauses,
} from '../../../domain/delivery/delivery.ts'
import { localeMust, localePattern } from '../../../domain/language.ts'
import { returnUrlLength } from '../../../domain/page/return-url.ts'
import { namePattern, valueMax, variablesMax } from '../../../domain/template/variables.ts'
import { modes, statuses } from '../../../domain/verification/verification.ts'
import { codePattern, emailPattern } from '../../core/patterns.ts'
import {
  count,
  id,
  input,
  integer,
  nullable,
  object,
  oneOf,
  output,
  shaped,
  time,
  timedId,
} from '../../core/schema.ts'
import { cursorField, limitField, pageOf } from './page.ts'

const detail = t.Optional(t.String({ description: 'The reply of the mail server.' }))

const verificationFields = {
  id: timedId('30 characters of base62: its time and 128 random bits.'),
  status: oneOf(statuses, 'The current status.'),
  mode: oneOf(modes, 'The mode of the key that started it; no key of the other mode sees it.'),
  to: t.String({ description: 'The recipient of the latest message, masked.' }),
  channel: oneOf(
    channelKinds,
    'The channel of the latest message; `inbox` for test keys: nothing leaves the machine.',
  ),
  route: t.Array(
    output('Stop', {
      channel: oneOf(channelKinds, 'The channel.'),
      to: t.String({ description: 'Its recipient, masked.' }),
    }),
    { description: 'The channels that it may use, in order.' },
  ),
  purpose: t.String({ description: 'As given at the start.' }),
  locale: t.Optional(t.String({ description: 'As given at the start, in its canonical form.' })),
  metadata: t.Optional(
    t.Record(t.String(), t.String(), { description: 'As given at the start; never in the mail.' }),
  ),
  code_length: count('Characters of the code.'),
  code_format: oneOf(
    ['numeric', 'crockford'],
    '`crockford`: 13 letters and digits, sent when the recipient’s guess budget is spent.',
  ),
  reference: t.String({ description: 'A short tag, not secret, that is also in the mail.' }),
  created_at: time('When it was started.'),
  expires_at: time('From then on the code is refused.'),
  attempts_left: count('Wrong codes that it still takes.'),
  next: output(
    'Next',
    {
      check: nullable(time('From when the next check is judged; null when none is.')),
      resend: nullable(
        output('NextResend', {
          at: time('From when it is allowed.'),
          channels: t.Array(oneOf(channelKinds, 'A channel.'), {
            description: 'The channels that it may name.',
          }),
        }),
        'The next resend; null when none is left.',
      ),
    },
    { description: 'What may be done next.' },
  ),
  delivery: output(
    'DeliveryState',
    { status: oneOf(deliveryStatuses, 'The state of the latest message.'), detail },
    { description: 'The latest message.' },
  ),
}

export const verificationSchema = output('Verification', verificationFields)

export const startedSchema = output('StartedVerification', {
  ...verificationFields,
  page_url: t.Optional(
    t.String({
      description:
        'The hosted page, where there is a `return_url`: send the person’s browser there. Only the ' +
        'first browser that opens it can use it.',
    }),
  ),
})

export const resultSchema = output('Result', {
  ...verificationFields,
  proof: t.Optional(
    t.String({ description: 'A JWT, where the app has `proof_version` and it was approved.' }),
  ),
})

export const resultRequest = input('ResultRequest', {
  result: t.String({
    maxLength: 64,
    description: 'The `otpmint_result` of the query with which the browser came back.',
  }),
})

export const checkSchema = output('Check', {
  valid: t.Boolean({ description: 'True for the right code, once.' }),
  ...verificationFields,
})

const trySchema = output('Try', {
  number: count('Counts up from 1.'),
  endpoint: nullable(id('The endpoint; null for a channel without endpoints.')),
  at: time('When it began.'),
  took_ms: count('How long it took.'),
  status: oneOf(['sent', 'deferred', 'refused'], 'The outcome.'),
  cause: t.Optional(oneOf([...deferralCauses, ...refusalCauses], 'Why it was not sent.')),
  code: t.Optional(t.String({ description: 'The server’s reply code, such as `550 5.1.1`.' })),
  detail,
  ambiguous: t.Boolean({ description: 'No reply came: the message may have been taken.' }),
})

const chosenSchema = output(
  'Chosen',
  {
    group: t.String({
      description: 'The domain of the recipient, or the country or calling code of the number.',
    }),
    explanation: t.String({
      description: 'Why it begins there: `83 % approved here, 71 % there`.',
    }),
    options: t.Array(
      output('ChosenOption', {
        channel: oneOf(channelKinds, 'Its channel.'),
        endpoint: id('The endpoint.'),
        approved_percent: nullable(
          count('How many of its messages to this group were followed by an approval.'),
          'How many of its messages to this group were followed by an approval; null for none yet.',
        ),
      }),
      { description: 'The endpoints in the order in which they are tried.' },
    ),
  },
  { description: 'Why it begins there; absent without a learned route.' },
)

const deliverySchema = output('Delivery', {
  id: timedId('The message’s id.'),
  channel: oneOf(channelKinds, 'The channel of the message.'),
  status: oneOf(deliveryStatuses, 'The state of the message.'),
  detail,
  created_at: time('When it was queued.'),
  chosen: t.Optional(chosenSchema),
  tries: t.Array(trySchema, { description: 'Every try to hand it over, oldest first.' }),
})

export const detailsSchema = output('VerificationDetails', {
  ...verificationFields,
  deliveries: t.Array(deliverySchema, { description: 'Every message of it, oldest first.' }),
})

export const verificationPage = pageOf('VerificationPage', verificationSchema)

export const to = t.String({
  maxLength: 254,
  description:
    'The recipient: one e-mail address. A domain outside of ASCII may also be given as it is.',
  shown: { pattern: emailPattern },
})

export const locale = shaped(
  localePattern,
  localeMust,
  'The language of the message, a BCP 47 tag like `de-AT`; else the app’s `language`.',
)

export const variables = t.Record(
  t.String({ pattern: namePattern }),
  t.String({ shown: { maxLength: valueMax } }),
  {
    maxProperties: variablesMax,
    additionalProperties: false,
    reason: `must be at most ${variablesMax} strings of up to ${valueMax} characters`,
    description:
      `Values for the app’s template: up to ${variablesMax} strings of ${valueMax} characters, ` +
      'each declared by a template of the app. No links, addresses, markup or numbers of 4 ' +
      'digits.',
  },
)

const channelList = t.Array(oneOf(channelKinds, 'A channel.'), {
  minItems: 1,
  maxItems: routeMax,
  uniqueItems: true,
  description: 'Channels in order.',
})

const toEach = object(Object.fromEntries(channelKinds.map((kind) => [kind, t.Optional(to)])), {
  description: 'The recipient of each channel of the route, by its name.',
})

export const startRequest = input('StartRequest', {
  to: t.Union([to, toEach], {
    reason: 'must be one recipient, or an object with one for each channel of the route',
    description:
      'The recipient: one e-mail address, also with a domain outside of ASCII. Or one for each ' +
      'channel of the route, as an object.',
  }),
  channel: t.Optional(
    t.Union([oneOf(channelKinds, 'One channel.'), channelList], {
      reason: `must be a channel, or a list of 1 to ${routeMax}, none of them twice`,
      description:
        'A channel, or up to five in order, each used when the one before it has failed; else the ' +
        'app’s `channels`, else `email`. A test key’s messages stay in the inbox.',
    }),
  ),
  fallback_after_seconds: t.Optional(
    integer(
      policyFields.fallbackAfterSeconds.min,
      policyFields.fallbackAfterSeconds.max,
      'Seconds without an approval after which the next channel is used; else the app’s policy.',
    ),
  ),
  purpose: t.Optional(
    shaped(
      '^[a-z0-9][a-z0-9_.-]{0,63}$',
      'must be 1 to 64 characters of a-z, 0-9, _, . and -',
      'What the code is for (default `default`): 1 to 64 of `a-z 0-9 _ . -`.',
    ),
  ),
  locale: t.Optional(locale),
  code_length: t.Optional(
    integer(
      policyFields.codeLength.min,
      policyFields.codeLength.max,
      'Digits of the code; else the app’s policy or the server’s setting.',
    ),
  ),
  ttl_seconds: t.Optional(
    integer(
      policyFields.ttlSeconds.min,
      policyFields.ttlSeconds.max,
      'Seconds that the code is valid; else the app’s policy or the server’s setting.',
    ),
  ),
  variables: t.Optional(variables),
  client_ip: t.Optional(
    shaped(
      '^[0-9A-Fa-f:.]{2,45}$',
      'must be an IP address',
      'The person’s address as your server sees it. Neither stored nor trusted.',
    ),
  ),
  metadata: t.Optional(
    t.Record(t.String({ pattern: '^.{1,40}$' }), t.String({ maxLength: 256 }), {
      maxProperties: 16,
      additionalProperties: false,
      reason: 'must be at most 16 strings of up to 256 characters',
      description:
        'Up to 16 strings of 256 characters, kept with it; names of 1 to 40 characters. Never in ' +
        'the mail.',
    }),
  ),
  return_url: t.Optional(
    t.String({
      maxLength: returnUrlLength,
      description:
        'Asks for a hosted page, from which the browser comes back to this URL: exactly one of the ' +
        'app’s `return_urls`.',
    }),
  ),
})
export type StartRequest = Static<typeof startRequest>

export const checkRequest = input('CheckRequest', {
  code: t.String({
    maxLength: 64,
    description: 'What the person typed, as a string. Spaces and hyphens do not matter.',
    shown: { pattern: codePattern },
  }),
})

export const resendRequest = input('ResendRequest', {
  channel: t.Optional(
    oneOf(
      channelKinds,
      'A channel of the route, also an earlier one (default: that of the latest message).',
    ),
  ),
})

export const cancelRequest = input('CancelRequest', {})

export const statusField = t.Optional(oneOf(statuses, 'Only those with this status now.'))

export const searchRequest = input('SearchRequest', {
  to: { ...to, description: 'Only those of exactly this address.' },
  status: statusField,
  limit: limitField,
  cursor: cursorField('timedId'),
})

export const exampleVerification = {
  id: '0Uw3Xa8bQ2sXyKBqCk1uT5vYw8ZaDf',
  status: 'pending',
  mode: 'live',
  to: 'a***@example.com',
  channel: 'email',
  route: [{ channel: 'email', to: 'a***@example.com' }],
  purpose: 'sign-in',
  code_length: 6,
  code_format: 'numeric',
  reference: 'KF42',
  created_at: '2026-11-22T09:00:00.000Z',
  expires_at: '2026-11-22T09:10:00.000Z',
  attempts_left: 5,
  next: {
    check: '2026-11-22T09:00:00.000Z',
    resend: { at: '2026-11-22T09:00:30.000Z', channels: ['email'] },
  },
  delivery: { status: 'queued' },
}

export const exampleDetails = {
  ...exampleVerification,
  delivery: { status: 'sent', detail: '250 2.0.0 Ok: queued' },
  deliveries: [
    {
      id: '0Uw3Xa8bQ5mN7pR4tL0zC3vB6nM9kJ',
      channel: 'email',
      status: 'sent',
      detail: '250 2.0.0 Ok: queued',
      created_at: '2026-11-22T09:00:00.000Z',
      tries: [
        {
          number: 1,
          endpoint: '4kT9wQ2nB7xV0mL5sR8yZ1',
          at: '2026-11-22T09:00:00.010Z',
          took_ms: 4,
          status: 'deferred',
          cause: 'network',
          detail: 'connection refused',
          ambiguous: false,
        },
        {
          number: 2,
          endpoint: '8hP3cJ6fD1gS4aN9tW2qE5',
          at: '2026-11-22T09:00:00.020Z',
          took_ms: 130,
          status: 'sent',
          code: '250 2.0.0',
          detail: '250 2.0.0 Ok: queued',
          ambiguous: false,
        },
      ],
    },
  ],
}
