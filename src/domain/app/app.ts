import type { Brand } from '../brand/brand.ts'
import type { WrappedKey } from '../keyring.ts'
import { Problem } from '../problem.ts'
import type { TemplateRef } from '../template/template.ts'
import { modes } from '../verification/verification.ts'
import type { Webhook } from '../webhook/webhook.ts'
import type { DkimKey } from './dkim.ts'
import type { EmailEndpoint, Endpoint } from './endpoint.ts'
import type { Policy } from './policy.ts'

export type App = {
  id: string
  /** Null for an app that was registered through the original API without `app_name`. */
  name: string | null
  /** `open`: by a stranger through open registration, so only public hosts are dialled. */
  registeredBy: 'admin' | 'open'
  /** Whether callers of the original API can name it by a secretKey. */
  hasSecretKey: boolean
  policy: Policy
  /** By channel, each channel's by rank from 1 on. */
  endpoints: Endpoint[]
  /** Oldest first. */
  dkim: DkimKey[]
  /** Oldest first. */
  webhooks: Webhook[]
  /** What the messages show of the app; null for nothing but its name. */
  brand: Brand | null
  /** The templates in force, by language; their texts are read where they are needed. */
  templates: TemplateRef[]
  dataKey: WrappedKey
  /** Counts up with every change of the app, its endpoints, DKIM keys, webhooks, brand or templates. */
  version: number
  createdAt: number
  updatedAt: number
  /** Since when the spray alarm is on; null while it is off. */
  sprayAlarmSince: number | null
  /** Whether any address is, or recently was, suppressed; else none is looked up. */
  hasSuppressions: boolean
}

/** What a key is for: verifications of its mode, or reports of returned mail and nothing else. */
export const keyModes = [...modes, 'inbound'] as const
export type KeyMode = (typeof keyModes)[number]

export type AppKey = {
  id: string
  appId: string
  mode: KeyMode
  /** The visible start of the key, such as `otpm_live_`. */
  prefix: string
  lastFour: string
  createdAt: number
  revokedAt: number | null
}

/** Two active keys of a mode, so that a key can be replaced without a gap. */
export const activeKeysMax = 2
/** Endpoints of an app for one channel. */
export const endpointsMax = 10

/** The app's endpoints of one channel, by rank. */
export function endpointsOf({ endpoints }: App, channel: string): Endpoint[] {
  return endpoints.filter((endpoint) => endpoint.channel === channel)
}

/** The app's mail servers, by rank. */
export function mailServersOf(app: App): EmailEndpoint[] {
  return endpointsOf(app, 'email') as EmailEndpoint[]
}

/** Those of its endpoints that are on. */
export function usedEndpoints(app: App, channel: string): Endpoint[] {
  return endpointsOf(app, channel).filter(({ off }) => off === null)
}

/** The place that a sealed address of a verification is bound to. */
export function recipientPlace(verificationId: string, recipient = 0) {
  const column = 'recipient_sealed'
  if (recipient === 0) return { table: 'verifications', row: verificationId, column }
  return { table: 'verification_recipients', row: `${verificationId} ${recipient}`, column }
}

/** The place that a verification's sealed variables are bound to. */
export function variablesPlace(verificationId: string) {
  return { table: 'verifications', row: verificationId, column: 'variables_sealed' }
}

/**
 * Reads a name for a subject and a From header: 1 to 64 characters of NFC without control,
 * bidi or invisible characters. Throws `invalid_request` naming `field`.
 */
export function readName(input: unknown, field = 'name'): string {
  const name = typeof input === 'string' ? input.trim().normalize('NFC') : ''
  const length = [...name].length
  if (length < 1 || length > 64 || /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u.test(name)) {
    throw new Problem('invalid_request', {
      errors: [{ field, reason: 'must be 1 to 64 characters without control characters' }],
    })
  }
  return name
}

/**
 * A name from an open registration; refuses what looks like a link or a phone number in a subject.
 * Throws `invalid_request` naming `field`.
 */
export function readStrangersName(input: unknown, field: string): string {
  const name = readName(input, field)
  const isLink = /:\/\/|www\.|@|[\p{L}\p{N}]\.[\p{L}]{2,}/iu.test(name)
  const isPhone = (name.match(/\p{Nd}/gu) ?? []).length >= 6
  if (isLink || isPhone) {
    const reason = 'must hold no link, domain, address or phone number'
    throw new Problem('invalid_request', { errors: [{ field, reason }] })
  }
  return name
}
