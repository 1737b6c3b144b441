import { Database } from 'bun:sqlite'
import { afterAll, afterEach, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  type Environment,
  eventually,
  executable,
  killAll,
  run,
  type Server,
  scratch,
  start,
} from '../support/executable.ts'
import { adminToken, call, createApp, type Json } from './client.ts'
import { random } from './kill-load.ts'
import { type MailSink, mailSink } from './mail-sink.ts'

setDefaultTimeout(60_000)
executable()
const { folder, remove } = scratch()
afterEach(killAll)
afterAll(remove)

type Installation = {
  env: Environment
  dataDir: string
  server: Server
  sink: MailSink
  key: string
}

async function install(name: string, extra: Environment = {}): Promise<Installation> {
  const dataDir = join(folder, name)
  const env = { OTPMINT_DATA_DIR: dataDir, ...extra }
  const server = await start(['serve'], env)
  const sink = await mailSink()
  const { liveKey } = await createApp(server, adminToken(dataDir), { port: sink.port })
  return { env, dataDir, server, sink, key: liveKey }
}

type Minted = { id: string; code: string }

async function mint({ server, sink, key }: Installation, to: string): Promise<Minted> {
  const { json } = await call(`${server.base}/v1/verifications`, { to }, { token: key })
  await eventually(() => sink.to(to).length > 0)
  return { id: json.id ?? '', code: sink.to(to)[0]?.code ?? '' }
}

async function check({ base }: Server, token: string, { id, code }: Minted): Promise<Json> {
  return (await call(`${base}/v1/verifications/${id}/check`, { code }, { token })).json
}

test('a second server on the same data directory is refused, and names the process that has it', async () => {
  const { env, dataDir, server } = await install('held')
  const second = await run(['serve', '--port', '0'], env)
  const healthy = await call(`${server.base}/readyz`)

  expect([second.exitCode, second.stdout]).toEqual([1, ''])
  expect(second.stderr).toBe(
    `otpmint: another otpmint (pid ${server.pid}) holds the data directory ${dataDir}: ` +
      'stop it, or name another directory\n',
  )
  expect(healthy.status).toBe(200)
})

test('a wrong master key and none at all end with 78 and say what is missing', async () => {
  const { env, dataDir, server } = await install('keys')
  await server.stop()
  const keyFile = join(dataDir, 'master.key')
  const right = readFileSync(keyFile, 'utf8')
  const other = (await run(['key', 'generate'], {})).stdout
  writeFileSync(keyFile, other, { mode: 0o600 })
  const wrong = await run(['serve'], env)
  await Bun.file(keyFile).delete()
  const none = await run(['serve'], env)
  const isMade = await Bun.file(keyFile).exists()
  writeFileSync(keyFile, right, { mode: 0o600 })
  const again = await start(['serve'], env)

  expect(wrong.exitCode).toBe(78)
  expect(wrong.stderr).toStartWith("otpmint: the master key is not this database's: key id ")
  expect(wrong.stderr).toMatch(/: key id [0-9a-f]{8} is needed, [0-9a-f]{8} was given\n$/)
  expect(none.exitCode).toBe(78)
  expect(none.stderr).toMatch(/master key/)
  expect(isMade).toBe(false)
  for (const secret of [right, other]) expect(wrong.stderr).not.toContain(secret.trim())
  expect(await again.stop()).toBe(0)
})

test('rotating the key under load leaves live codes valid and makes the old key useless', async () => {
  const installation = await install('rotated')
  const { env, dataDir, server, key, sink } = installation
  const keyFile = join(dataDir, 'master.key')
  const old = readFileSync(keyFile, 'utf8')
  const before = await mint(installation, 'before@example.com')
  const early = await mint(installation, 'early@example.com')

  let count = 0
  const statuses: unknown[] = []
  const rotation = { runs: true }
  const load = (async () => {
    while (rotation.runs) {
      const minted = await mint(installation, `during${count++}@example.com`)
      statuses.push((await check(server, key, minted)).valid)
    }
  })()
  const rotated = await run(['key', 'rotate', '--json'], env)
  rotation.runs = false
  await load
  const stillValid = await check(server, key, before)
  const after = await mint(installation, 'after@example.com')
  const exited = await server.stop()

  const oldFile = join(folder, 'old.key')
  writeFileSync(oldFile, old, { mode: 0o600 })
  const refused = await run(['serve'], { ...env, OTPMINT_MASTER_KEY_FILE: oldFile })
  const again = await start(['serve'], env)
  const checks = [await check(again, key, after), await check(again, key, early)]
  const sent = await mint({ ...installation, server: again }, 'restarted@example.com')
  await sink.close()

  expect(rotated.exitCode, rotated.stderr).toBe(0)
  expect(JSON.parse(rotated.stdout)).toMatchObject({ renewed: 1 })
  expect(readFileSync(keyFile, 'utf8')).not.toBe(old)
  expect(count).toBeGreaterThan(5)
  expect(new Set(statuses)).toEqual(new Set([true]))
  expect(stillValid.valid).toBe(true)
  expect(exited).toBe(0)
  expect(refused.exitCode).toBe(78)
  expect(checks.map(({ valid }) => valid)).toEqual([true, true])
  expect(sent.code).toMatch(/^\d{6}$/)
})

