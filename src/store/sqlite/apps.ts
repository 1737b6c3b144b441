import type { Database } from 'bun:sqlite'
import type { App } from '../../domain/app/app.ts'
import type { Endpoint } from '../../domain/app/endpoint.ts'
import type { AuditAppend, HeadMoved } from '../../domain/audit.ts'
import type { WrappedKey } from '../../domain/keyring.ts'
import type { Timers } from '../../domain/ports.ts'
import type { AppChange, AppStore, KeyRenewal, NewApp, SecretRenewal } from '../../domain/stores.ts'
import { freeze } from '../freeze.ts'
import { toPage } from '../page.ts'
import type { AlarmRows } from './alarms.ts'
import { createApiKeys } from './api-keys.ts'
import type { AuditChain } from './audit.ts'
import { createBrands } from './brands.ts'
import { createDkimRows, type DkimRows } from './dkim.ts'
import type { Parts } from './parts.ts'
import { createRemoval } from './removal.ts'
import { createTemplateRows } from './templates.ts'
import { createWebhookRows, type WebhookRows } from './webhooks.ts'

export type AppCache = {
  /** The cached value of this name, or that of `load`, which is then cached unless it is null. */
  get<Value extends object>(name: string, load: () => Value | null): Value | null
  /** Drops everything, because an app changes in the running transaction. */
  forget(): void
}

/** The most entries; an app has one for its id, its webhooks, and each key and secretKey in use. */
export const cachedMax = 4000

type Deps = Parts & { audit: AuditChain; cache: AppCache; alarms: Pick<AlarmRows, 'clear'> }

export function createAppStore(deps: Deps): AppStore {
  const { database, read, write, audit, cache, alarms } = deps
  const rows = { dkim: createDkimRows(database), webhooks: createWebhookRows(database) }
  const reader = createReads(database, rows)
  const keys = createApiKeys({ ...deps, reader })
  const changes = createWrites(database, reader, { ...rows, alarms })
  const renew = createRenewal(database, rows)
  const removal = createRemoval(deps)

  /** A write that changes an app, with its audit record where there is one to append. */
  const audited = <Result>(
    append: AuditAppend,
    change: () => Result,
    isChange: (result: Result) => boolean = Boolean,
  ) =>
    write<Result | HeadMoved>(() => {
      if (!audit.isNext(append)) return 'head_moved'
      const result = change()
      if (isChange(result)) audit.append(append)
      cache.forget()
      return result
    })

  return {
    create: (command, append) =>
      audited(
        append,
        () => changes.create(command, keys.insert),
        (outcome) => outcome === 'created',
      ),
    ...createLookups({ read, cache, keys, reader }),
    withEndpoints: (channel, limit) => read(() => reader.withEndpoints(channel, limit)),
    list: ({ limit, cursor, name = null }) =>
      read(() => toPage(reader.list({ after: cursor ?? '', limit: limit + 1, name }), limit)),
    countOpen: (from) => read(() => reader.countOpen(from)),
    update: (id, change, append) =>
      audited(
        append,
        () => changes.update(id, change),
        (result) => result instanceof Object,
      ),
    remove: async (id, append) => {
      const removed = await audited(append, () => removal.app(id))
      if (removed === true) await removal.rows(id)
      return removed
    },
    keys: (appId) => read(() => keys.list(appId)),
    addKey: (command, append) =>
      audited(
        append,
        () => keys.add(command),
        (outcome) => outcome === 'added',
      ),
    revokeKey: (command, append) => audited(append, () => keys.revoke(command)),
    wrappedOtherwise: (keyId, limit) => read(() => reader.wrappedOtherwise(keyId, limit)),
    renewKeys: (renewals) =>
      write(() => {
        for (const renewal of renewals) renew.keys(renewal)
        cache.forget()
      }),
    renewSecret: (renewal) =>
      write(() => {
        cache.forget()
        return renew.secret(renewal)
      }),
    switchOff: (place) =>
      write(() => {
        cache.forget()
        return renew.switchOff(place)
      }),
  }
}

