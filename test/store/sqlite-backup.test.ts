import { Database } from 'bun:sqlite'
import { expect, test } from 'bun:test'
import {
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { inspectDatabase } from '../../src/store/sqlite/inspect.ts'
import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import { systemTimers } from '../../src/system.ts'
import { attempt, keyOf, startCommand } from '../support/commands.ts'
import { newDirectory, newPath } from './files.ts'

const open = (path: string) => openSqliteStore({ path, timers: systemTimers })

async function backedUp(): Promise<string> {
  const store = await open(newPath())
  await store.verifications.start(startCommand())
  const file = newPath()
  await store.backup(file)
  await store.close()
  return file
}

test('a backup during writes is consistent, has mode 0600 and can be opened', async () => {
  const store = await open(newPath())
  const command = startCommand()
  await store.verifications.start(command)
  const directory = newDirectory()
  const file = join(directory, 'copy.db')
  const racing = store.verifications.start(startCommand())

  await store.backup(file)
  await racing

  expect(readdirSync(directory)).toEqual(['copy.db'])
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(inspectDatabase(file)).toBeNull()
  const copy = await open(file)
  expect(await copy.maintenance.faults()).toEqual([])
  expect((await copy.verifications.get(keyOf(command)))?.status).toBe('pending')
  const check = await copy.verifications.chargeAttempt(attempt(command, true))
  expect(check).toMatchObject({ verification: { status: 'approved' } })
})

test('a backup keeps incremental vacuum, so that its file can shrink', async () => {
  const file = await backedUp()
  const copy = new Database(file, { readonly: true })

  expect(copy.query('pragma auto_vacuum').values()).toEqual([[2]])
})

test('a backup replaces nothing and follows no link', async () => {
  const store = await open(newPath())
  const directory = newDirectory()
  const place = (name: string) => join(directory, name)
  writeFileSync(place('file'), 'mine')
  symlinkSync(place('nowhere'), place('link'))

  for (const name of ['file', 'link']) {
    await expect(store.backup(place(name))).rejects.toMatchObject({ code: 'EEXIST' })
  }

  expect(readFileSync(place('file'), 'utf8')).toBe('mine')
  expect(existsSync(place('nowhere'))).toBe(false)
  expect(lstatSync(place('link')).isSymbolicLink()).toBe(true)
  expect(readdirSync(directory).sort()).toEqual(['file', 'link'])
})

test('a backup that cannot be written leaves no file', async () => {
  const store = await open(newPath())
  const directory = newDirectory()

  await expect(store.backup(join(directory, 'missing', 'copy'))).rejects.toMatchObject({
    code: 'ENOENT',
  })
  expect(readdirSync(directory)).toEqual([])
})

test('a file that is no database of OtpMint is refused, with the reason', async () => {
  const text = newPath()
  writeFileSync(text, 'no database at all, but long enough to be looked at'.repeat(100))
  const empty = newPath()
  writeFileSync(empty, '')
  const foreign = newPath()
  const other = new Database(foreign)
  other.run('create table notes (text text)')
  other.close()

  for (const file of [text, empty, foreign]) {
    expect(inspectDatabase(file)).toBe('it is no database of OtpMint')
  }
  expect(inspectDatabase(newPath())).toBe('it cannot be opened')
})

test('a newer schema is refused', async () => {
  const file = await backedUp()
  const database = new Database(file)
  database.run('pragma user_version = 999')
  database.close()

  expect(inspectDatabase(file)).toContain('has schema 999')
})

test('damaged pages are refused', async () => {
  const file = await backedUp()
  const database = new Database(file)
  const { root = 0 } =
    database
      .query<{ root: number }, []>(
        "select rootpage as root from sqlite_schema where name = 'verifications'",
      )
      .get() ?? {}
  database.close()
  const content = readFileSync(file)
  content.fill(0xff, (root - 1) * 4096, root * 4096)
  writeFileSync(file, content)

  expect(inspectDatabase(file)).toBe('it is damaged')
})

test.each([
  [
    'its trigger spy is not of OtpMint',
    'create trigger spy after insert on apps begin select 1; end',
  ],
  ['its view spy is not of OtpMint', 'create view spy as select * from apps'],
  ['its table spy is not of OtpMint', 'create table spy (a)'],
  ['its index spy is not of OtpMint', 'create index spy on apps (name)'],
  ['its index answers_by_age is missing', 'drop index answers_by_age'],
  ['its table nodes is not as OtpMint makes it', 'alter table nodes add column spy text'],
  [
    'its index apps_open is not as OtpMint makes it',
    'drop index apps_open; create index apps_open on apps (name)',
  ],
])('a foreign, changed or missing object is refused: %s', async (fault, sql) => {
  const file = await backedUp()
  const database = new Database(file)
  database.run(sql)
  database.close()

  expect(inspectDatabase(file)).toBe(fault)
})
