import type { Database } from 'bun:sqlite'
import type { App } from '../../domain/app/app.ts'
import type { Endpoint } from '../../domain/app/endpoint.ts'
import type { AuditAppend, HeadMoved } from '../../domain/audit.ts'
import type { WrappedKey } from '../../domain/keyring.ts'
import type { AppChange, AppStore, KeyRenewal, NewApp } from '../../domain/stores.ts'
import { createApiKeys } from './api-keys.ts'
import type { AppCache } from './app-cache.ts'
import { type AppReader, createAppReader } from './app-reader.ts'
import type { AuditChain } from './audit.ts'
import { toPage } from './page.ts'
import type { Parts } from './parts.ts'
import { createRemoval } from './removal.ts'

type Deps = Parts & { audit: AuditChain; cache: AppCache }

export function createAppStore(deps: Deps): AppStore {
  const { database, read, write, audit, cache } = deps
  const reader = createAppReader(database)
  const keys = createApiKeys({ ...deps, reader })
  const changes = createAppWrites(database, reader)
  const renew = createRenewal(database)
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
    get: (id) => read(() => cache.get(`app ${id}`, () => reader.get(id))),
    findByKey: (hash) => read(() => cache.get(`key ${hex(hash)}`, () => keys.find(hash))),
    findBySecretKey: (index) =>
      read(() => cache.get(`secret ${hex(index)}`, () => reader.bySecretKey(index))),
    list: ({ limit, cursor }) =>
      read(() =>
        toPage(
          reader.list(cursor, limit + 1),
          limit,
          ({ id }) => id,
          (app) => app,
        ),
      ),
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
        for (const renewal of renewals) renew(renewal)
        cache.forget()
      }),
  }
}

function createAppWrites(database: Database, reader: AppReader) {
  const insert = database.prepare<null, InsertApp>(`
    insert into apps (id, name, registered_by, registered_from, policy, secret_key_index,
      data_key_id, data_key, version, created_at, updated_at)
    values ($id, $name, $registeredBy, $registeredFrom, $policy, $secretKeyIndex,
      $dataKeyId, $dataKey, $version, $createdAt, $updatedAt)`)
  const update = database.prepare<null, UpdateApp>(`
    update apps set name = coalesce($name, name), policy = coalesce($policy, policy),
      version = version + 1, updated_at = $updatedAt
    where id = $id and version = $expectedVersion`)
  const insertEndpoint = database.prepare<null, EndpointValues>(`
    insert into endpoints (id, app_id, channel, rank, settings, secret_sealed, created_at,
      updated_at)
    values ($id, $appId, $channel, $rank, $settings, $secretSealed, $createdAt, $updatedAt)`)
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
      keys.forEach(insertKey)
      return 'created'
    },
    update(id: string, change: AppChange): App | 'changed' | null {
      const { name = null, expectedVersion, updatedAt, endpoints } = change
      const policy = change.policy ? JSON.stringify(change.policy) : null
      const { changes } = update.run({ id, name, policy, expectedVersion, updatedAt })
      if (changes === 0) return reader.get(id) && 'changed'
      if (endpoints) writeEndpoints(id, endpoints)
      return reader.get(id)
    },
  }
}

/** Replaces an app's data key and the secrets that are sealed with it, if nothing else changed. */
function createRenewal(database: Database): (renewal: KeyRenewal) => void {
  const setKey = database.prepare<null, RenewedKey>(`
    update apps set data_key_id = $keyId, data_key = $bytes, version = version + 1
    where id = $appId and version = $expectedVersion`)
  const setSecret = database.prepare<
    null,
    KeyRenewal['secrets'][number] & Pick<KeyRenewal, 'appId'>
  >('update endpoints set secret_sealed = $sealed where id = $endpointId and app_id = $appId')

  return ({ appId, expectedVersion, dataKey, secrets }) => {
    const { changes } = setKey.run({ appId, expectedVersion, ...dataKey })
    if (changes === 0) return
    for (const secret of secrets) setSecret.run({ ...secret, appId })
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
type EndpointValues = Omit<Endpoint, 'settings'> & { settings: string }
type RenewedKey = Pick<KeyRenewal, 'appId' | 'expectedVersion'> & WrappedKey

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
