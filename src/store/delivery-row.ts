import type { Delivery } from '../domain/delivery/delivery.ts'

export type DeliveryRow = Omit<Delivery, 'chosen'> & { chosen: string | null }

/** The columns of a `Delivery`. */
export const deliveryColumns = `
  id, app_id as "appId", mode, verification_id as "verificationId", channel,
  nullif(endpoint_id, '') as "endpointId", chosen, status, detail, tries,
  created_at as "createdAt", expires_at as "expiresAt"`

export function toDelivery(row: DeliveryRow): Delivery {
  return { ...row, chosen: row.chosen === null ? null : JSON.parse(row.chosen) }
}

/** The columns of a `Try`; in SQLite `ambiguous` is a number. */
export const tryColumns = `
  number, endpoint_id as "endpointId", at, took_ms as "tookMs", status, cause, ambiguous, code,
  detail, remote_id as "remoteId"`
