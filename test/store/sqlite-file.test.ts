import { Database } from 'bun:sqlite'
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { dayMs } from '../../src/domain/limit.ts'
import { Problem } from '../../src/domain/problem.ts'
import { openDatabase } from '../../src/store/sqlite/database.ts'
import { createWriter } from '../../src/store/sqlite/group-commit.ts'
import { lockDataDirectory } from '../../src/store/sqlite/lock.ts'
import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import { attempt, noon, startCommand } from '../support/commands.ts'
import { auditLink } from './contract.ts'

let directory = ''
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'otpmint-store-'))
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const newPath = () => join(directory, `${crypto.randomUUID()}.db`)

async function problemCode(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => null,
    (reason: unknown) => reason,
  )
  return error instanceof Problem ? error.code : String(error)
}

test('keeps no statistics, so that no plan for a small database meets a large one', async () => {
  const path = newPath()
  const store = openSqliteStore({ path, auditLink })
  await store.verifications.start(startCommand())
  store.close()

  const database = new Database(path, { readonly: true })
  const tables = database.query("select name from sqlite_schema where name like 'sqlite_stat%'")
  expect(tables.all()).toEqual([])
  database.close()
})

test('forgets a recipient who did not come back for a month', async () => {
  const path = newPath()
  const store = openSqliteStore({ path, auditLink })
  await store.verifications.start(startCommand())
  const sweep = async (now: number) => {
    const before = now - 7 * dayMs
    const old = { verificationsBefore: before, eventsBefore: before, limitsBefore: before }
    while ((await store.records.sweep({ ...old, now, auditBefore: 0, limit: 100 })) > 0);
  }
  const rows = () => {
    const database = new Database(path, { readonly: true })
    const { count } = database
      .query<{ count: number }, []>(`
      select (select count(*) from limits) + (select count(*) from verifications) as count`)
      .get() ?? {
      count: -1,
    }
    database.close()
    return count
  }

  await sweep(noon + 30 * dayMs)
  expect(rows()).toBe(1)
  await sweep(noon + 31 * dayMs)
  expect(rows()).toBe(0)
  store.close()
})

describe('group commit', () => {
  function openWriter(path = newPath()) {
    const database = openDatabase(path)
    database.run('create table things (name text primary key) strict')
    const insert = database.prepare<null, { name: string }>('insert into things values ($name)')
    const names = () =>
      database.query<{ name: string }, []>('select name from things order by name').all()
    return { database, writer: createWriter(database), insert, names }
  }

  test('answers nobody before the commit is on disk', async () => {
    const path = newPath()
    const { writer, insert } = openWriter(path)
    const other = new Database(path, { readonly: true })
    const writes = Array.from({ length: 100 }, (_, index) =>
      writer.write(() => insert.run({ name: `n${index}` })),
    )
    await Promise.race(writes)
    const { count } = other
      .query<{ count: number }, []>('select count(*) count from things')
      .get() ?? {
      count: 0,
    }
    expect(count).toBe(100)
  })

  test('an operation that throws fails alone and leaves nothing behind', async () => {
    const { writer, insert, names } = openWriter()
    const results = await Promise.allSettled([
      writer.write(() => insert.run({ name: 'a' })),
      writer.write(() => {
        insert.run({ name: 'half' })
        throw new Error('broken')
      }),
      writer.write(() => insert.run({ name: 'a' })),
      writer.write(() => insert.run({ name: 'b' })),
    ])
    expect(results.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'rejected',
      'fulfilled',
    ])
    expect(names()).toEqual([{ name: 'a' }, { name: 'b' }])
  })

  test('an operation that takes itself back answers and leaves nothing behind', async () => {
    const { writer, insert, names } = openWriter()
    const answer = await writer.write<string>((undo) => {
      insert.run({ name: 'half' })
      return undo('refused')
    })
    expect(answer).toBe('refused')
    expect(names()).toEqual([])
  })

  test('a commit that fails is told to everybody as a failure, and undone', async () => {
    const { database, insert, names } = openWriter()
    let broken = true
    const beforeCommit = () => {
      if (broken) throw new Error('no commit')
    }
    const writer = createWriter(database, { beforeCommit })
    const writes = ['a', 'b'].map((name) => writer.write(() => insert.run({ name })))
    const results = await Promise.allSettled(writes)
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(names()).toEqual([])

    broken = false
    await writer.write(() => insert.run({ name: 'c' }))
    expect(names()).toEqual([{ name: 'c' }])
  })

  test('a full disk refuses with a time to come back, and nothing is half done', async () => {
    const { database, writer, insert, names } = openWriter()
    const { page_count } = database
      .query<{ page_count: number }, []>('pragma page_count')
      .get() ?? {
      page_count: 0,
    }
    database.run(`pragma max_page_count = ${page_count}`)
    const big = Array.from({ length: 20 }, (_, index) =>
      problemCode(writer.write(() => insert.run({ name: `${index}`.padEnd(9000, 'x') }))),
    )
    expect(new Set(await Promise.all(big))).toEqual(new Set(['store_unavailable']))
    expect(names()).toEqual([])

    database.run('pragma max_page_count = 100000')
    await writer.write(() => insert.run({ name: 'again' }))
    expect(names()).toEqual([{ name: 'again' }])
  })

  test('a read-only and a locked database refuse in the same way', async () => {
    const path = newPath()
    const { database, writer, insert, names } = openWriter(path)
    database.run('pragma query_only = on')
    expect(await problemCode(writer.write(() => insert.run({ name: 'a' })))).toBe(
      'store_unavailable',
    )
    database.run('pragma query_only = off')

    database.run('pragma busy_timeout = 10')
    const other = new Database(path)
    other.run('begin immediate')
    expect(await problemCode(writer.write(() => insert.run({ name: 'b' })))).toBe(
      'store_unavailable',
    )
    other.run('rollback')
    await writer.write(() => insert.run({ name: 'c' }))
    expect(names()).toEqual([{ name: 'c' }])
  })
})

