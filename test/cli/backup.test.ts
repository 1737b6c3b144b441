import { Database } from 'bun:sqlite'
import { afterEach, expect, test } from 'bun:test'
import { copyFileSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { command, installation, type Served, served } from './terminal.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

async function place() {
  const made = await installation()
  cleanups.push(made.remove)
  return { ...made, file: join(made.path, 'backup.db') }
}

async function start(argv: string[]): Promise<Served> {
  const server = await served(argv)
  cleanups.push(server.stop)
  return server
}

async function newApp(at: string[]): Promise<{ id: string; test_key: string }> {
  const { out } = await command(['app', 'create', 'Acme', '--json', ...at])
  return JSON.parse(out)
}

/** Starts a verification with a test key; answers its id. */
async function mint({ url }: Served, key: string): Promise<string> {
  const answer = await post(`${url}/v1/verifications`, key, { to: 'ada@example.com' })
  const { id } = (await answer.json()) as { id: string }
  return id
}

function post(url: string, key: string, body: object): Promise<Response> {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
  return fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })
}

test('a backup is written while a server runs, with mode 0600, and overwrites no file', async () => {
  const { at, file } = await place()
  await start(at)

  const first = await command(['backup', file, ...at])
  const second = await command(['backup', file, ...at])

  expect([first.code, second.code]).toEqual([0, 1])
  expect(first.out).toBe(`${file}\n`)
  expect(first.err).toContain('master key is not in the backup')
  expect(second.err).toContain('exists')
  expect(statSync(file).mode & 0o777).toBe(0o600)
})

test('a backup that cannot be written is a failure that says so', async () => {
  const { at, path } = await place()

  const { code, err } = await command(['backup', join(path, 'none', 'backup.db'), ...at])

  expect(code).toBe(1)
  expect(err).toContain('cannot be written')
})

test('no command leaves more than the database, its key and its lock', async () => {
  const { at, file, dataDir } = await place()
  await newApp(at)
  await command(['backup', file, ...at])
  await command(['restore', file, '--force', ...at])

  const kept = readdirSync(dataDir).filter((name) => !name.includes('.before-'))
  expect(kept.sort()).toEqual(['admin.token', 'master.key', 'otpmint.db', 'run.id', 'serve.lock'])
})

test('a restored installation has its apps, and none of its live codes', async () => {
  const { at, file, dataDir, path } = await place()
  const app = await newApp(at)
  const before = await start(at)
  const id = await mint(before, app.test_key)
  await command(['backup', file, ...at])
  await before.stop()
  const restored = join(path, 'restored')
  mkdirSync(restored)
  copyFileSync(join(dataDir, 'master.key'), join(restored, 'master.key'))

  const there = ['--data-dir', restored]
  const { code, err } = await command(['restore', file, ...there])
  const after = await start(there)

  expect(code).toBe(0)
  expect(err).toContain('Live verifications expired: 1')
  const headers = { authorization: `Bearer ${app.test_key}` }
  const answer = await fetch(`${after.url}/v1/verifications/${id}`, { headers })
  expect(await answer.json()).toMatchObject({ status: 'expired' })
  expect((await command(['audit', 'verify', ...there])).code).toBe(0)
})

test('a restore is refused while a server runs', async () => {
  const { at, file } = await place()
  await command(['backup', file, ...at])
  await start(at)

  const { code, err } = await command(['restore', file, '--force', ...at])

  expect(code).toBe(1)
  expect(err).toContain('pid 4242')
})

test('an existing database is replaced with --force only, and is kept', async () => {
  const { at, file, dataDir } = await place()
  await command(['backup', file, ...at])
  const { id } = await newApp(at)

  const refused = await command(['restore', file, ...at])
  const kept = await command(['app', 'show', id, ...at])
  const forced = await command(['restore', file, '--force', ...at])
  const gone = await command(['app', 'show', id, ...at])

  expect([refused.code, kept.code, forced.code, gone.code]).toEqual([1, 0, 0, 1])
  expect(refused.err).toContain('--force')
  const aside = readdirSync(dataDir).find((name) => /^otpmint\.db\.before-\w+$/.test(name))
  expect(forced.err).toContain(aside ?? 'a file that was kept')
  expect(readdirSync(dataDir).filter((name) => name.includes('restoring'))).toEqual([])
})

