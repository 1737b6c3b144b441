import type { Database } from 'bun:sqlite'
import type { App, AppKey } from '../../domain/app.ts'
import type { AppChange, AppStore, NewApp } from '../../domain/stores.ts'
import { type AppRow, appColumns, toApp, toKey, toKeyedApp } from './app-rows.ts'
import { prepareApps } from './app-statements.ts'
import type { Writer } from './group-commit.ts'
import type { Journal } from './journal.ts'
import { toPage } from './listing.ts'

export type AppReader = { get(id: string): App | null }

/** Two, so that a key can be replaced without a gap. */
const activeKeysMax = 2

/** Rows of a removed app that go in one commit. */
const removalBatch = 500

export function createAppReader(database: Database): AppReader {
  // With the plus, so that it is not planned again at every turn (app-statements.ts, `byKey`).
  const byId = database.prepare<AppRow, { id: string }>(
    `select ${appColumns} from apps left join email_channels on app_id = id where id = +$id`,
  )
  return {
    get(id) {
      const row = byId.get({ id })
      return row ? toApp(row) : null
    },
  }
}

type Parts = { database: Database; writer: Writer; journal: Journal; reader: AppReader }
type Statements = ReturnType<typeof prepareApps>

export function createAppStore(parts: Parts): AppStore {
  const { database, writer, journal, reader } = parts
  const statements = prepareApps(database)
  const { create, update } = createAppWrites(statements, reader)

  async function removeRows(appId: string): Promise<void> {
    for (const statement of statements.deleteRows) {
      let removed = removalBatch
      while (removed === removalBatch) {
        removed = await writer.write(() => statement.run({ appId, limit: removalBatch }).changes)
      }
    }
  }

  return {
    create: (command, audit) =>
      writer.write(() => {
        const outcome = create(command)
        if (outcome === 'created') journal.audit(audit)
        return outcome
      }),
    get: async (id) => reader.get(id),
    findByKey: async (hash) => {
      const row = statements.byKey.get({ hash })
      return row ? toKeyedApp(row) : null
    },
    findBySecretKey: async (index) => {
      const row = statements.bySecret.get({ index })
      return row ? reader.get(row.id) : null
    },
    list: async ({ limit, cursor }) => {
      const rows = statements.list.all({ after: cursor ?? '', limit: limit + 1 })
      return toPage(rows, limit, (row) => row.id, toApp)
    },
    update: (id, change, audit) =>
      writer.write(() => {
        const app = update(id, change)
        if (app) journal.audit(audit)
        return app
      }),
    remove: async (id, audit) => {
      const removed = await writer.write(() => {
        if (statements.delete.run({ id }).changes === 0) return false
        journal.audit(audit)
        return true
      })
      if (removed) await removeRows(id)
      return removed
    },
    ...createKeyMethods(statements, parts),
  }
}

function createAppWrites(statements: Statements, reader: AppReader) {
  function create({ app, keys, secretKeyIndex }: NewApp): 'created' | 'secret_key_taken' {
    if (secretKeyIndex && statements.bySecret.get({ index: secretKeyIndex })) {
      return 'secret_key_taken'
    }
    const { id, name, policy, dataKey, createdAt, updatedAt } = app
    statements.insert.run({
      id,
      name,
      policy: JSON.stringify(policy),
      secretKeyIndex,
      dataKeyId: dataKey.keyId,
      dataKey: dataKey.bytes,
      createdAt,
      updatedAt,
    })
    writeEmail(id, app.email)
    for (const { key, hash } of keys) insertKey(statements, key, hash)
    return 'created'
  }

  function writeEmail(appId: string, email: App['email']): void {
    statements.deleteEmail.run({ appId })
    if (!email) return
    statements.insertEmail.run({ ...email, appId, publicOnly: email.publicOnly ? 1 : 0 })
  }

  function update(id: string, { updatedAt, name, policy, email }: AppChange): App | null {
    const text = policy === undefined ? null : JSON.stringify(policy)
    const { changes } = statements.update.run({ id, updatedAt, name: name ?? null, policy: text })
    if (changes === 0) return null
    if (email !== undefined) writeEmail(id, email)
    return reader.get(id)
  }

  return { create, update }
}

type KeyMethods = Pick<AppStore, 'keys' | 'addKey' | 'revokeKey' | 'wrappedOtherwise' | 'rewrap'>

function createKeyMethods(statements: Statements, { writer, journal }: Parts): KeyMethods {
  return {
    keys: async (appId) => statements.keys.all({ appId }).map(toKey),
    addKey: (key, hash, audit) =>
      writer.write(() => {
        const { active } = statements.activeKeys.get(key) ?? { active: 0 }
        if (active >= activeKeysMax) return 'too_many'
        insertKey(statements, key, hash)
        journal.audit(audit)
        return 'added'
      }),
    revokeKey: (appId, keyId, audit) =>
      writer.write(() => {
        const { changes } = statements.revokeKey.run({ appId, keyId, now: audit.at })
        if (changes === 0) return false
        journal.audit(audit)
        return true
      }),
    wrappedOtherwise: async (keyId, limit) =>
      statements.wrappedOtherwise
        .all({ keyId, limit })
        .map((row) => ({ appId: row.id, key: { keyId: row.data_key_id, bytes: row.data_key } })),
    rewrap: async (items) => {
      await writer.write(() => {
        for (const { appId, from, to } of items) {
          const values = { appId, from: from.bytes, toId: to.keyId, to: to.bytes }
          statements.rewrap.run(values)
        }
      })
    },
  }
}

function insertKey(
  statements: Statements,
  { revokedAt: _, ...key }: AppKey,
  hash: Uint8Array,
): void {
  statements.insertKey.run({ ...key, hash })
}
