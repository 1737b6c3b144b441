import type { DkimKey } from '../../domain/app/dkim.ts'
import type { KeyRenewal } from '../../domain/stores.ts'
import { fromHex, listOf, readList, writeList } from './json.ts'
import type { Session } from './lanes.ts'

/** The DKIM keys of the row of `apps` that a statement reads. */
export const dkimList = listOf(`
  select id, domain, selector, public_key, encode(private_sealed, 'hex') as private_sealed, found_at,
    created_at
  from dkim_keys where app_id = apps.id order by created_at, id`)

export function readDkim(text: string | null): DkimKey[] {
  return readList<Omit<DkimKey, 'privateSealed'> & { privateSealed: string }>(text).map((row) => {
    return { ...row, privateSealed: fromHex(row.privateSealed) }
  })
}

/** These write within a transaction that has locked the app. */
export const dkimRows = {
  async replace(session: Session, appId: string, keys: DkimKey[]): Promise<void> {
    await session.run('delete from dkim_keys where app_id = $appId', { appId })
    if (keys.length === 0) return
    await session.run(
      `insert into dkim_keys (id, app_id, domain, selector, public_key, private_sealed, found_at,
        created_at)
      select id, $appId, domain, selector, public_key, decode(private_sealed, 'hex'), found_at,
        created_at
      from jsonb_to_recordset($rows::jsonb) as given (id text, domain text, selector text,
        public_key text, private_sealed text, found_at bigint, created_at bigint)`,
      { appId, rows: writeList(keys) },
    )
  },
  async seal(session: Session, appId: string, sealed: KeyRenewal['dkim']): Promise<void> {
    await session.run(
      `update dkim_keys set private_sealed = decode(sealed, 'hex')
      from jsonb_to_recordset($rows::jsonb) as given (id text, sealed text)
      where dkim_keys.id = given.id and app_id = $appId`,
      { appId, rows: writeList(sealed) },
    )
  },
}
