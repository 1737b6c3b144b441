import type { Database } from 'bun:sqlite'
import type { App } from '../../domain/app/app.ts'
import type { Endpoint } from '../../domain/app/endpoint.ts'

export type AppReader = ReturnType<typeof createAppReader>

/** Apps with their endpoints and their spray alarm, as the database has them now. */
export function createAppReader(database: Database) {
  const columns = `
    id, name, registered_by, policy, data_key_id, data_key, version, created_at, updated_at,
    (select since from alarms where alarms.app_id = apps.id and kind = 'spray' and until is null)
      as spray_since`
  const byId = database.prepare<AppRow, { id: string }>(
    `select ${columns} from apps where id = $id`,
  )
  const bySecretKey = database.prepare<AppRow, { index: Uint8Array }>(
    `select ${columns} from apps where secret_key_index = $index`,
  )
  const list = database.prepare<AppRow, { after: string; limit: number }>(
    `select ${columns} from apps where id > $after order by id limit $limit`,
  )
  const otherwise = database.prepare<AppRow, { keyId: string; limit: number }>(
    `select ${columns} from apps where data_key_id <> $keyId limit $limit`,
  )
  const endpoints = database.prepare<EndpointRow, { appId: string }>(
    'select * from endpoints where app_id = $appId order by channel, rank',
  )
  const open = database.prepare<{ all: number; mine: number }, { from: Uint8Array }>(`
    select count(*) as "all", coalesce(sum(registered_from = $from), 0) as mine
    from apps where registered_by = 'open'`)

  function toApp(row: AppRow): App {
    return {
      id: row.id,
      name: row.name,
      registeredBy: row.registered_by,
      policy: JSON.parse(row.policy),
      endpoints: endpoints.all({ appId: row.id }).map(toEndpoint),
      dataKey: { keyId: row.data_key_id, bytes: row.data_key },
      version: row.version,
      createdAt: row.created_at,
      updatedAt: row.updated_at,
      sprayAlarmSince: row.spray_since,
    }
  }
  const found = (row: AppRow | null): App | null => (row ? toApp(row) : null)

  return {
    get: (id: string) => found(byId.get({ id })),
    bySecretKey: (index: Uint8Array) => found(bySecretKey.get({ index })),
    list: (after: string | null, limit: number) =>
      list.all({ after: after ?? '', limit }).map(toApp),
    wrappedOtherwise: (keyId: string, limit: number) => otherwise.all({ keyId, limit }).map(toApp),
    countOpen(from: Uint8Array): { all: number; fromAddress: number } {
      const { all = 0, mine = 0 } = open.get({ from }) ?? {}
      return { all, fromAddress: mine }
    },
  }
}

type AppRow = {
  id: string
  name: string | null
  registered_by: App['registeredBy']
  policy: string
  data_key_id: string
  data_key: Uint8Array
  version: number
  created_at: number
  updated_at: number
  spray_since: number | null
}
type EndpointRow = {
  id: string
  app_id: string
  channel: Endpoint['channel']
  rank: number
  settings: string
  secret_sealed: Uint8Array | null
  created_at: number
  updated_at: number
}

function toEndpoint(row: EndpointRow): Endpoint {
  return {
    id: row.id,
    appId: row.app_id,
    channel: row.channel,
    rank: row.rank,
    settings: JSON.parse(row.settings),
    secretSealed: row.secret_sealed,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}
