import { Database } from 'bun:sqlite'
import { afterEach, expect, test } from 'bun:test'
import { copyFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../../src/cli/run.ts'
import { command, installation, type Served, served, terminal } from './terminal.ts'

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

test('a generated key is 32 bytes of base64, and different each time', async () => {
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
  expect(JSON.parse(rotated.out)).toEqual({
    key_id: expect.any(String),
    renewed: 1,
    old_key_files: [{ path: expect.stringMatching(/master\.key\.[0-9a-f]{8}$/), kept: whyKept }],
  })
  expect(followed).toContain('keys_changed')
  expect(ready.status).toBe(200)
  expect((await fetch(`${again.url}/readyz`)).status).toBe(200)
  expect((await command(['audit', 'verify', ...at])).code).toBe(0)
})

const whyKept = expect.stringContaining('backups')

test('a rotation lists the files of old keys that stay, with the reason', async () => {
  const { at, dataDir } = await place()

  const { code, err } = await command(['key', 'rotate', ...at])

  expect(code).toBe(0)
  expect(err).toMatch(new RegExp(`^${dataDir}/master\\.key\\.[0-9a-f]{8} was kept: backups`))
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

test('an unchanged audit log verifies, and prints its head', async () => {
  const { at } = await logged()

  const plain = await command(['audit', 'verify', ...at])
  const json = await command(['audit', 'verify', '--json', ...at])
  const { head } = JSON.parse(json.out)
  await command(['app', 'create', 'Four', ...at])
  const later = await command(['audit', 'verify', '--expect-head', head, ...at])

  expect([plain.code, plain.out]).toEqual([0, `4 audit records, unbroken; head ${head}\n`])
  expect(JSON.parse(json.out)).toEqual({ ok: true, records: 4, head })
  expect(head).toMatch(/^4:[0-9a-f]{64}$/)
  expect(later.code).toBe(0)
})

test('--expect-head finds an audit log that was put back to an older state', async () => {
  const { at, file } = await logged()
  const copy = `${file}.copy`
  copyFileSync(file, copy)
  await command(['app', 'create', 'Four', ...at])
  const { head } = JSON.parse((await command(['audit', 'verify', '--json', ...at])).out)
  for (const ending of ['', '-wal', '-shm']) rmSync(file + ending, { force: true })
  copyFileSync(copy, file)

  const plain = await command(['audit', 'verify', ...at])
  const expecting = await command(['audit', 'verify', '--expect-head', head, ...at])

  expect([plain.code, expecting.code]).toEqual([0, 1])
  expect(expecting.out).toBe('the audit log is broken: the expected head is not in the log\n')
})

const tampering: [how: string, sql: string, says: string][] = [
  ['edited', "update audit set detail = 'x' where id = 3", 'record 3 was changed'],
  ['deleted', 'delete from audit where id = 3', 'record 3 is missing'],
  ['moved', 'update audit set id = id + 10 where id = 3', 'record 3 is missing'],
  ['deleted with all before it', 'delete from audit where id < 4', 'record 1 is missing'],
  ['deleted at the end', 'delete from audit where id = 4', 'the newest records are missing'],
  ['deleted with all others', 'delete from audit', 'the newest records are missing'],
  [
    'deleted with all others and the head',
    'delete from audit; delete from audit_state',
    'the audit log and its sealed head were deleted',
  ],
  [
    'deleted as if its time were over',
    'delete from audit where id < 4; update audit_state set cut_id = 3',
    'the sealed head was changed',
  ],
]

test.each(tampering)('audit verify finds that a record was %s', async (_how, sql, says) => {
  const { at, file } = await logged()
  const database = new Database(file)
  database.run(sql)
  database.close()

  const { code, out } = await command(['audit', 'verify', ...at])

  expect(code).toBe(1)
  expect(out).toStartWith(`the audit log is broken: ${says}`)
})

/** An installation with four audit records: of its creation and of three apps. */
async function logged() {
  const { at, dataDir } = await place()
  for (const name of ['One', 'Two', 'Three']) await command(['app', 'create', name, ...at])
  return { at, file: join(dataDir, 'otpmint.db') }
}

test('a password that is typed during a rotation of the master key is sealed under the new key', async () => {
  const { at } = await place()
  /** Runs a command at whose prompt the key is rotated before the password is typed. */
  const typed = async (...argv: string[]) => {
    const io = terminal({ isTerminal: true })
    let asked = 0
    io.askSecret = async () => {
      asked += 1
      await command(['key', 'rotate', ...at])
      return 'hunter2'
    }
    const code = await run([...argv, '--smtp-port', '587', '--json', ...at], io)
    expect([io.errors(), code, asked]).toEqual(['', 0, 1])
    return JSON.parse(io.output())
  }

  const server = ['--smtp-host', 'smtp.example.com', '--smtp-from', 'codes@example.com']
  const { id, endpoints } = await typed('app', 'create', 'Acme', ...server)
  await typed('app', 'update', id)
  await typed('endpoint', 'add', id, ...server)
  await typed('endpoint', 'update', id, endpoints[0].id)

  // A rotation opens and seals every secret, so it fails where one lies under a key that is gone.
  expect(await command(['key', 'rotate', '--json', ...at])).toMatchObject({ code: 0, err: '' })
})

test('a password is not asked for where there is no database', async () => {
  const { path } = await place()
  const io = terminal({ isTerminal: true })
  let asked = 0
  io.askSecret = async () => {
    asked += 1
    return 'hunter2'
  }
  const there = ['--smtp-host', 'smtp.example.com', '--data-dir', join(path, 'elsewhere')]

  expect(await run(['app', 'create', 'Acme', ...there], io)).toBe(1)
  expect(io.errors()).toContain('there is no database')
  expect(asked).toBe(0)
})
