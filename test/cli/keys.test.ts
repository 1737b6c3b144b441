import { Database } from 'bun:sqlite'
import { afterEach, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { command, installation, type Served, served } from './terminal.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

async function place() {
  const made = await installation()
  cleanups.push(made.remove)
  return made
}

async function start(argv: string[], given = {}): Promise<Served> {
  const server = await served(argv, given)
  cleanups.push(server.stop)
  return server
}

test('a generated key is 32 bytes of base64, and another each time', async () => {
  const one = await command(['key', 'generate'])
  const other = await command(['key', 'generate'])

  expect(Buffer.from(one.out.trim(), 'base64').length).toBe(32)
  expect(one.out).toMatch(/^[A-Za-z0-9+/]{43}=\n$/)
  expect(one.out).not.toBe(other.out)
})

test('the key in the data directory is rotated while the server runs', async () => {
  const { at } = await place()
  await command(['app', 'create', 'Acme', ...at])
  const server = await start(at)

  const rotated = await command(['key', 'rotate', '--json', ...at])
  const followed = server.io.output()
  const ready = await fetch(`${server.url}/readyz`)
  await server.stop()
  const again = await start(at)

  expect(rotated.code).toBe(0)
  expect(JSON.parse(rotated.out)).toEqual({ key_id: expect.any(String), rewrapped: 1 })
  expect(followed).toContain('keys_changed')
  expect(ready.status).toBe(200)
  expect((await fetch(`${again.url}/readyz`)).status).toBe(200)
  expect((await command(['audit', 'verify', ...at])).code).toBe(0)
})

test('after a rotation to a file only the new key opens the database', async () => {
  const { at, path } = await place()
  const file = join(path, 'new.key')
  writeFileSync(file, (await command(['key', 'generate'])).out, { mode: 0o600 })

  const rotated = await command(['key', 'rotate', '--new-key-file', file, ...at])
  const old = await command(['app', 'list', ...at])
  const env = { OTPMINT_MASTER_KEY_FILE: file }
  const current = await command(['app', 'list', ...at], { env })

  expect([rotated.code, old.code, current.code]).toEqual([0, 78, 0])
  expect(rotated.err).toContain('OTPMINT_MASTER_KEY_FILE')
})

test('a key that comes from the environment is rotated to a file only', async () => {
  const { at, dataDir } = await place()
  const env = { OTPMINT_MASTER_KEY: (await Bun.file(join(dataDir, 'master.key')).text()).trim() }

  const { code, err } = await command(['key', 'rotate', ...at], { env })

  expect(code).toBe(1)
  expect(err).toContain('--new-key-file')
})

test('an untouched audit log verifies', async () => {
  const { at } = await place()
  for (const name of ['One', 'Two', 'Three']) await command(['app', 'create', name, ...at])

  const plain = await command(['audit', 'verify', ...at])
  const json = await command(['audit', 'verify', '--json', ...at])

  expect([plain.code, plain.out]).toEqual([0, '3 audit records, unbroken\n'])
  expect(JSON.parse(json.out)).toEqual({ records: 3, broken_record: null })
})

const tampering: [string, string, number][] = [
  ['edited', "update audit set detail = 'nothing' where id = 2", 2],
  ['deleted', 'delete from audit where id = 2', 3],
  ['moved', 'update audit set id = id + 10 where id = 3', 13],
]

const missing: [string, string][] = [
  ['the newest', 'delete from audit where id = 3'],
  ['all', 'delete from audit'],
  ['the newest, and the mark of the end with them,', "delete from facts where name = 'audit_head'"],
]

test.each(missing)('that %s audit records are missing is seen', async (_which, sql) => {
  const at = await tampered(sql)
  const { code, out } = await command(['audit', 'verify', ...at])
  expect([code, out]).toEqual([1, 'the newest audit records are missing\n'])
})

test.each(tampering)('an audit record that was %s is named', async (_how, sql, broken) => {
  const at = await tampered(sql)
  const { code, out } = await command(['audit', 'verify', ...at])
  expect(code).toBe(1)
  expect(out).toContain(`audit record ${broken} is broken`)
})

/** An installation with three audit records, edited by hand. */
async function tampered(sql: string): Promise<string[]> {
  const { at, dataDir } = await place()
  for (const name of ['One', 'Two', 'Three']) await command(['app', 'create', name, ...at])
  const database = new Database(join(dataDir, 'otpmint.db'))
  database.run(sql)
  database.close()
  return at
}
