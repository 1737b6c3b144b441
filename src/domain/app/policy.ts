import { type EndpointChannel, endpointChannels } from '../delivery/channel.ts'
import { type Field, isWithin, mustBe } from '../field.ts'
import { type Language, languages } from '../language.ts'
import { hasPlainHost, isReturnUrl, returnUrlLength, returnUrlsMax } from '../page/return-url.ts'
import type { FieldError } from '../problem.ts'
import type { DomainSettings, SettingName } from '../settings.ts'
import { settingFields } from '../settings.ts'
import { countries } from '../verification/countries.ts'
import { type PhoneType, phoneTypes } from '../verification/phone.ts'

/** What an app sets for itself; absent fields follow the server's settings. */
export type Policy = {
  codeLength?: number
  ttlSeconds?: number
  attemptsMax?: number
  onBudgetExhausted?: 'long_code' | 'refuse'
  codeInSubject?: boolean
  longerCodesOnAlarm?: boolean
  origin?: string
  language?: Language
  channels?: EndpointChannel[]
  fallbackAfterSeconds?: number
  checkDelays?: number[]
  startsPerMinute?: number
  startsPerDay?: number
  recipientStartsPerDay?: number
  paused?: boolean
  phoneCountries?: string[]
  phoneTypes?: PhoneType[]
  phonePrefixPerHour?: number
  phoneCountryPerHour?: number
  costPerDay?: number
  conversionAlarmPercent?: number
  learnedRoute?: boolean
  returnUrls?: string[]
  proofVersion?: number
  embedOrigins?: string[]
  pageLink?: boolean
  reportLink?: boolean
}

export type PolicyField = Field & {
  /** The field's wire name, below `policy`. */
  wire: string
  /** The server's setting, which is the maximum of the field. */
  ceiling?: SettingName
}

/** The most channels of a route. */
export const routeMax = 5

const { codeLength, ttlSeconds, attemptsMax, appStartsPerMinute, appStartsPerDay } = settingFields
const { recipientStartsPerDay, phonePrefixPerHour, phoneCountryPerHour, costPerDay } = settingFields

