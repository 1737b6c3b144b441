import type { App } from '../../domain/app/app.ts'
import type { AuditAppend, HeadMoved } from '../../domain/audit.ts'
import type {
  AlarmChange,
  AppChange,
  AppStore,
  KeyRenewal,
  NewApp,
  SecretRenewal,
} from '../../domain/stores.ts'
import { toPage } from '../page.ts'
import { addKey, insertKey, keyColumns, lockApp, revokeKey } from './api-keys.ts'
import { type AppRow, appColumns, findApp, findByHash, toApp } from './app-rows.ts'
import type { AuditChain } from './audit.ts'
import { writeBrand } from './brands.ts'
import type { AppCache } from './cache.ts'
import { dkimRows } from './dkim.ts'
import { endpointRows } from './endpoints.ts'
import type { Session } from './lanes.ts'
import type { Parts } from './parts.ts'
import type { Values } from './placeholders.ts'
import { removeApp, removeRows } from './removal.ts'
import { writeTemplate } from './templates.ts'
import { webhookRows } from './webhooks.ts'

type Alarms = { clear(session: Session, change: AlarmChange): Promise<boolean> }
type Deps = Pick<Parts, 'database'> & { audit: AuditChain; cache: AppCache; alarms: Alarms }

export function createAppStore({ database, audit, cache, alarms }: Deps): AppStore {
  /** A write that changes an app, with its audit record where there is one to append. */
  const audited = <Result>(
    append: AuditAppend,
    change: (session: Session) => Promise<Result>,
    isChange: (result: Result) => boolean = Boolean,
  ) =>
    database.transaction<Result | HeadMoved>(async (session) => {
      if (!(await audit.isNext(session, append))) return 'head_moved'
      const result = await change(session)
      if (isChange(result)) await audit.append(session, append)
      return result
    })

  return {
    ...createReads({ database, cache }),
    create: (command, append) =>
      audited(
        append,
        (session) => create(session, command),
        (outcome) => outcome === 'created',
      ),
    update: (id, change, append) =>
      audited(
        append,
        (session) => update(session, alarms, id, change),
        (result) => result instanceof Object,
      ),
    remove: async (id, append) => {
      const removed = await audited(append, (session) => removeApp(session, id))
      if (removed === true) await removeRows(database, id)
      return removed
    },
    addKey: (command, append) =>
      audited(
        append,
        (session) => addKey(session, command),
        (outcome) => outcome === 'added',
      ),
    revokeKey: (command, append) => audited(append, (session) => revokeKey(session, command)),
    async renewKeys(renewals) {
      const sorted = renewals.toSorted((a, b) => (a.appId < b.appId ? -1 : 1))
      await database.transaction(async (session) => {
        for (const renewal of sorted) await renewKeys(session, renewal)
      })
    },
    renewSecret: (renewal) => database.transaction((session) => renewSecret(session, renewal)),
    switchOff: (place) => database.transaction((session) => switchOff(session, place)),
  }
}

type Reads = Pick<
  AppStore,
  | ('get' | 'findByKey' | 'recallByKey' | 'findBySecretKey' | 'findByEndpoint')
  | ('withEndpoints' | 'list' | 'countOpen' | 'keys' | 'wrappedOtherwise')
>

function createReads({ database, cache }: Pick<Deps, 'database' | 'cache'>): Reads {
  /** As checks, which wait for them. */
  const load = <Row>(text: string, values?: Values) => database.read<Row>(text, values, 'check')
  const list = async (rest: string, values: Values): Promise<App[]> => {
    return (await database.read<AppRow>(`select ${appColumns} from apps ${rest}`, values)).map(
      toApp,
    )
  }

  const nameOf = (hash: Uint8Array) => `key ${hash.toHex()}`

  return {
    get: (id) => cache.get(`app ${id}`, () => findApp(load, 'id = $id', { id })),
    findByKey: (hash) => cache.get(nameOf(hash), () => findByHash(load, hash)),
    async recallByKey(hash) {
      const found = await cache.recall(nameOf(hash), () => findByHash(load, hash))
      return found && { ...found.value, asOf: found.stamp }
    },
    findBySecretKey: (index) =>
      cache.get(`secret ${index.toHex()}`, () =>
        findApp(load, 'secret_key_index = $index', { index }),
      ),
    findByEndpoint: (id) =>
      cache.get(`endpoint ${id}`, () =>
        findApp(load, 'id = (select app_id from endpoints where id = $id)', { id }),
      ),
    withEndpoints: (channel, limit) =>
      list(
        `where id in (select app_id from endpoints where channel = $channel)
        order by id limit $limit`,
        { channel, limit },
      ),
    async list({ limit, cursor, name = null }) {
      const values = { after: cursor ?? '', limit: limit + 1, ...(name !== null && { name }) }
      // In the collation C only a to z have another case, as in SQLite.
      const named = `and position(lower($name collate "C") in lower(name collate "C")) > 0`
      const where = `where id > $after ${name === null ? '' : named} order by id limit $limit`
      return toPage(await list(where, values), limit)
    },
    async countOpen(from) {
      const [count] = await database.read<{ all: number; fromAddress: number }>(
        `select count(*) as "all", count(*) filter (where registered_from = $from) as from_address
        from apps where registered_by = 'open'`,
        { from },
      )
      return count ?? { all: 0, fromAddress: 0 }
    },
    keys: (appId) =>
      database.read(
        `select ${keyColumns} from api_keys where app_id = $appId order by created_at, id`,
        { appId },
      ),
    wrappedOtherwise: (keyId, limit) =>
      list('where data_key_id <> $keyId order by id limit $limit', { keyId, limit }),
  }
}

