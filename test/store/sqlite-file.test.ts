import { Database } from 'bun:sqlite'
import { describe, expect, test } from 'bun:test'
import { closeSync, existsSync, openSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { dayMs } from '../../src/domain/verification/limits.ts'
import { cachedMax } from '../../src/store/sqlite/apps.ts'
import { openDatabase } from '../../src/store/sqlite/database.ts'
import { lockDataDirectory } from '../../src/store/sqlite/lock.ts'
import { openSqliteStore, type SqliteStore } from '../../src/store/sqlite/store.ts'
import { chargeStatement, oneKey } from '../../src/store/sqlite/verifications.ts'
import { systemTimers } from '../../src/system.ts'
import {
  addPlainApp,
  appKey,
  attempt,
  bytes,
  cancelCommand,
  emailEndpoint,
  keyOf,
  newRequest,
  noon,
  plainApp,
  settleCommand,
  startCommand,
  sweepCommand,
  times,
  withAudit,
} from '../support/commands.ts'
import { newDirectory, newPath, problemCode } from './files.ts'

const open = (path: string, options: Partial<Parameters<typeof openSqliteStore>[0]> = {}) =>
  openSqliteStore({ path, timers: systemTimers, ...options })

/** Queries the file over another connection. */
function look<Value>(path: string, query: (database: Database) => Value): Value {
  const database = new Database(path, { readonly: true })
  try {
    return query(database)
  } finally {
    database.close(true)
  }
}

const number = (database: Database, sql: string) =>
  Number(database.query<[number], []>(sql).values()[0]?.[0])

async function sweepAll({ maintenance }: SqliteStore, command: ReturnType<typeof sweepCommand>) {
  let { limitsAfter } = command
  do {
    const swept = await maintenance.sweep({ ...command, limitsAfter })
    limitsAfter = swept.limitsAfter
    if (swept.rows > 0) limitsAfter = new Uint8Array([0])
  } while (limitsAfter.length > 0)
}

describe('a database file', () => {
  test('keeps acknowledged writes when the process stops without closing', async () => {
    const path = newPath()
    const store = await open(path)
    const command = startCommand()
    await store.verifications.start(command)
    await store.verifications.chargeAttempt(attempt(command, false))

    const again = await open(path)
    expect((await again.verifications.get(keyOf(command)))?.attemptsSpent).toBe(1)
    const right = await again.verifications.chargeAttempt(attempt(command, true))
    expect(right).toMatchObject({ verification: { status: 'approved' } })
  })

  test('that two processes open allows no more attempts than with one', async () => {
    const path = newPath()
    const [one, two] = [await open(path), await open(path)]
    const command = startCommand()
    await one.verifications.start(command)
    const guesses = times(100, (index) =>
      (index % 2 ? one : two).verifications.chargeAttempt(attempt(command, false)),
    )

    const results = await Promise.all(guesses)

    expect(results.filter(({ outcome }) => outcome === 'judged').length).toBe(5)
  })

  test('with a newer schema is refused, with that reason', async () => {
    const path = newPath()
    const database = openDatabase(path)
    database.run('pragma user_version = 999')
    database.close()

    await expect(open(path)).rejects.toThrow('has schema 999')
  })

  test('has an empty log after closing, and takes no more writes', async () => {
    const path = newPath()
    const store = await open(path)
    const queued = store.verifications.start(startCommand())

    await store.close()

    expect((await queued).outcome).toBe('started')
    expect(existsSync(`${path}-wal`)).toBe(false)
    expect(await problemCode(store.verifications.start(startCommand()))).toBe('store_unavailable')
    expect(look(path, (file) => number(file, 'select count(*) from verifications'))).toBe(1)
  })

  test('commits every write on its own where that is asked for', async () => {
    const store = await open(newPath(), { grouped: false })
    const commands = times(20, (index) => startCommand({ now: noon + index }))
    const results = await Promise.all(commands.map(store.verifications.start))

    expect(results.every(({ outcome }) => outcome === 'started')).toBe(true)
  })

  test('keeps no planner statistics, which would be wrong once it has grown', async () => {
    const path = newPath()
    const store = await open(path)
    await store.verifications.start(startCommand())
    await store.close()

    const sql = "select count(*) from sqlite_schema where name like 'sqlite_stat%'"
    expect(look(path, (file) => number(file, sql))).toBe(0)
  })

  test('has no variables of a verification that has ended', async () => {
    const path = newPath()
    const store = await open(path)
    const { verifications, maintenance } = store
    const start = async (ttlMs = 1_000) => {
      const command = { ...startCommand({ ttlMs }), variablesSealed: bytes(60) }
      await verifications.start(command)
      expect((await verifications.sealed({ ...keyOf(command), recipient: 0 }))?.variables).toEqual(
        command.variablesSealed,
      )
      return command
    }
    const left = () =>
      look(path, (db) => number(db, 'select count(variables_sealed) from verifications'))

    await verifications.chargeAttempt(attempt(await start(), true))
    await verifications.cancel(cancelCommand(await start()))
    await start(500)
    expect(left()).toBe(1)
    await maintenance.sweep(sweepCommand(noon + 500))
    expect(left()).toBe(0)
    await start()
    await verifications.expirePending({ now: noon, event: 'verification.expired' })
    expect(left()).toBe(0)
    await store.close()
  })

  test('becomes smaller when rows are deleted', async () => {
    const path = newPath()
    const store = await open(path)
    for (let round = 0; round < 8; round++) {
      const commands = times(250, (index) =>
        startCommand({ now: noon + index, metadata: { text: 'x'.repeat(1000) } }),
      )
      await Promise.all(commands.map(store.verifications.start))
    }
    const pages = () => look(path, (file) => number(file, 'pragma page_count'))
    const before = pages()

    const now = noon + 40 * dayMs
    const all = { verificationsBefore: now, eventsBefore: now, failuresBefore: now }
    await sweepAll(store, sweepCommand(now, { ...all, idempotencyBefore: now, limit: 500 }))
    for (let round = 0; round < 3; round++) await sweepAll(store, sweepCommand(now, { limit: 500 }))

    expect(before).toBeGreaterThan(600)
    expect(pages()).toBeLessThan(before / 5)
  })

  test('has no row of an app that was removed', async () => {
    const path = newPath()
    const store = await open(path)
    const id = plainApp().id
    await addPlainApp(store, plainApp({ id, endpoints: [emailEndpoint(id, 1)] }))
    const command = startCommand({ appId: id, idempotency: newRequest() })
    await store.verifications.start(command)
    await store.deliveries.settle(settleCommand(command))
    const check = attempt(command, true, { idempotency: newRequest() })
    await store.verifications.chargeAttempt(check)
    const key = { key: appKey(id), hash: bytes(32), activeMax: 2 }
    await withAudit(store, (append) => store.apps.addKey(key, append))

    const rows = () =>
      look(path, (file) => {
        const tables = file
          .query<[string], []>(
            `select m.name from sqlite_schema as m join pragma_table_info(m.name) as c
             where m.type = 'table' and c.name = 'app_id'`,
          )
          .values()
          .flat()
        const sums = tables.map((table) => `(select count(*) from ${table} where app_id = '${id}')`)
        return number(file, `select ${sums.join(' + ')}`)
      })
    expect(rows()).toBeGreaterThan(6)
    await withAudit(store, (append) => store.apps.remove(id, append))
    expect(rows()).toBe(0)
    expect(look(path, (file) => number(file, 'select count(*) from delivery_tries'))).toBe(0)
  })
})

describe('a statement', () => {
  test('that charges a wrong code writes to one table and no index', () => {
    const database = openDatabase(':memory:')
    const program = database
      .query<{ opcode: string; p2: number }, []>(`explain ${chargeStatement(oneKey)}`)
      .all()
    const roots = program.flatMap(({ opcode, p2 }) => (opcode === 'OpenWrite' ? [p2] : []))
    const names = database
      .query<{ name: string; rootpage: number }, []>('select name, rootpage from sqlite_schema')
      .all()
      .flatMap(({ name, rootpage }) => (roots.includes(rootpage) ? [name] : []))

    expect(names).toEqual(['verifications'])
  })
})

describe('cached apps', () => {
  test('are read again once another process has changed them', async () => {
    const path = newPath()
    const [server, commandLine] = [await open(path), await open(path)]
    const { id } = await addPlainApp(server)
    const [key, hash] = [appKey(id), bytes(32)]
    const add = { key, hash, activeMax: 2 }
    await withAudit(server, (append) => server.apps.addKey(add, append))
    expect((await server.apps.findByKey(hash))?.app.name).toBe('Acme')

    const change = { expectedVersion: 1, name: 'New', updatedAt: noon }
    await withAudit(commandLine, (append) => commandLine.apps.update(id, change, append))
    await Bun.sleep(0)
    expect((await server.apps.findByKey(hash))?.app.name).toBe('New')
    expect((await server.apps.get(id))?.name).toBe('New')

    const revoke = { appId: id, keyId: key.id, now: noon }
    await withAudit(commandLine, (append) => commandLine.apps.revokeKey(revoke, append))
    await Bun.sleep(0)
    expect(await server.apps.findByKey(hash)).toBeNull()
  })

  test('are the same frozen object until then', async () => {
    const store = await open(newPath())
    const id = plainApp().id
    await addPlainApp(store, plainApp({ id, endpoints: [emailEndpoint(id, 1)] }))

    const app = await store.apps.get(id)
    if (!app?.endpoints[0]) throw new Error('no app')
    const [endpoint] = app.endpoints

    expect(await store.apps.get(id)).toBe(app)
    expect(() => Object.assign(app, { name: 'New' })).toThrow()
    expect(() => Object.assign(app.policy, { paused: true })).toThrow()
    expect(() => Object.assign(endpoint.settings, { host: 'other' })).toThrow()
    expect(() => app.endpoints.pop()).toThrow()
  })

  test('are bounded in number', async () => {
    const path = newPath()
    const store = await open(path)
    const first = await addPlainApp(store)
    const inserted = new Database(path)
    inserted.run(`
      with recursive numbers (value) as (
        select 1 union all select value + 1 from numbers where value < ${cachedMax})
      insert into apps (id, registered_by, policy, data_key_id, data_key, version, created_at,
        updated_at)
      select 'app' || value, 'admin', '{}', 'k', x'00', 1, 0, 0
      from numbers`)
    inserted.close()

    const kept = await store.apps.get(first.id)
    for (let index = 1; index < cachedMax; index++) await store.apps.get(`app${index}`)
    expect(await store.apps.get(first.id)).toBe(kept)
    await store.apps.get(`app${cachedMax}`)
    expect(await store.apps.get(first.id)).not.toBe(kept)
  })
})

describe('readiness', () => {
  test('is tested by one write a second, however often it is asked for', async () => {
    const path = newPath()
    let now = 0
    const store = await open(path, { timers: { ...systemTimers, monotonic: () => now } })
    const other = new Database(path, { readonly: true })
    const version = () => number(other, 'pragma data_version')
    const before = version()

    await Promise.all(times(50, () => store.maintenance.ready()))
    expect(version()).toBe(before + 1)
    now = 999
    await store.maintenance.ready()
    expect(version()).toBe(before + 1)
    now = 1000
    await store.maintenance.ready()
    expect(version()).toBe(before + 2)
  })
})

describe('damage', () => {
  /** Overwrites the pages from the 120th on, where the rows of the tables are, with random bytes. */
  async function damaged(path: string): Promise<void> {
    const store = await open(path)
    const commands = times(500, (index) => startCommand({ now: noon + index }))
    await Promise.all(commands.map(store.verifications.start))
    await store.close()
    const file = openSync(path, 'r+')
    const { size } = statSync(path)
    for (let page = 120; page * 4096 < size; page++) {
      writeSync(file, bytes(4096), 0, 4096, page * 4096)
    }
    closeSync(file)
  }

  test('of the whole file is a fault and no crash', async () => {
    const path = newPath()
    const store = await open(path)
    await store.verifications.start(startCommand())
    await store.close()
    const reopened = await open(path)
    // Another connection's commit makes this one read every page again.
    const other = new Database(path)
    other.run("insert into meta values ('x', x'00')")
    other.run('pragma wal_checkpoint(truncate)')
    const file = openSync(path, 'r+')
    writeSync(file, bytes(statSync(path).size), 0)
    closeSync(file)

    expect((await reopened.maintenance.faults()).join()).toContain('damaged')
    expect(await problemCode(reopened.verifications.get(keyOf(startCommand())))).toBe(
      'store_unavailable',
    )
  })

  test('refuses with Retry-After, is reported once and is a fault', async () => {
    const path = newPath()
    await damaged(path)
    let told = 0
    const store = await open(path, { onDamage: () => told++ })

    const query = { appId: 'app', mode: 'live', now: noon, limit: 1000, cursor: null } as const
    expect(await problemCode(store.verifications.list(query))).toBe('store_unavailable')
    const starts = times(5, () => problemCode(store.verifications.start(startCommand())))
    expect(await Promise.all(starts)).toContain('store_unavailable')

    expect(told).toBe(1)
    const faults = await store.maintenance.faults()
    expect(faults.join()).toContain('damaged')
    expect(faults.join()).toContain('restore a backup')
    await store.close().catch(() => {})
  })
})

test('a data directory has one server at a time', () => {
  const home = newDirectory()
  const lock = lockDataDirectory(home)
  expect(lock).not.toBeNull()
  expect(lockDataDirectory(home)).toBeNull()
  lock?.release()
  const next = lockDataDirectory(home)
  expect(next).not.toBeNull()
  next?.release()
  expect(existsSync(join(home, 'serve.lock'))).toBe(true)
})
