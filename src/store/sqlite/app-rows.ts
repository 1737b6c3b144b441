import type { App, AppKey, EmailChannel } from '../../domain/app.ts'

export type AppRow = {
  id: string
  name: string
  policy: string
  data_key_id: string
  data_key: Uint8Array
  alarm_at: number | null
  created_at: number
  updated_at: number
  host: string | null
  port: number
  security: EmailChannel['security']
  user: string | null
  from_address: string
  from_name: string | null
  password_sealed: Uint8Array | null
  public_only: number
  email_updated_at: number
}

export const appColumns = `
  apps.id, name, policy, data_key_id, data_key, alarm_at, apps.created_at, apps.updated_at,
  host, port, security, user, from_address, from_name, password_sealed, public_only,
  email_channels.updated_at as email_updated_at`

export function toApp(row: AppRow): App {
  return {
    id: row.id,
    name: row.name,
    policy: JSON.parse(row.policy),
    email: row.host === null ? null : toEmail(row, row.host),
    dataKey: { keyId: row.data_key_id, bytes: row.data_key },
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    alarmAt: row.alarm_at,
  }
}

function toEmail(row: AppRow, host: string): EmailChannel {
  return {
    host,
    port: row.port,
    security: row.security,
    user: row.user,
    from: row.from_address,
    fromName: row.from_name,
    passwordSealed: row.password_sealed,
    publicOnly: row.public_only === 1,
    updatedAt: row.email_updated_at,
  }
}

export type KeyRow = {
  id: string
  app_id: string
  mode: AppKey['mode']
  prefix: string
  last_four: string
  created_at: number
  revoked_at: number | null
}

export const keyColumns = 'id, app_id, mode, prefix, last_four, created_at, revoked_at'

export function toKey(row: KeyRow): AppKey {
  return {
    id: row.id,
    appId: row.app_id,
    mode: row.mode,
    prefix: row.prefix,
    lastFour: row.last_four,
    createdAt: row.created_at,
    revokedAt: row.revoked_at,
  }
}

/** An active key and its app; `id` and `created_at` are the app's. */
export type KeyedAppRow = AppRow &
  Pick<KeyRow, 'mode' | 'prefix' | 'last_four'> & { key_id: string; key_created_at: number }

export function toKeyedApp(row: KeyedAppRow): { app: App; key: AppKey } {
  const { key_id: id, mode, prefix, last_four, key_created_at: created_at } = row
  const key = { id, app_id: row.id, mode, prefix, last_four, created_at, revoked_at: null }
  return { app: toApp(row), key: toKey(key) }
}
