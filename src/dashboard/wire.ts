import type { presentFields, presentPolicyEffect } from '../present/fields.ts'
import type { presentInboxItem, presentInboxMessage } from '../present/inbox.ts'
import type { presentBackup, presentFinding, presentServer } from '../present/server.ts'
import type { presentStory } from '../present/story.ts'
import type {
  presentApp,
  presentAudit,
  presentBrand,
  presentEndpoint,
  presentKey,
  presentMessage,
  presentSuppression,
  presentTemplate,
  presentTemplateRef,
  presentTemplateVersion,
  presentVerification,
  presentWebhook,
} from '../present.ts'

/** What the API answers, as the server's presenters have it. */

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

export type Verification = ReturnType<typeof presentVerification>
export type Story = ReturnType<typeof presentStory>
export type Server = ReturnType<typeof presentServer>
export type Finding = ReturnType<typeof presentFinding>
export type Backup = ReturnType<typeof presentBackup>
export type AuditRecord = ReturnType<typeof presentAudit>
export type AuditVerdict = { ok: boolean; records: number; head?: string; fault?: string }
export type TestMessageItem = ReturnType<typeof presentInboxItem>
export type TestMessage = ReturnType<typeof presentInboxMessage>