/**
 * Caches apps until one changes. Other processes (the command line) write to the database too, so
 * its `data_version` is read once a turn of the event loop.
 */
export function createAppCache(database: Database, timers: Pick<Timers, 'soon'>): AppCache {
  const version = database.prepare<{ data_version: number }, []>('pragma data_version')
  const kept = new Map<string, object>()
  let knownVersion: number | undefined
  let isChecked = false

  function check(): void {
    if (isChecked) return
    isChecked = true
    timers.soon(() => {
      isChecked = false
    })
    const current = version.get()?.data_version
    if (current === knownVersion) return
    kept.clear()
    knownVersion = current
  }

  return {
    get<Value extends object>(name: string, load: () => Value | null): Value | null {
      check()
      const known = kept.get(name)
      if (known) return known as Value
      const value = load()
      if (!value) return null
      const [oldest] = kept.keys()
      if (kept.size >= cachedMax && oldest !== undefined) kept.delete(oldest)
      kept.set(name, freeze(value))
      return value
    },
    forget: () => kept.clear(),
  }
}

type LookupDeps = Pick<Deps, 'read' | 'cache'> & {
  keys: Pick<ReturnType<typeof createApiKeys>, 'find'>
  reader: Reads
}

function createLookups({ read, cache, keys, reader }: LookupDeps) {
  const findByKey: AppStore['findByKey'] = (hash) => {
    return read(() => cache.get(`key ${hex(hash)}`, () => keys.find(hash)))
  }
  return {
    get: (id) => read(() => cache.get(`app ${id}`, () => reader.get(id))),
    findByKey,
    async recallByKey(hash) {
      const found = await findByKey(hash)
      return found && { ...found, asOf: null }
    },
    findBySecretKey: (index) =>
      read(() => cache.get(`secret ${hex(index)}`, () => reader.bySecretKey(index))),
    findByEndpoint: (id) => read(() => cache.get(`endpoint ${id}`, () => reader.byEndpoint(id))),
  } satisfies Partial<AppStore>
}

/** Parts of an app that have tables of their own. */
type Rows = { dkim: DkimRows; webhooks: WebhookRows }

/** Reads apps with all that belongs to them, as the database has them now. */
function createReads(database: Database, { dkim, webhooks }: Rows) {
  const brands = createBrands(database)
  const templates = createTemplateRows(database)
  const columns = `
    id, name, registered_by as registeredBy, secret_key_index is not null as hasSecretKey, policy,
    data_key_id as dataKeyId, data_key as dataKey, version, created_at as createdAt,
    updated_at as updatedAt,
    (select since from alarms where alarms.app_id = apps.id and kind = 'spray' and until is null)
      as sprayAlarmSince,
    exists (select 1 from suppressions where suppressions.app_id = apps.id) as hasSuppressions`
  const byId = database.prepare<AppRow, { id: string }>(
    `select ${columns} from apps where id = $id`,
  )
  const bySecretKey = database.prepare<AppRow, { index: Uint8Array }>(
    `select ${columns} from apps where secret_key_index = $index`,
  )
  const list = database.prepare<AppRow, ListQuery>(`
    select ${columns} from apps
    where id > $after and ($name is null or instr(lower(name), lower($name)) > 0)
    order by id limit $limit`)
  const byEndpoint = database.prepare<AppRow, { id: string }>(
    `select ${columns} from apps where id = (select app_id from endpoints where id = $id)`,
  )
  const withEndpoints = database.prepare<AppRow, { channel: string; limit: number }>(`
    select ${columns} from apps
    where id in (select app_id from endpoints where channel = $channel) order by id limit $limit`)
  const otherwise = database.prepare<AppRow, { keyId: string; limit: number }>(
    `select ${columns} from apps where data_key_id <> $keyId limit $limit`,
  )
  const endpoints = database.prepare<EndpointRow, { appId: string }>(`
    select id, app_id as appId, channel, rank, settings, secret_sealed as secretSealed,
      off, created_at as createdAt, updated_at as updatedAt
    from endpoints where app_id = $appId order by channel, rank`)
  const open = database.prepare<{ all: number; fromAddress: number }, { from: Uint8Array }>(`
    select count(*) as "all", coalesce(sum(registered_from = $from), 0) as fromAddress
    from apps where registered_by = 'open'`)

  function toApp({ policy, dataKeyId: keyId, dataKey: bytes, ...row }: AppRow): App {
    return {
      ...row,
      hasSecretKey: row.hasSecretKey === 1,
      hasSuppressions: row.hasSuppressions === 1,
      policy: JSON.parse(policy),
      endpoints: endpoints.all({ appId: row.id }).map(toEndpoint),
      dkim: dkim.of(row.id),
      webhooks: webhooks.of(row.id),
      brand: brands.of(row.id),
      templates: templates.of(row.id),
      dataKey: { keyId, bytes },
    }
  }
  const found = (row: AppRow | null): App | null => (row ? toApp(row) : null)

  return {
    get: (id: string) => found(byId.get({ id })),
    byEndpoint: (id: string) => found(byEndpoint.get({ id })),
    withEndpoints: (channel: string, limit: number) =>
      withEndpoints.all({ channel, limit }).map(toApp),
    bySecretKey: (index: Uint8Array) => found(bySecretKey.get({ index })),
    list: (query: ListQuery) => list.all(query).map(toApp),
    wrappedOtherwise: (keyId: string, limit: number) => otherwise.all({ keyId, limit }).map(toApp),
    countOpen: (from: Uint8Array) => open.get({ from }) ?? { all: 0, fromAddress: 0 },
  }
}

