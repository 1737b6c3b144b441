import type { Delivery } from '../../domain/delivery/delivery.ts'

export type DeliveryRow = {
  id: string
  app_id: string
  mode: Delivery['mode']
  verification_id: string
  channel: Delivery['channel']
  endpoint_id: string
  status: Delivery['status']
  detail: string | null
  tries: number
  created_at: number
  expires_at: number
}

export const deliveryColumns = `
  id, app_id, mode, verification_id, channel, endpoint_id, status, detail, tries, created_at,
  expires_at`

export function toDelivery(row: DeliveryRow): Delivery {
  return {
    id: row.id,
    appId: row.app_id,
    mode: row.mode,
    verificationId: row.verification_id,
    channel: row.channel,
    endpointId: row.endpoint_id || null,
    status: row.status,
    detail: row.detail,
    tries: row.tries,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
  }
}
