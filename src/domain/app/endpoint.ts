import type { EndpointChannel } from '../delivery/channel.ts'
import { newId } from '../id.ts'
import type { Keyring, SealPlace } from '../keyring.ts'
import type { Ports } from '../ports.ts'
import type { FieldError } from '../problem.ts'
import type { App } from './app.ts'
import {
  destinationOf,
  type EndpointInput,
  type EndpointNames,
  type FieldTable,
  type NewSecret,
  namesOf,
  type ReadSettings,
  readByTable,
  type SettingsReading,
} from './endpoint-fields.ts'
import {
  type GatewaySettings,
  snsFields,
  telegramGatewayFields,
  twilioFields,
  vonageFields,
  whatsappFields,
} from './gateway-fields.ts'
import { type SmtpSettings, smtpFields } from './smtp-fields.ts'
import type { SmtpCurrent } from './smtp-login.ts'
import { readSmtpSettings } from './smtp-settings.ts'
import { type TelegramSettings, telegramFields } from './telegram-fields.ts'
import { readWebhookSettings, type WebhookSettings, webhookFields } from './webhook-fields.ts'

/** One configured way through a channel for an app, with its rank and its sealed secret. */
export type Endpoint<Settings extends EndpointSettings = EndpointSettings> = {
  id: string
  appId: string
  channel: EndpointChannel
  /** 1 is tried first. */
  rank: number
  settings: Settings
  /** Bound to every field that says where it goes; null where there is no secret. */
  secretSealed: Uint8Array | null
  /** Why nothing goes through it; null while it is on. */
  off: EndpointOff | null
  createdAt: number
  updatedAt: number
}

/** `admin`: switched off by hand. `gone`: its server answered that it wants nothing any more. */
export const endpointOffs = ['admin', 'gone'] as const
export type EndpointOff = (typeof endpointOffs)[number]

/** By kind, which is the tag. */
export type EndpointSettings = SmtpSettings | WebhookSettings | TelegramSettings | GatewaySettings
export type EndpointKind = EndpointSettings['kind']
export type EmailEndpoint = Endpoint<SmtpSettings>

type KindRules = {
  channel: EndpointChannel
  /** One of it, in a sentence. */
  noun: string
  /** What its flags begin with. */
  flags: string
  fields: FieldTable
  /** Endpoints of it that an app may have, where it is not as many as of any channel. */
  most?: number
  /** Merges the input into the current settings; null when a mistake was added. */
  read(ports: Pick<Ports, 'pem'>, reading: SettingsReading): ReadSettings<EndpointSettings> | null
}

/** The kinds of endpoints: their fields, and how they are read. */
export const endpointKinds: Record<EndpointKind, KindRules> = {
  email: {
    channel: 'email',
    noun: 'mail server',
    flags: 'smtp',
    fields: smtpFields,
    read: (ports, { current, ...reading }) =>
      readSmtpSettings(ports, {
        ...reading,
        names: { ...namesOf('email', smtpFields), ...reading.names },
        current: current as SmtpCurrent | null,
      }),
  },
  webhook: {
    ...byTable('webhook', { channel: 'webhook', noun: 'webhook', fields: webhookFields }),
    read: (_, reading) => readWebhookSettings(reading),
  },
  twilio: byTable('twilio', { channel: 'sms', noun: 'Twilio account', fields: twilioFields }),
  vonage: byTable('vonage', { channel: 'sms', noun: 'Vonage account', fields: vonageFields }),
  sns: byTable('sns', { channel: 'sms', noun: 'Amazon SNS account', fields: snsFields }),
  whatsapp: byTable('whatsapp', {
    ...{ channel: 'whatsapp', noun: 'WhatsApp number', fields: whatsappFields },
  }),
  telegram_gateway: byTable('telegram_gateway', {
    channel: 'telegram_gateway',
    noun: 'Telegram Gateway account',
    fields: telegramGatewayFields,
  }),
  // A person starts one bot, and no other one may write to them.
  telegram: byTable('telegram', {
    ...{ channel: 'telegram', noun: 'Telegram bot', fields: telegramFields, most: 1 },
  }),
}

export const endpointKindList = Object.entries(endpointKinds) as [EndpointKind, KindRules][]