type Reads = ReturnType<typeof createReads>
type ListQuery = { after: string; limit: number; name: string | null }

type AppRow = Omit<App, Flag | Derived | 'policy' | 'dataKey'> & {
  [Name in Flag]: 0 | 1
} & {
  policy: string
  dataKeyId: string
  dataKey: Uint8Array
}
type Flag = 'hasSecretKey' | 'hasSuppressions'
/** Read from other tables. */
type Derived = 'endpoints' | 'dkim' | 'webhooks' | 'brand' | 'templates'
type EndpointRow = Omit<Endpoint, 'settings'> & { settings: string }

function toEndpoint({ settings, ...row }: EndpointRow): Endpoint {
  return { ...row, settings: JSON.parse(settings) }
}

function createWrites(
  database: Database,
  reader: Reads,
  { dkim, webhooks, alarms }: Rows & Pick<Deps, 'alarms'>,
) {
  const brands = createBrands(database)
  const templates = createTemplateRows(database)
  const insert = database.prepare<null, InsertApp>(`
    insert into apps (id, name, registered_by, registered_from, policy, secret_key_index,
      data_key_id, data_key, version, created_at, updated_at)
    values ($id, $name, $registeredBy, $registeredFrom, $policy, $secretKeyIndex,
      $dataKeyId, $dataKey, $version, $createdAt, $updatedAt)`)
  const update = database.prepare<null, UpdateApp>(`
    update apps set name = coalesce($name, name), policy = coalesce($policy, policy),
      version = version + 1, updated_at = $updatedAt
    where id = $id and version = $expectedVersion`)
  const insertEndpoint = database.prepare<null, EndpointRow>(`
    insert into endpoints (id, app_id, channel, rank, settings, secret_sealed, off, created_at,
      updated_at)
    values ($id, $appId, $channel, $rank, $settings, $secretSealed, $off, $createdAt, $updatedAt)`)
  const deleteEndpoints = database.prepare<null, { appId: string }>(
    'delete from endpoints where app_id = $appId',
  )

  function writeEndpoints(appId: string, endpoints: Endpoint[]): void {
    deleteEndpoints.run({ appId })
    for (const endpoint of endpoints) {
      insertEndpoint.run({ ...endpoint, appId, settings: JSON.stringify(endpoint.settings) })
    }
  }

  return {
    create(
      { app, keys, secretKeyIndex, registeredFrom }: NewApp,
      insertKey: (key: NewApp['keys'][number]) => void,
    ): 'created' | 'secret_key_taken' {
      if (secretKeyIndex && reader.bySecretKey(secretKeyIndex)) return 'secret_key_taken'
      const { keyId: dataKeyId, bytes: dataKey } = app.dataKey
      const policy = JSON.stringify(app.policy)
      insert.run({ ...app, policy, dataKeyId, dataKey, secretKeyIndex, registeredFrom })
      writeEndpoints(app.id, app.endpoints)
      dkim.replace(app.id, app.dkim)
      webhooks.replace(app.id, app.webhooks)
      keys.forEach(insertKey)
      return 'created'
    },
    update(id: string, change: AppChange): App | 'changed' | null {
      const { name = null, expectedVersion, updatedAt, endpoints, brand, template } = change
      const policy = change.policy ? JSON.stringify(change.policy) : null
      const { changes } = update.run({ id, name, policy, expectedVersion, updatedAt })
      if (changes === 0) return reader.get(id) && 'changed'
      if (endpoints) writeEndpoints(id, endpoints)
      if (change.dkim) dkim.replace(id, change.dkim)
      if (change.webhooks) webhooks.replace(id, change.webhooks)
      for (const clear of change.clears ?? []) alarms.clear(clear)
      if (brand) brands.write(id, brand)
      if (template) templates.write(id, template, updatedAt)
      return reader.get(id)
    },
  }
}

