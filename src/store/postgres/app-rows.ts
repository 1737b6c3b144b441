import type { App, AppKey } from '../../domain/app/app.ts'
import { keyColumns } from './api-keys.ts'
import { brandList, readStoredBrand } from './brands.ts'
import type { Loaded } from './cache.ts'
import { dkimList, readDkim } from './dkim.ts'
import { endpointList, readEndpoints } from './endpoints.ts'
import { listOf, readList } from './json.ts'
import type { Session } from './lanes.ts'
import type { Values } from './placeholders.ts'
import { readTemplates, templateList } from './templates.ts'
import { readWebhooks, webhookList } from './webhooks.ts'

/** Everything of the rows of `apps` that a statement reads, in one snapshot with their stamps. */
export const appColumns = `
  id, name, registered_by, secret_key_index is not null as has_secret_key, policy, data_key_id,
  data_key, version, stamp, created_at, updated_at,
  (select since from alarms where alarms.app_id = apps.id and kind = 'spray' and until is null)
    as spray_alarm_since,
  exists (select 1 from suppressions where suppressions.app_id = apps.id) as has_suppressions,
  ${endpointList} as endpoints, ${dkimList} as dkim, ${webhookList} as webhooks,
  ${brandList} as brand, ${templateList} as templates`

export type AppRow = Omit<App, Listed | 'policy' | 'dataKey'> & {
  [Name in Listed]: string | null
} & { policy: string; dataKeyId: string; dataKey: Uint8Array; stamp: number }

type Listed = 'endpoints' | 'dkim' | 'webhooks' | 'brand' | 'templates'

export function toApp({ dataKeyId: keyId, dataKey: bytes, stamp: _, ...row }: AppRow): App {
  return {
    ...row,
    policy: JSON.parse(row.policy),
    endpoints: readEndpoints(row.endpoints),
    dkim: readDkim(row.dkim),
    webhooks: readWebhooks(row.webhooks),
    brand: readStoredBrand(row.brand),
    templates: readTemplates(row.templates),
    dataKey: { keyId, bytes },
  }
}

type Query = Session['query']

/** The app under a condition. */
export async function findApp(
  query: Query,
  condition: string,
  values: Values,
): Promise<Loaded<App> | null> {
  const [row] = await query<AppRow>(`select ${appColumns} from apps where ${condition}`, values)
  return row ? toLoaded(row, (app) => app) : null
}

/** The app of an active key, with the key as the same snapshot has it. */
export async function findByHash(
  query: Query,
  hash: Uint8Array,
): Promise<Loaded<{ app: App; key: AppKey }> | null> {
  const [row] = await query<AppRow & { keys: string | null }>(
    `select ${appColumns}, ${listOf(`select ${keyColumns} from api_keys where hash = $hash`)} as keys
    from apps
    where id = (select app_id from api_keys where hash = $hash and revoked_at is null)`,
    { hash },
  )
  if (!row) return null
  const { keys, ...app } = row
  const [key] = readList<AppKey>(keys)
  return key ? toLoaded(app, (app) => ({ app, key })) : null
}

function toLoaded<Value>(row: AppRow, toValue: (app: App) => Value): Loaded<Value> {
  const app = toApp(row)
  return { appId: app.id, stamp: row.stamp, value: toValue(app) }
}