test('a backup of a running server, restored elsewhere, revives no code', async () => {
  const installation = await install('backed-up')
  const { env, dataDir, server, key, sink } = installation
  const pending = await mint(installation, 'pending@example.com')
  const used = await mint(installation, 'used@example.com')
  await check(server, key, used)
  const file = join(folder, 'backup.db')
  const backedUp = await run(['backup', file], env)
  // Used after the backup was made: a restore must not make it valid again.
  const checked = await check(server, key, pending)
  await server.stop()

  const elsewhere = {
    OTPMINT_DATA_DIR: join(folder, 'restored'),
    OTPMINT_MASTER_KEY_FILE: join(dataDir, 'master.key'),
  }
  const restored = await run(['restore', file, '--json'], elsewhere)
  const mails = sink.mails.length
  const second = await start(['serve'], elsewhere)
  const answers = [await check(second, key, pending), await check(second, key, used)]
  const minted = await mint({ ...installation, server: second }, 'next@example.com')
  const right = await check(second, key, minted)
  const verified = await run(['audit', 'verify'], elsewhere)
  await second.stop()
  await sink.close()

  expect(backedUp.exitCode, backedUp.stderr).toBe(0)
  expect(checked.valid).toBe(true)
  expect(JSON.parse(restored.stdout)).toMatchObject({ expired: 1, kept_aside: null })
  expect(answers.map(({ code }) => code)).toEqual(['verification_expired', 'verification_used'])
  expect(right.valid).toBe(true)
  expect(sink.mails).toHaveLength(mails + 1)
  expect([verified.exitCode, verified.stdout]).toEqual([0, expect.stringContaining('unbroken')])
})

test('an unchanged audit log verifies, and an edited record is found', async () => {
  const { env, dataDir, server } = await install('audit')
  const during = await run(['audit', 'verify', '--json'], env)
  await server.stop()
  const database = new Database(join(dataDir, 'otpmint.db'))
  database.run("update audit set detail = 'name Mallory' where id = 2")
  database.close()
  const after = await run(['audit', 'verify', '--json'], env)

  expect(during.exitCode).toBe(0)
  expect(JSON.parse(during.stdout)).toMatchObject({ ok: true, records: 2 })
  expect(after.exitCode).toBe(1)
  const fault = 'record 2 was changed, or the one before it'
  expect(JSON.parse(after.stdout)).toMatchObject({ ok: false, records: 1, fault })
})

test('a first start that is killed at any moment leaves a directory that starts', async () => {
  for (let round = 0; round < 12; round++) {
    const dataDir = join(folder, `first-${round}`)
    mkdirSync(dataDir)
    const child = Bun.spawn([executable(), 'serve'], {
      env: {
        OTPMINT_DATA_DIR: dataDir,
        OTPMINT_PORT: '0',
        OTPMINT_METRICS_LISTEN: 'off',
        OTPMINT_DASHBOARD_LISTEN: 'off',
      },
      stdio: ['ignore', 'ignore', 'ignore'],
    })
    await Bun.sleep(random(80))
    child.kill('SIGKILL')
    await child.exited

    const server = await start(['serve'], { OTPMINT_DATA_DIR: dataDir })
    const app = await createApp(server, adminToken(dataDir), { port: 25 })
    expect(await server.stop()).toBe(0)
    expect(app.liveKey).toStartWith('otpm_live_')
  }
})