async function create(
  session: Session,
  { app, keys, secretKeyIndex, registeredFrom }: NewApp,
): Promise<'created' | 'secret_key_taken'> {
  const { keyId: dataKeyId, bytes: dataKey } = app.dataKey
  const { id, name, registeredBy, version, createdAt, updatedAt } = app
  const policy = JSON.stringify(app.policy)
  const stored = { id, name, registeredBy, version, createdAt, updatedAt, policy }
  const created = await session.run(
    `insert into apps (id, name, registered_by, registered_from, policy, secret_key_index,
      data_key_id, data_key, version, created_at, updated_at)
    values ($id, $name, $registeredBy, $registeredFrom, $policy, $secretKeyIndex,
      $dataKeyId, $dataKey, $version, $createdAt, $updatedAt)
    on conflict (secret_key_index) do nothing`,
    { ...stored, registeredFrom, secretKeyIndex, dataKeyId, dataKey },
  )
  if (created === 0) return 'secret_key_taken'
  await endpointRows.replace(session, id, app.endpoints)
  await dkimRows.replace(session, id, app.dkim)
  await webhookRows.replace(session, id, app.webhooks)
  for (const key of keys) await insertKey(session, key)
  return 'created'
}

async function update(
  session: Session,
  alarms: Alarms,
  id: string,
  change: AppChange,
): Promise<App | 'changed' | null> {
  const { name = null, expectedVersion, updatedAt, endpoints, dkim, webhooks } = change
  if (!(await lockApp(session, id))) return null
  const changed = await session.run(
    `update apps set name = coalesce($name, name), policy = coalesce($policy, policy),
      version = version + 1, stamp = stamp + 1, updated_at = $updatedAt
    where id = $id and version = $expectedVersion`,
    {
      id,
      name,
      policy: change.policy ? JSON.stringify(change.policy) : null,
      ...{ expectedVersion, updatedAt },
    },
  )
  if (changed === 0) return 'changed'
  if (endpoints) await endpointRows.replace(session, id, endpoints)
  if (dkim) await dkimRows.replace(session, id, dkim)
  if (webhooks) await webhookRows.replace(session, id, webhooks)
  for (const clear of change.clears ?? []) await alarms.clear(session, clear)
  if (change.brand) await writeBrand(session, id, change.brand)
  if (change.template) await writeTemplate(session, id, change.template, updatedAt)
  return (await findApp(session.query, 'id = $id', { id }))?.value ?? null
}

/** Renews the data key and what is sealed with it, if the app is the one that was read. */
async function renewKeys(session: Session, renewal: KeyRenewal): Promise<void> {
  const { appId, expectedVersion, dataKey, secrets, dkim, webhooks } = renewal
  const renewed = await session.run(
    `update apps set data_key_id = $keyId, data_key = $bytes, version = version + 1,
      stamp = stamp + 1
    where id = $appId and version = $expectedVersion`,
    { appId, expectedVersion, ...dataKey },
  )
  if (renewed === 0) return
  await endpointRows.seal(session, appId, secrets)
  await dkimRows.seal(session, appId, dkim)
  await webhookRows.seal(session, appId, webhooks)
}

async function renewSecret(session: Session, renewal: SecretRenewal): Promise<boolean> {
  if (!(await lockApp(session, renewal.appId))) return false
  const replaced = await session.run(
    `update endpoints set secret_sealed = $to
    where id = $endpointId and app_id = $appId and secret_sealed = $from`,
    renewal,
  )
  if (replaced > 0) await nextVersion(session, renewal.appId)
  return replaced > 0
}

async function switchOff(
  session: Session,
  place: { appId: string; endpointId: string; now: number },
): Promise<boolean> {
  if (!(await lockApp(session, place.appId))) return false
  const switched = await session.run(
    `update endpoints set off = 'gone', updated_at = $now
    where id = $endpointId and app_id = $appId and off is null`,
    place,
  )
  if (switched > 0) await nextVersion(session, place.appId)
  return switched > 0
}

async function nextVersion(session: Session, appId: string): Promise<void> {
  await session.run('update apps set version = version + 1, stamp = stamp + 1 where id = $appId', {
    appId,
  })
}