/** Replaces sealed secrets of an app, if they are those that were read. */
function createRenewal(database: Database, { dkim, webhooks }: Rows) {
  const setKey = database.prepare<null, RenewedKey>(`
    update apps set data_key_id = $keyId, data_key = $bytes, version = version + 1
    where id = $appId and version = $expectedVersion`)
  const setSecret = database.prepare<
    null,
    KeyRenewal['secrets'][number] & Pick<KeyRenewal, 'appId'>
  >('update endpoints set secret_sealed = $sealed where id = $endpointId and app_id = $appId')

  const replaceSecret = database.prepare<null, SecretRenewal>(`
    update endpoints set secret_sealed = $to
    where id = $endpointId and app_id = $appId and secret_sealed = $from`)
  const setOff = database.prepare<null, { appId: string; endpointId: string; now: number }>(`
    update endpoints set off = 'gone', updated_at = $now
    where id = $endpointId and app_id = $appId and off is null`)
  const nextVersion = database.prepare<null, { appId: string }>(
    'update apps set version = version + 1 where id = $appId',
  )

  return {
    keys({ appId, expectedVersion, dataKey, secrets, ...renewal }: KeyRenewal): void {
      const { changes } = setKey.run({ appId, expectedVersion, ...dataKey })
      if (changes === 0) return
      for (const secret of secrets) setSecret.run({ ...secret, appId })
      dkim.seal(appId, renewal.dkim)
      webhooks.seal(appId, renewal.webhooks)
    },
    secret(renewal: SecretRenewal): boolean {
      if (replaceSecret.run(renewal).changes === 0) return false
      nextVersion.run({ appId: renewal.appId })
      return true
    },
    switchOff(place: { appId: string; endpointId: string; now: number }): boolean {
      if (setOff.run(place).changes === 0) return false
      nextVersion.run({ appId: place.appId })
      return true
    },
  }
}

type InsertApp = Pick<
  App,
  'id' | 'name' | 'registeredBy' | 'version' | 'createdAt' | 'updatedAt'
> & {
  policy: string
  registeredFrom: Uint8Array | null
  secretKeyIndex: Uint8Array | null
  dataKeyId: string
  dataKey: Uint8Array
}
type UpdateApp = Pick<AppChange, 'expectedVersion' | 'updatedAt'> & {
  id: string
  name: string | null
  policy: string | null
}
type RenewedKey = Pick<KeyRenewal, 'appId' | 'expectedVersion'> & WrappedKey

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
