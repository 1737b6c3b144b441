/** What the events feed tells. Closed, so that every consumer can be complete. */
export const eventTypes = [
  'verification.approved',
  'verification.exhausted',
  'verification.canceled',
  'delivery.sent',
  'delivery.deferred',
  'delivery.refused',
  'delivery.undeliverable',
  'budget.exhausted',
  'alarm.spray',
  'alarm.calm',
] as const

export type EventType = (typeof eventTypes)[number]

export type Event = {
  /** Ascending in the order of commit. */
  id: number
  at: number
  appId: string
  type: EventType
  verificationId: string | null
  /** Closed set of non-secret facts; no address, no code. */
  data: Record<string, string | number>
}

/** What an operator or an app changed. `who` is `admin`, `cli`, `open` or a key id. */
export type AuditEntry = {
  at: number
  who: string
  action: AuditAction
  object: string
  detail: string
  requestId: string | null
}

export type AuditAction =
  | 'app.create'
  | 'app.update'
  | 'app.delete'
  | 'app.register'
  | 'key.create'
  | 'key.revoke'
  | 'master_key.rotate'
  | 'store.restore'

export type AuditRecord = AuditEntry & { id: number; link: Uint8Array }

/** What a link of the audit chain covers: every field, in an order that never changes. */
export function auditText(record: Omit<AuditRecord, 'link'>): string {
  const { id, at, who, action, object, detail, requestId } = record
  return JSON.stringify([id, at, who, action, object, detail, requestId])
}

/** Where the audit chain ends, linked once more: without it the newest records could go unseen. */
export const auditHeadText = 'head'
