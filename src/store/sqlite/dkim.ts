import type { Database } from 'bun:sqlite'
import type { DkimKey } from '../../domain/app/dkim.ts'
import type { KeyRenewal } from '../../domain/stores.ts'

type Row = DkimKey & { appId: string }

/** Reads and writes the DKIM keys of an app within the transaction of the caller. */
export function createDkimRows(database: Database) {
  const list = database.prepare<DkimKey, { appId: string }>(`
    select id, domain, selector, public_key as publicKey, private_sealed as privateSealed,
      found_at as foundAt, created_at as createdAt
    from dkim_keys where app_id = $appId order by created_at, id`)
  const insert = database.prepare<null, Row>(`
    insert into dkim_keys (id, app_id, domain, selector, public_key, private_sealed, found_at,
      created_at)
    values ($id, $appId, $domain, $selector, $publicKey, $privateSealed, $foundAt, $createdAt)`)
  const clear = database.prepare<null, { appId: string }>(
    'delete from dkim_keys where app_id = $appId',
  )
  const seal = database.prepare<null, KeyRenewal['dkim'][number] & { appId: string }>(
    'update dkim_keys set private_sealed = $sealed where id = $id and app_id = $appId',
  )

  return {
    of: (appId: string) => list.all({ appId }),
    replace(appId: string, keys: DkimKey[]): void {
      clear.run({ appId })
      for (const key of keys) insert.run({ ...key, appId })
    },
    seal(appId: string, sealed: KeyRenewal['dkim']): void {
      for (const one of sealed) seal.run({ ...one, appId })
    },
  }
}

export type DkimRows = ReturnType<typeof createDkimRows>