test('without the right master key nothing is restored and the advice says why', async () => {
  const { at, file, path } = await place()
  await command(['backup', file, ...at])
  const there = ['--data-dir', join(path, 'elsewhere')]
  const { out: otherKey } = await command(['key', 'generate'])

  const without = await command(['restore', file, ...there])
  const env = { OTPMINT_MASTER_KEY: otherKey.trim() }
  const wrong = await command(['restore', file, ...there], { env })

  expect([without.code, wrong.code]).toEqual([78, 78])
  for (const { err } of [without, wrong]) expect(err).toContain('not in the backup')
  expect(readdirSync(join(path, 'elsewhere'))).not.toContain('otpmint.db')
})

test('a key that was revoked after the backup stays revoked, and the active ones are listed', async () => {
  const { at, file } = await place()
  const app = await newApp(at)
  await command(['backup', file, ...at])
  const { keys } = JSON.parse((await command(['app', 'show', app.id, '--json', ...at])).out)
  const [test, live] = ['test', 'live'].map((mode) => {
    return keys.find((key: { mode: string }) => key.mode === mode).id
  })
  await command(['app', 'revoke-key', app.id, test, ...at])

  const { code, err } = await command(['restore', file, '--force', ...at])
  const shown = JSON.parse((await command(['app', 'show', app.id, '--json', ...at])).out)
  const json = JSON.parse((await command(['restore', file, '--force', '--json', ...at])).out)

  expect(code).toBe(0)
  expect(err).toContain('revoked since the backup, revoked again: 1\n')
  expect(err).toContain(`Acme (${app.id})  otpm_live_...`)
  expect(err).not.toContain(test)
  const revoked = shown.keys.filter((key: { revoked_at?: string }) => key.revoked_at)
  expect(revoked.map(({ id }: { id: string }) => id)).toEqual([test])
  expect(json.active_keys.map(({ app, id }: { app: string; id: string }) => [app, id])).toEqual([
    [app.id, live],
  ])
  expect(json.active_secret_keys).toEqual([])
})

test('apps with a secretKey are listed after a restore', async () => {
  const { at, file } = await place()
  const server = await start(['--dev', ...at])
  const mail = { smtp_host: 'inbox', smtp_port: 587, smtp_mail: 'codes@example.com' }
  const body = { secretKey: 'a secret key', app_name: 'Old', smtp_password: 'none', ...mail }
  const headers = { 'content-type': 'application/json' }
  const request = { method: 'POST', headers, body: JSON.stringify(body) }
  const registered = await fetch(`${server.url}/reg_secretkey`, request)
  await server.stop()
  await command(['backup', file, ...at])

  const restored = await command(['restore', file, '--force', ...at])
  const inPlace = await command(['restore', '--in-place', '--json', ...at])

  expect(registered.status).toBe(200)
  const { items } = JSON.parse((await command(['app', 'list', '--json', ...at])).out)
  const { id } = items.find(({ name }: { name: string }) => name === 'Old')
  expect(restored.err).toContain(`Old (${id})  secretKey of the original API`)
  expect(JSON.parse(inPlace.out).active_secret_keys).toEqual([{ app: id }])
})

test('a copy that was put back by hand is logged, and revives no code', async () => {
  const { at } = await place()
  const app = await newApp(at)
  const before = await start(at)
  const id = await mint(before, app.test_key)
  const running = await command(['restore', '--in-place', ...at])
  await before.stop()

  const { code, err } = await command(['restore', '--in-place', ...at])
  const after = await start(at)

  expect([running.code, code]).toEqual([1, 0])
  expect(running.err).toContain('pid 4242')
  expect(err).toContain('Live verifications expired: 1\n')
  expect(err).toContain(`Acme (${app.id})  otpm_test_...`)
  const headers = { authorization: `Bearer ${app.test_key}` }
  const answer = await fetch(`${after.url}/v1/verifications/${id}`, { headers })
  expect(await answer.json()).toMatchObject({ status: 'expired' })
})

test('a file that is no database of OtpMint is not restored', async () => {
  const { at, file } = await place()
  writeFileSync(file, 'no database at all\n'.repeat(500))

  const { code, err } = await command(['restore', file, '--force', ...at])
  const missing = await command(['restore', `${file}.none`, '--force', ...at])
  const foreign = new Database(`${file}.foreign`)
  foreign.run('create table meta (name text, value blob)')
  foreign.close()
  const other = await command(['restore', `${file}.foreign`, '--force', ...at])

  expect([code, missing.code, other.code]).toEqual([1, 1, 1])
  for (const said of [err, other.err]) expect(said).toContain('no database of OtpMint')
  expect((await command(['app', 'list', ...at])).code).toBe(0)
})