/** Every field of a policy: wire name, type, bounds and description. */
export const policyFields = {
  codeLength: { ...codeLength, wire: 'code_length', says: 'Digits of a code.' },
  ttlSeconds: { ...ttlSeconds, wire: 'ttl_seconds', says: 'Seconds that a code is valid.' },
  attemptsMax: {
    ...attemptsMax,
    min: 1,
    wire: 'attempts_max',
    ceiling: 'attemptsMax',
    says: 'Tries that one verification allows.',
  },
  onBudgetExhausted: {
    type: 'choice',
    of: ['long_code', 'refuse'],
    wire: 'on_budget_exhausted',
    says: 'When a recipient’s guess budget is spent: a code of 65 bits, or a refusal.',
  },
  codeInSubject: {
    type: 'boolean',
    wire: 'code_in_subject',
    says: 'Shows the code in the mail’s subject; set false where subjects are logged.',
  },
  longerCodesOnAlarm: {
    type: 'boolean',
    wire: 'longer_codes_on_alarm',
    says: 'Codes of 8 digits while the spray alarm is on.',
  },
  origin: {
    type: 'text',
    min: 1,
    max: 255,
    must: 'an https origin like https://app.example.com, or http://localhost',
    wire: 'origin',
    says: 'The https origin where the code is typed; adds the OTP-Token header.',
  },
  language: {
    type: 'choice',
    of: languages,
    wire: 'language',
    says: 'The language of messages where a start names no `locale` that fits (default `en`).',
  },
  channels: {
    type: 'list',
    of: endpointChannels,
    min: 1,
    max: routeMax,
    wire: 'channels',
    says: 'The channels of a start that names none, in order (default `email`).',
  },
  fallbackAfterSeconds: {
    type: 'integer',
    min: 5,
    max: 3600,
    wire: 'fallback_after_seconds',
    says: 'Seconds without an approval after which the next channel of a route is used.',
  },
  checkDelays: {
    type: 'integers',
    min: 0,
    max: 300,
    most: 10,
    wire: 'check_delays',
    says: 'Seconds before the first check, the second and so on; the last one holds for the rest.',
  },
  startsPerMinute: {
    ...appStartsPerMinute,
    wire: 'starts_per_minute',
    ceiling: 'appStartsPerMinute',
    says: 'Verifications that may be started in a minute.',
  },
  startsPerDay: {
    ...appStartsPerDay,
    wire: 'starts_per_day',
    ceiling: 'appStartsPerDay',
    says: 'Verifications that may be started in 24 hours.',
  },
  recipientStartsPerDay: {
    ...recipientStartsPerDay,
    wire: 'recipient_starts_per_day',
    ceiling: 'recipientStartsPerDay',
    says: 'Verifications for one recipient in 24 hours.',
  },
  paused: { type: 'boolean', wire: 'paused', says: 'Nothing is started while this is true.' },
  phoneCountries: {
    type: 'list',
    of: countries,
    min: 1,
    max: countries.length,
    must: 'ISO 3166 codes in capitals, like DE and GB',
    wire: 'phone_countries',
    says: 'Countries (ISO 3166 codes) whose telephone numbers may get messages; none if absent.',
  },
  phoneTypes: {
    type: 'list',
    of: phoneTypes,
    min: 1,
    max: phoneTypes.length,
    wire: 'phone_types',
    says: 'Types of telephone numbers that may get messages (default the first two).',
  },
  phonePrefixPerHour: {
    ...phonePrefixPerHour,
    wire: 'phone_prefix_per_hour',
    ceiling: 'phonePrefixPerHour',
    says: 'Messages in an hour to telephone numbers that differ in their last four digits only.',
  },
  phoneCountryPerHour: {
    ...phoneCountryPerHour,
    wire: 'phone_country_per_hour',
    ceiling: 'phoneCountryPerHour',
    says: 'Messages in an hour to telephone numbers of one country.',
  },
  costPerDay: {
    ...costPerDay,
    wire: 'cost_per_day',
    says:
      'The most that messages may cost in a day (UTC), in millionths of your currency; then ' +
      'endpoints with a cost send nothing until the next day.',
  },
  conversionAlarmPercent: {
    type: 'integer',
    min: 0,
    max: 100,
    wire: 'conversion_alarm_percent',
    says:
      'An alarm where a smaller share of a country’s verifications by telephone number is ' +
      'approved in 24 hours (default 20; 0 for none).',
  },
  learnedRoute: {
    type: 'boolean',
    wire: 'learned_route',
    says:
      'Tries first what was followed by most approvals: endpoints of a channel and channels of a ' +
      'route, for each domain or country (default false).',
  },
  returnUrls: {
    type: 'texts',
    max: returnUrlLength,
    most: returnUrlsMax,
    must: 'an https URL as browsers write it, without fragment, or http://localhost',
    wire: 'return_urls',
    says: 'The URLs that a hosted page may lead back to, each exactly as a start names it.',
  },
  proofVersion: {
    type: 'integer',
    min: 1,
    max: 1_000_000,
    wire: 'proof_version',
    says: 'Adds a signed proof to the results of hosted pages; another number makes another secret.',
  },
  embedOrigins: {
    type: 'texts',
    max: 255,
    most: 20,
    must: 'an https origin like https://app.example.com, or http://localhost',
    wire: 'embed_origins',
    says: 'The origins whose pages may show hosted pages in a frame (default none).',
  },
  pageLink: {
    type: 'boolean',
    wire: 'page_link',
    says: 'Adds a link to mails that fills in the code on its hosted page (default false).',
  },
  reportLink: {
    type: 'boolean',
    wire: 'report_link',
    says: 'Adds a link to mails by which a person reports that it was not them (default false).',
  },
} as const satisfies Record<keyof Policy, PolicyField>

export const policyFieldList = Object.entries(policyFields) as [keyof Policy, PolicyField][]

/** A policy as received, not validated; null unsets a field. */
export type PolicyInput = { [Name in keyof Policy]?: unknown }

