import type { NamedRecord } from './domain/account/names.ts'
import { type Alarm, alarmAdvice } from './domain/alarm.ts'
import type { App, AppKey } from './domain/app/app.ts'
import { type DkimKey, dkimRecord, signingKey } from './domain/app/dkim.ts'
import type { CheckedKey } from './domain/app/dkim-keys.ts'
import { type Endpoint, shownFields } from './domain/app/endpoint.ts'
import type { Rotated } from './domain/app/endpoint-rotation.ts'
import { policyFieldList } from './domain/app/policy.ts'
import { type Brand, noBrand } from './domain/brand/brand.ts'
import type { Delivery, Try } from './domain/delivery/delivery.ts'
import type { Suppression } from './domain/delivery/suppression.ts'
import type { Event } from './domain/event.ts'
import { type Chosen, explain } from './domain/learning/chosen.ts'
import type { Total } from './domain/learning/store.ts'
import type { CounterName, StatsRow } from './domain/stores.ts'
import { type Binding, bindingStatusOf } from './domain/telegram/binding.ts'
import type { TemplateRef, TemplateVersion } from './domain/template/template.ts'
import type { StoredTemplate } from './domain/template/templates.ts'
import {
  attemptsLeft,
  type NextSteps,
  nextSteps,
  statusOf,
  type Verification,
} from './domain/verification/verification.ts'
import type { Message } from './domain/webhook/message.ts'
import type { Webhook, WebhookState } from './domain/webhook/webhook.ts'

/** The JSON of the API and of the command line: wire names, RFC 3339 times, no secrets. */

export function presentVerification(verification: Verification, now: number) {
  const { delivery, locale, metadata } = verification
  return {
    id: verification.id,
    status: statusOf(verification, now),
    mode: verification.mode,
    to: verification.to,
    channel: verification.channel,
    route: verification.route.map(({ channel, to }) => ({ channel, to })),
    purpose: verification.purpose,
    ...(locale !== null && { locale }),
    ...(metadata !== null && { metadata }),
    code_length: verification.codeLength,
    code_format: verification.codeFormat,
    reference: verification.reference,
    created_at: timestamp(verification.createdAt),
    expires_at: timestamp(verification.expiresAt),
    attempts_left: attemptsLeft(verification),
    next: presentNext(nextSteps(verification, now)),
    delivery: { status: delivery.status, ...withDetail(delivery.detail) },
  }
}

function presentNext({ checkAt, resend }: NextSteps) {
  return {
    check: checkAt === null ? null : timestamp(checkAt),
    resend: resend && { at: timestamp(resend.at), channels: resend.channels },
  }
}

/** A verification with every message of it and every try to hand one over, oldest first. */
export function presentDetails(
  verification: Verification,
  deliveries: (Delivery & { history: Try[] })[],
  now: number,
) {
  return { ...presentVerification(verification, now), deliveries: deliveries.map(presentDelivery) }
}

function presentDelivery(delivery: Delivery & { history: Try[] }) {
  const { id, channel, status, detail, chosen, createdAt, history } = delivery
  return {
    id,
    channel,
    status,
    ...withDetail(detail),
    created_at: timestamp(createdAt),
    ...(chosen && { chosen: presentChosen(chosen, channel) }),
    tries: history.map(presentTry),
  }
}

function presentChosen(chosen: Chosen, channel: Delivery['channel']) {
  return {
    group: chosen.groups[channel] ?? '',
    explanation: explain(chosen, channel),
    options: chosen.options.map((option) => ({
      channel: option.channel,
      endpoint: option.endpointId,
      approved_percent: option.approvedPercent,
    })),
  }
}

function presentTry({ number, endpointId, at, tookMs, status, ...outcome }: Try) {
  const { cause, code, detail, ambiguous } = outcome
  return {
    number,
    endpoint: endpointId,
    at: timestamp(at),
    took_ms: tookMs,
    status,
    ...(cause !== null && { cause }),
    ...(code !== null && { code }),
    ...withDetail(detail),
    ambiguous,
  }
}

export function presentKey({ id, mode, prefix, lastFour, createdAt, revokedAt }: AppKey) {
  return {
    id,
    mode,
    prefix,
    last_four: lastFour,
    created_at: timestamp(createdAt),
    ...(revokedAt !== null && { revoked_at: timestamp(revokedAt) }),
  }
}

export function presentApp({ id, name, registeredBy, policy, endpoints, ...app }: App) {
  return {
    id,
    name,
    registered_by: registeredBy,
    policy: presentPolicy(policy),
    endpoints: endpoints.map(presentEndpoint),
    spray_alarm_since: app.sprayAlarmSince === null ? null : timestamp(app.sprayAlarmSince),
    created_at: timestamp(app.createdAt),
    updated_at: timestamp(app.updatedAt),
  }
}

function presentPolicy(policy: App['policy']): Record<string, PolicyValue> {
  return Object.fromEntries(
    policyFieldList.flatMap(([name, { wire }]) => {
      const value = policy[name]
      return value === undefined ? [] : [[wire, value]]
    }),
  )
}

type PolicyValue = string | number | boolean | string[] | number[]

