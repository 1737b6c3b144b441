import { Database } from 'bun:sqlite'
import { afterAll, expect, test } from 'bun:test'
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeBackup } from '../../src/domain/server.ts'
import { createBackups } from '../../src/runtime/backups.ts'
import { dataDirectory } from '../../src/runtime/data-directory.ts'
import { inspectDatabase } from '../../src/store/sqlite/inspect.ts'
import { noon, problemOf, world } from '../support/world.ts'
import { scratch } from './fixture.ts'

const at = scratch('backups')
afterAll(at.remove)

const actor = { who: 'admin', requestId: null }

/** A database that is open, and the backups of its directory. */
async function place() {
  const directory = dataDirectory(at.newPath())
  mkdirSync(directory.root, { mode: 0o700 })
  const w = await world({ path: directory.database })
  const logged: string[] = []
  const write = (event: string) => void logged.push(event)
  const log = { debug: write, info: write, warn: write, error: write }
  const backups = createBackups(directory, log)
  const make = () => {
    w.clock.advance(1)
    return makeBackup({ ...w, backups }, actor)
  }
  return { ...w, directory, backups, make, logged }
}

test('a backup is a sound copy with what was written last, for its owner only', async () => {
  const { directory, backups, make, app } = await place()

  const made = await make()

  expect(made).toMatchObject({ name: 'otpmint-2026-06-15T12-00-00-001Z.db', at: noon + 1 })
  const path = join(directory.backups, made.name)
  expect(statSync(directory.backups).mode & 0o777).toBe(0o700)
  expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(statSync(path).size).toBe(made.bytes)
  expect(inspectDatabase(path)).toBeNull()
  const copy = new Database(path, { readonly: true })
  expect(copy.query('select id from apps').all()).toEqual([{ id: app.id }])
  // The record of it is written first, so the copy has it too.
  const [record] = copy.query('select action, detail from audit order by id desc limit 1').all()
  expect(record).toEqual({ action: 'store.backup', detail: made.name })
  copy.close()
  expect(await backups.list()).toEqual([made])
  expect(readdirSync(directory.backups)).toEqual([made.name])
})

test('the newest five are kept, and files of others are left alone', async () => {
  const { directory, backups, make } = await place()
  const other = join(directory.backups, 'mine.db')
  const names = []
  for (let count = 0; count < 6; count++) names.push((await make()).name)
  writeFileSync(other, 'x')

  names.push((await make()).name)

  expect((await backups.list()).map(({ name }) => name)).toEqual(names.slice(-5).reverse())
  expect(readdirSync(directory.backups)).toHaveLength(6)
  expect(existsSync(other)).toBe(true)
})

test('one backup is made at a time', async () => {
  const { backups, make } = await place()

  const [first, second] = await Promise.all([make(), problemOf(make())])

  expect(second.code).toBe('backup_running')
  expect((await backups.list()).map(({ name }) => name)).toEqual([first.name])
  expect((await make()).at).toBeGreaterThan(first.at)
})

test('a copy that cannot be written is a refusal that says why, and leaves nothing', async () => {
  const { directory, backups, make, logged } = await place()
  writeFileSync(directory.backups, 'no folder')
  expect((await problemOf(make())).detail).toBe('the copy was not made: EEXIST')
  expect(logged).toEqual(['backup_failed'])
  const problem = await problemOf(makeBackup({ ...(await world()), backups: null }, actor))

  expect(problem.code).toBe('backup_elsewhere')
  await expect(backups.list()).rejects.toThrow('ENOTDIR')
})