/** Merges `input` into `current`; adds mistakes by name, without values. */
export function readPolicy(
  settings: DomainSettings,
  { current, input, mistakes }: { current: Policy; input: PolicyInput; mistakes: FieldError[] },
): Policy {
  const merged: Record<string, unknown> = { ...current }
  for (const [name, field] of policyFieldList) {
    const value = input[name]
    if (value === undefined) continue
    delete merged[name]
    if (value === null) continue
    const ceiling = field.ceiling && settings[field.ceiling]
    if (!isWithin(field, value) || !isRight(name, value)) {
      mistakes.push({ field: `policy.${field.wire}`, reason: mustBe(field) })
    } else if (ceiling !== undefined && Number(value) > ceiling) {
      const reason = `must be no more than the server allows, which is ${ceiling}`
      mistakes.push({ field: `policy.${field.wire}`, reason })
    } else {
      merged[name] = value
    }
  }
  return merged as Policy
}

/** What lengths and types alone do not say. */
function isRight(name: keyof Policy, value: unknown): boolean {
  if (name === 'origin') return isOrigin(String(value))
  if (name === 'embedOrigins') return (value as string[]).every(isOrigin)
  if (name === 'returnUrls') return (value as string[]).every(isReturnUrl)
  return true
}

/** The rules in force for an app. Only the length and the life of codes may be looser than set. */
export type EffectivePolicy = Required<Omit<Policy, Unset>> & {
  [Name in Unset]: Exclude<Policy[Name], undefined> | null
}
/** What has no default. */
type Unset =
  | ('origin' | 'channels' | 'fallbackAfterSeconds' | 'checkDelays')
  | ('returnUrls' | 'proofVersion' | 'embedOrigins')

export function effectivePolicy(policy: Policy, settings: DomainSettings): EffectivePolicy {
  const stricter = (own: number | undefined, server: number) => Math.min(own ?? server, server)
  return {
    codeLength: policy.codeLength ?? settings.codeLength,
    ttlSeconds: policy.ttlSeconds ?? settings.ttlSeconds,
    attemptsMax: stricter(policy.attemptsMax, settings.attemptsMax),
    onBudgetExhausted: policy.onBudgetExhausted ?? 'long_code',
    codeInSubject: policy.codeInSubject ?? true,
    longerCodesOnAlarm: policy.longerCodesOnAlarm ?? false,
    origin: policy.origin ?? null,
    language: policy.language ?? 'en',
    channels: policy.channels ?? null,
    fallbackAfterSeconds: policy.fallbackAfterSeconds ?? null,
    checkDelays: policy.checkDelays ?? null,
    startsPerMinute: stricter(policy.startsPerMinute, settings.appStartsPerMinute),
    startsPerDay: stricter(policy.startsPerDay, settings.appStartsPerDay),
    recipientStartsPerDay: stricter(policy.recipientStartsPerDay, settings.recipientStartsPerDay),
    paused: policy.paused ?? false,
    phoneCountries: policy.phoneCountries ?? [],
    phoneTypes: policy.phoneTypes ?? ['mobile', 'fixed_line_or_mobile'],
    phonePrefixPerHour: stricter(policy.phonePrefixPerHour, settings.phonePrefixPerHour),
    phoneCountryPerHour: stricter(policy.phoneCountryPerHour, settings.phoneCountryPerHour),
    costPerDay: policy.costPerDay ?? settings.costPerDay,
    conversionAlarmPercent: policy.conversionAlarmPercent ?? 20,
    learnedRoute: policy.learnedRoute ?? false,
    returnUrls: policy.returnUrls ?? null,
    proofVersion: policy.proofVersion ?? null,
    embedOrigins: policy.embedOrigins ?? null,
    pageLink: policy.pageLink ?? false,
    reportLink: policy.reportLink ?? false,
  }
}

/** True for an https origin as a browser writes it: scheme, host and port only. */
function isOrigin(text: string): boolean {
  const url = URL.parse(text)
  if (url === null || url.origin !== text || !hasPlainHost(url)) return false
  return url.protocol === 'https:' || (url.protocol === 'http:' && url.hostname === 'localhost')
}
