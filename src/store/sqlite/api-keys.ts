import type { App, AppKey } from '../../domain/app/app.ts'
import { Problem } from '../../domain/problem.ts'
import type { NewKey } from '../../domain/stores.ts'
import type { Parts } from './parts.ts'

type Deps = Pick<Parts, 'database'> & { reader: { get(id: string): App | null } }

/** Reads and writes keys of apps, inside operations on apps. */
export function createApiKeys({ database, reader }: Deps) {
  const columns = `id, app_id as appId, mode, prefix, last_four as lastFour,
    created_at as createdAt, revoked_at as revokedAt`
  const insert = database.prepare<null, AppKey & { hash: Uint8Array }>(`
    insert into api_keys (id, app_id, mode, hash, prefix, last_four, created_at, revoked_at)
    values ($id, $appId, $mode, $hash, $prefix, $lastFour, $createdAt, $revokedAt)`)
  const byHash = database.prepare<AppKey, { hash: Uint8Array }>(
    `select ${columns} from api_keys where hash = $hash and revoked_at is null`,
  )
  const list = database.prepare<AppKey, { appId: string }>(
    `select ${columns} from api_keys where app_id = $appId order by created_at, id`,
  )
  const active = database.prepare<{ count: number }, Pick<AppKey, 'appId' | 'mode'>>(`
    select count(*) as count from api_keys
    where app_id = $appId and mode = $mode and revoked_at is null`)
  const revoke = database.prepare<null, { appId: string; keyId: string; now: number }>(`
    update api_keys set revoked_at = $now
    where app_id = $appId and id = $keyId and revoked_at is null`)

  const insertKey = ({ key, hash }: Omit<NewKey, 'activeMax'>) => void insert.run({ ...key, hash })

  return {
    insert: insertKey,
    find(hash: Uint8Array): { app: App; key: AppKey } | null {
      const key = byHash.get({ hash })
      const app = key && reader.get(key.appId)
      return app ? { app, key } : null
    },
    list: (appId: string) => list.all({ appId }),
    /** Throws `app_not_found` when the app was removed meanwhile. */
    add({ key, hash, activeMax }: NewKey): 'added' | 'too_many' {
      const { appId, mode } = key
      if (!reader.get(appId)) throw new Problem('app_not_found')
      if ((active.get({ appId, mode })?.count ?? 0) >= activeMax) return 'too_many'
      insertKey({ key, hash })
      return 'added'
    },
    revoke: (command: { appId: string; keyId: string; now: number }) =>
      revoke.run(command).changes > 0,
  }
}
