import type { Endpoint } from '../../domain/app/endpoint.ts'
import type { KeyRenewal } from '../../domain/stores.ts'
import { fromHex, listOf, readList, writeList } from './json.ts'
import type { Session } from './lanes.ts'

/** The endpoints of the row of `apps` that a statement reads. */
export const endpointList = listOf(`
  select id, app_id, channel, rank, settings, encode(secret_sealed, 'hex') as secret_sealed, off,
    created_at, updated_at
  from endpoints where app_id = apps.id order by channel, rank`)

export function readEndpoints(text: string | null): Endpoint[] {
  return readList<Row>(text).map(({ settings, secretSealed, ...row }) => ({
    ...row,
    settings: JSON.parse(settings),
    secretSealed: secretSealed === null ? null : fromHex(secretSealed),
  }))
}

type Row = Omit<Endpoint, 'settings' | 'secretSealed'> & {
  settings: string
  secretSealed: string | null
}

/** These write within a transaction that has locked the app. */
export const endpointRows = {
  async replace(session: Session, appId: string, endpoints: Endpoint[]): Promise<void> {
    await session.run('delete from endpoints where app_id = $appId', { appId })
    if (endpoints.length === 0) return
    const rows = endpoints.map((endpoint) => {
      return { ...endpoint, settings: JSON.stringify(endpoint.settings) }
    })
    await session.run(
      `insert into endpoints (id, app_id, channel, rank, settings, secret_sealed, off, created_at,
        updated_at)
      select id, $appId, channel, rank, settings, decode(secret_sealed, 'hex'), off, created_at,
        updated_at
      from jsonb_to_recordset($rows::jsonb) as given (id text, channel text, rank bigint,
        settings text, secret_sealed text, off text, created_at bigint, updated_at bigint)`,
      { appId, rows: writeList(rows) },
    )
  },
  async seal(session: Session, appId: string, secrets: KeyRenewal['secrets']): Promise<void> {
    await session.run(
      `update endpoints set secret_sealed = decode(sealed, 'hex')
      from jsonb_to_recordset($rows::jsonb) as given (endpoint_id text, sealed text)
      where endpoints.id = given.endpoint_id and app_id = $appId`,
      { appId, rows: writeList(secrets) },
    )
  },
}