function byTable(
  kind: EndpointKind,
  rules: Pick<KindRules, 'channel' | 'noun' | 'fields' | 'most'>,
): KindRules {
  return {
    ...rules,
    flags: kind.replaceAll('_', '-'),
    read: (_, reading) => readByTable<EndpointSettings>(kind, rules.fields, reading),
  }
}

/** Why a URL is refused that the egress does not allow. */
export const mustLead = 'must lead to a public address by https, or to one in OTPMINT_EGRESS_ALLOW'

/** What is wrong with the URLs of the input that lead nowhere. */
export function unreachable(
  { mayReach }: Pick<Ports, 'mayReach'>,
  kind: EndpointKind,
  input: EndpointInput,
): FieldError[] {
  return Object.entries<FieldTable[string]>(endpointKinds[kind].fields)
    .filter(([name, { leads, read }]) => {
      const value = input[name]
      const url = leads && typeof value === 'string' ? read?.(value) : null
      // What is no URL at all is refused as such.
      return typeof url === 'string' && !mayReach(url)
    })
    .map(([, { wire }]) => ({ field: `${kind}.${wire}`, reason: mustLead }))
}

/** The kinds of a channel's endpoints. */
export function kindsOf(channel: EndpointChannel): EndpointKind[] {
  return endpointKindList.filter(([, rules]) => rules.channel === channel).map(([kind]) => kind)
}

/** The fields of a kind that may be shown: all but secrets. */
export function shownFields(kind: EndpointKind): [string, string][] {
  return Object.entries<FieldTable[string]>(endpointKinds[kind].fields)
    .filter(([, { secret }]) => !secret)
    .map(([name, { wire }]) => [name, wire])
}

export function isEmail(endpoint: Endpoint): endpoint is EmailEndpoint {
  return endpoint.settings.kind === 'email'
}

type Drafting = {
  kind: EndpointKind
  input: EndpointInput
  /** The caller's names of the fields. */
  names?: EndpointNames
  current: Endpoint | null
  mistakes: FieldError[]
  id?: string
}

/** An endpoint as it is to be stored, first by rank; null when a mistake was added. */
export function draftEndpoint(
  ports: Pick<Ports, 'keyring' | 'pem' | 'clock' | 'random'>,
  app: App,
  { kind, input, current, mistakes, ...drafting }: Drafting,
): Endpoint | null {
  const { registeredBy } = app
  const { channel, fields, read } = endpointKinds[kind]
  const { id = newId(ports.random), names = namesOf(kind, fields) } = drafting
  const found = read(ports, { input, names, current, registeredBy, mistakes })
  if (!found) return null
  const { settings, secret } = found
  const now = ports.clock.now()
  const place = { id: current?.id ?? id, settings }
  return {
    ...place,
    appId: app.id,
    channel,
    rank: current?.rank ?? 1,
    secretSealed: sealSecret(ports, app, place, { secret, current }),
    off: current?.off ?? null,
    createdAt: current?.createdAt ?? now,
    updatedAt: now,
  }
}

/** The place that an endpoint's secret is bound to: one endpoint and one destination. */
export function secretPlace({ id, settings }: Pick<Endpoint, 'id' | 'settings'>): SealPlace {
  return {
    table: 'endpoints',
    row: id,
    column: 'secret_sealed',
    binding: destinationOf(endpointKinds[settings.kind].fields, settings),
  }
}

/** Seals the secret for storing. */
export function sealSecret(
  { keyring }: { keyring: Keyring },
  app: Pick<App, 'id' | 'dataKey'>,
  endpoint: Pick<Endpoint, 'id' | 'settings'>,
  { secret, current }: { secret: NewSecret; current: Endpoint | null },
): Uint8Array | null {
  if (secret === 'none') return null
  if (secret === 'keep') return current?.secretSealed ?? null
  return keyring.seal(app.id, app.dataKey, secretPlace(endpoint), secret.set)
}

/** Opens the secrets of an endpoint whose kind is a table; null where they cannot be opened. */
export function openSecrets<Secrets extends Record<string, string>>(
  { keyring }: { keyring: Pick<Keyring, 'open'> },
  app: Pick<App, 'id' | 'dataKey'>,
  endpoint: Endpoint,
): Secrets | null {
  if (endpoint.secretSealed === null) return null
  try {
    const text = keyring.open(app.id, app.dataKey, secretPlace(endpoint), endpoint.secretSealed)
    return JSON.parse(text)
  } catch {
    return null
  }
}
