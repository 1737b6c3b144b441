import type { Database } from 'bun:sqlite'
import type { AppKey, EmailChannel } from '../../domain/app.ts'
import { type AppRow, appColumns, type KeyedAppRow, type KeyRow, keyColumns } from './app-rows.ts'

type Blob = Uint8Array

type InsertApp = {
  id: string
  name: string
  policy: string
  secretKeyIndex: Blob | null
  dataKeyId: string
  dataKey: Blob
  createdAt: number
  updatedAt: number
}

type InsertEmail = Omit<EmailChannel, 'publicOnly'> & { appId: string; publicOnly: number }

/**
 * What an app's removal takes with it in batches: table and key. Deliveries and kept answers hold
 * neither address nor code, have no index by app, and go with their keeping time.
 */
const owned = [
  ['verifications', 'seq'],
  ['events', 'id'],
  ['app_minutes', 'app_id, minute'],
] as const

export function prepareApps(database: Database) {
  return {
    insert: database.prepare<null, InsertApp>(`
      insert into apps (
        id, name, policy, secret_key_index, data_key_id, data_key, created_at, updated_at)
      values ($id, $name, $policy, $secretKeyIndex, $dataKeyId, $dataKey, $createdAt, $updatedAt)`),
    update: database.prepare<
      null,
      { id: string; name: string | null; policy: string | null; updatedAt: number }
    >(`
      update apps set name = coalesce($name, name), policy = coalesce($policy, policy),
        updated_at = $updatedAt
      where id = $id`),
    delete: database.prepare<null, { id: string }>('delete from apps where id = $id'),
    deleteRows: owned.map(([table, key]) =>
      database.prepare<null, { appId: string; limit: number }>(`
        delete from ${table} where (${key}) in
          (select ${key} from ${table} where app_id = $appId limit $limit)`),
    ),
    bySecret: database.prepare<{ id: string }, { index: Blob }>(
      'select id from apps where secret_key_index = $index',
    ),
    list: database.prepare<AppRow, { after: string; limit: number }>(`
      select ${appColumns} from apps left join email_channels on app_id = id
      where id > $after order by id limit $limit`),

    insertEmail: database.prepare<null, InsertEmail>(`
      insert into email_channels (app_id, host, port, security, user, from_address, from_name,
        password_sealed, public_only, updated_at)
      values ($appId, $host, $port, $security, $user, $from, $fromName,
        $passwordSealed, $publicOnly, $updatedAt)`),
    deleteEmail: database.prepare<null, { appId: string }>(
      'delete from email_channels where app_id = $appId',
    ),

    insertKey: database.prepare<null, Omit<AppKey, 'revokedAt'> & { hash: Blob }>(`
      insert into api_keys (id, app_id, mode, hash, prefix, last_four, created_at)
      values ($id, $appId, $mode, $hash, $prefix, $lastFour, $createdAt)`),
    // Read with every request, and so in one. SQLite plans a join anew whenever a bare parameter of
    // it is bound, which costs more than all the rest of it; it does not look behind the plus.
    byKey: database.prepare<KeyedAppRow, { hash: Blob }>(`
      select ${appColumns}, api_keys.id as key_id, mode, prefix, last_four,
        api_keys.created_at as key_created_at
      from api_keys join apps on apps.id = api_keys.app_id
        left join email_channels on email_channels.app_id = apps.id
      where hash = +$hash and revoked_at is null`),
    keys: database.prepare<KeyRow, { appId: string }>(
      `select ${keyColumns} from api_keys where app_id = $appId order by created_at, id`,
    ),
    activeKeys: database.prepare<{ active: number }, { appId: string; mode: string }>(`
      select count(*) as active from api_keys
      where app_id = $appId and mode = $mode and revoked_at is null`),
    revokeKey: database.prepare<null, { appId: string; keyId: string; now: number }>(`
      update api_keys set revoked_at = $now
      where app_id = $appId and id = $keyId and revoked_at is null`),

    wrappedOtherwise: database.prepare<
      { id: string; data_key_id: string; data_key: Blob },
      { keyId: string; limit: number }
    >('select id, data_key_id, data_key from apps where data_key_id <> $keyId limit $limit'),
    rewrap: database.prepare<null, { appId: string; from: Blob; toId: string; to: Blob }>(`
      update apps set data_key_id = $toId, data_key = $to
      where id = $appId and data_key = $from`),
  }
}