describe('a database file', () => {
  const open = (path: string) => openSqliteStore({ path, auditLink })

  test('keeps what was acknowledged when the process stops without closing', async () => {
    const path = newPath()
    const store = open(path)
    const command = startCommand()
    await store.verifications.start(command)
    await store.verifications.chargeAttempt(attempt(command, false))

    const again = open(path)
    const { appId, id } = command.verification
    expect((await again.verifications.get(appId, id))?.attemptsSpent).toBe(1)
    expect((await again.verifications.chargeAttempt(attempt(command, true)))?.status).toBe(
      'approved',
    )
  })

  test('of two processes gives no more attempts than of one', async () => {
    const path = newPath()
    const [one, two] = [open(path), open(path)]
    const command = startCommand()
    await one.verifications.start(command)
    const guesses = Array.from({ length: 100 }, (_, index) =>
      (index % 2 ? one : two).verifications.chargeAttempt(attempt(command, false)),
    )
    expect((await Promise.all(guesses)).filter((judged) => judged !== null).length).toBe(5)
  })

  test('with a newer schema is refused, saying so', () => {
    const path = newPath()
    const database = openDatabase(path)
    database.run('pragma user_version = 999')
    database.close()
    expect(() => open(path)).toThrow('has schema 999')
  })

  test('is backed up whole while it is written to, for its owner only, over nothing', async () => {
    const store = open(newPath())
    const command = startCommand()
    await store.verifications.start(command)
    const file = newPath()
    const racing = store.verifications.start(startCommand())
    store.backup(file)
    await racing

    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(() => store.backup(file)).toThrow()
    const copy = open(file)
    expect(copy.faults()).toEqual([])
    const { appId, id } = command.verification
    expect((await copy.verifications.get(appId, id))?.status).toBe('pending')
  })

  test('that is restored revives no code', async () => {
    const store = open(newPath())
    const command = startCommand()
    await store.verifications.start(command)
    expect(store.expirePending(noon + 1000)).toBe(1)

    const { appId, id } = command.verification
    expect(await store.verifications.chargeAttempt(attempt(command, true, noon))).toMatchObject({
      status: 'pending',
    })
    expect(await store.verifications.chargeAttempt(attempt(command, true, noon + 1000))).toBeNull()
    expect(await store.verifications.sealedRecipient(appId, id)).toBeNull()
    const claim = { now: noon + 100_000, leaseUntil: noon + 200_000, limit: 10 }
    expect(await store.deliveries.claimDue(claim)).toEqual([])
  })
})

test('a data directory has one server at a time', () => {
  const home = mkdtempSync(join(directory, 'home-'))
  const lock = lockDataDirectory(home)
  expect(lock).not.toBeNull()
  expect(lockDataDirectory(home)).toBeNull()
  lock?.release()
  const next = lockDataDirectory(home)
  expect(next).not.toBeNull()
  next?.release()
  expect(existsSync(join(home, 'serve.lock'))).toBe(true)
})
