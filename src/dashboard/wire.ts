import type { presentFields, presentPolicyEffect } from '../present/fields.ts'
import type {
  presentApp,
  presentBrand,
  presentEndpoint,
  presentKey,
  presentMessage,
  presentSuppression,
  presentTemplate,
  presentTemplateRef,
  presentTemplateVersion,
  presentWebhook,
} from '../present.ts'

/** What the API answers about apps, as the server's presenters have it. */

export type Key = ReturnType<typeof presentKey>
export type App = ReturnType<typeof presentApp>
export type AppDetails = App & { keys: Key[] }
export type NewAppAnswer = AppDetails & { live_key: string; test_key: string }
export type Endpoint = ReturnType<typeof presentEndpoint>
export type Fields = ReturnType<typeof presentFields>
export type PolicyField = Fields['policy'][number]
export type EndpointKind = Fields['endpoints'][number]
export type EndpointField = EndpointKind['fields'][number]
export type PolicyEffect = ReturnType<typeof presentPolicyEffect>
export type Webhook = ReturnType<typeof presentWebhook>
export type WebhookMessage = ReturnType<typeof presentMessage>
export type Suppression = ReturnType<typeof presentSuppression>
export type Template = ReturnType<typeof presentTemplate>
export type TemplateRef = ReturnType<typeof presentTemplateRef>
export type TemplateVersion = ReturnType<typeof presentTemplateVersion>
export type Brand = ReturnType<typeof presentBrand>

export type TestDelivery = {
  status: 'sent' | 'deferred' | 'refused' | null
  detail: string | null
  steps: { name: string; ok: boolean; detail: string | null }[]
}

export type DnsFinding = {
  domain: string
  check: string
  status: 'ok' | 'warning' | 'failed'
  detail: string
  next: string | null
  record: { name: string; type: string; value: string } | null
}