export function presentEndpoint({ id, channel, rank, settings, ...endpoint }: Endpoint) {
  const values: Record<string, unknown> = settings
  const shown = shownFields(settings.kind).map(([name, wire]) => [wire, values[name]])
  return {
    id,
    channel,
    rank,
    [settings.kind]: {
      ...Object.fromEntries(shown),
      has_secret: endpoint.secretSealed !== null,
    },
    off: endpoint.off,
    created_at: timestamp(endpoint.createdAt),
    updated_at: timestamp(endpoint.updatedAt),
  }
}

export function presentRotated({ endpoint, secret }: Rotated) {
  const { formerUntil } = endpoint.settings
  return {
    endpoint: endpoint.id,
    ...(secret !== null && { secret }),
    former_secret_until: formerUntil === null ? null : timestamp(formerUntil),
  }
}

export function presentSuppression({ id, to, cause, code, since, until }: Suppression) {
  return {
    id,
    to,
    cause,
    ...(code !== null && { code }),
    since: timestamp(since),
    until: timestamp(until),
  }
}

export function presentBinding(binding: Binding, now: number) {
  const { id, mode, name, createdAt, expiresAt } = binding
  return {
    id,
    status: bindingStatusOf(binding, now),
    mode,
    ...(name !== null && { name }),
    created_at: timestamp(createdAt),
    ...(expiresAt !== null && { expires_at: timestamp(expiresAt) }),
  }
}

/** `all`: the keys of the app, of which the newest in the DNS signs. */
export function presentDkim(key: DkimKey, all: DkimKey[]) {
  const { id, domain, selector, foundAt, createdAt } = key
  return {
    id,
    domain,
    selector,
    record: dkimRecord(key),
    signs: signingKey({ dkim: all }, `@${domain}`)?.id === id,
    found_at: foundAt === null ? null : timestamp(foundAt),
    created_at: timestamp(createdAt),
  }
}

export function presentCheckedDkim(checked: CheckedKey[]) {
  const all = checked.map(({ key }) => key)
  return checked.map(({ key, found }) => ({ ...presentDkim(key, all), found }))
}

export function presentTemplateRef({ locale, version, variables }: TemplateRef) {
  return { locale, version, variables }
}

export function presentTemplate({ template, ...ref }: StoredTemplate) {
  const { subject, text, html } = template
  return { ...presentTemplateRef(ref), subject, text, html }
}

export function presentTemplateVersion({ edited, createdAt, ...ref }: TemplateVersion) {
  return { ...presentTemplateRef(ref), edited, created_at: timestamp(createdAt) }
}

export function presentBrand(brand: Brand | null) {
  const { color, support, logo } = brand ?? noBrand
  const { type, width, height } = logo ?? {}
  return { color, support, logo: logo && { type, width, height } }
}

export function presentEvent({ id, at, appId, type, verificationId, data }: Event) {
  return {
    id,
    at: timestamp(at),
    app: appId,
    type,
    ...(verificationId !== null && { verification: verificationId }),
    data,
  }
}

/** `secret` only where it was just made. */
export function presentWebhook(
  webhook: Webhook,
  { state, secret }: { state?: WebhookState | null; secret?: string | null } = {},
) {
  const { offSince, offCause, formerUntil } = webhook
  return {
    id: webhook.id,
    url: webhook.url,
    types: webhook.types,
    test_events: webhook.testEvents,
    enabled: offSince === null,
    ...(offSince !== null && { off_since: timestamp(offSince), off_cause: offCause }),
    ...(formerUntil !== null && { former_secret_until: timestamp(formerUntil) }),
    ...(state && { waiting: state.waiting }),
    ...(state && { failing_since: state.failingSince && timestamp(state.failingSince) }),
    ...(secret && { secret }),
    created_at: timestamp(webhook.createdAt),
    updated_at: timestamp(webhook.updatedAt),
  }
}

export function presentMessage(message: Message) {
  const { id, type, verificationId, status, tries, nextAt, code, detail, createdAt } = message
  return {
    id,
    type,
    ...(verificationId !== null && { verification: verificationId }),
    status,
    tries,
    next_try_at: nextAt === null ? null : timestamp(nextAt),
    ...(code !== null && { code }),
    ...withDetail(detail),
    created_at: timestamp(createdAt),
  }
}

export function presentAlarm({ id, kind, appId, endpointId, since, until }: Alarm) {
  return {
    id,
    kind,
    app: appId,
    endpoint: endpointId,
    since: timestamp(since),
    until: until === null ? null : timestamp(until),
    what_to_do: alarmAdvice[kind],
  }
}

/** `whoName`: of the person, where it was one. */
export function presentAudit({ requestId, link: _, ...record }: NamedRecord) {
  const { id, at, who, whoName, action, object, detail } = record
  return {
    id,
    at: timestamp(at),
    who,
    ...(whoName !== null && { who_name: whoName }),
    action,
    object,
    detail,
    request_id: requestId,
  }
}

export function presentStats({ at, ...counts }: StatsRow): { at: string } & Counts {
  return { at: timestamp(at), ...counts }
}

/** `share`: of the messages, those that were followed by an approval. */
export function presentTotal({ appId, endpointId, group, handedOver, approved }: Total) {
  const share = Math.round((10_000 * approved) / handedOver) / 10_000
  return { app: appId, endpoint: endpointId, group, handed_over: handedOver, approved, share }
}

type Counts = Record<CounterName, number>

/** Milliseconds as RFC 3339 in UTC. */
export function timestamp(ms: number): string {
  return new Date(ms).toISOString()
}

function withDetail(detail: string | null): { detail?: string } {
  return detail === null ? {} : { detail }
}
