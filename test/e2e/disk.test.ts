import { Database } from 'bun:sqlite'
import { afterAll, afterEach, expect, setDefaultTimeout, test } from 'bun:test'
import { closeSync, mkdirSync, openSync, readlinkSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import {
  eventually,
  executable,
  finished,
  killAll,
  run,
  type Server,
  scratch,
  start,
} from '../support/executable.ts'
import { type Answer, adminToken, call, createApp, wrongCode } from './client.ts'
import { type MailSink, mailSink } from './mail-sink.ts'

setDefaultTimeout(60_000)
executable()
const { folder, remove } = scratch()
afterEach(killAll)
afterAll(remove)

type Story = {
  server: Server
  sink: MailSink
  token: string
  key: string
  id: string
  code: string
}

/** A verification that was started before the fault, and its code. */
async function before(server: Server, dataDir: string): Promise<Story> {
  const sink = await mailSink()
  const token = adminToken(dataDir)
  const { liveKey: key } = await createApp(server, token, { port: sink.port })
  const to = 'before@example.com'
  const { json } = await call(`${server.base}/v1/verifications`, { to }, { token: key })
  await eventually(() => sink.to(to).length === 1)
  return { server, sink, token, key, id: json.id ?? '', code: sink.mails[0]?.code ?? '' }
}

/** Sends every kind of request that writes. */
function writesOf({ server, token, key, id, code }: Story): Promise<Answer[]> {
  const url = `${server.base}/v1/verifications`
  return Promise.all([
    call(url, { to: 'during@example.com' }, { token: key }),
    call(`${url}/${id}/check`, { code }, { token: key }),
    call(`${url}/${id}/check`, { code: wrongCode(code) }, { token: key }),
    call(`${url}/${id}/cancel`, {}, { token: key }),
    call(`${server.base}/v1/apps`, { name: 'Another' }, { token }),
    call(`${server.base}/readyz`),
  ])
}

/** Expects 503 with Retry-After and nothing approved or sent during the fault, and success after. */
async function expectRefusal(story: Story, answers: Answer[]): Promise<void> {
  const { server, sink, key, id } = story
  for (const { status, json, headers } of answers) {
    expect([status, json.code]).toEqual([503, 'store_unavailable'])
    expect(headers.get('content-type')).toBe('application/problem+json')
    expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
  }
  // Reads are still answered.
  const read = await call(`${server.base}/v1/verifications/${id}`, undefined, { token: key })
  expect(read.json).toMatchObject({ status: 'pending', attempts_left: 5 })
  expect((await call(`${server.base}/healthz`)).status).toBe(200)
  expect(sink.to('during@example.com')).toEqual([])
}

async function expectRecovery({ server, sink, key, id, code }: Story): Promise<void> {
  await eventually(async () => (await call(`${server.base}/readyz`)).status === 200)
  const url = `${server.base}/v1/verifications`
  const right = await call(`${url}/${id}/check`, { code }, { token: key })
  const to = 'after@example.com'
  const next = await call(url, { to }, { token: key })
  await eventually(() => sink.to(to).length === 1)
  const stopped = await server.stop()
  await sink.close()

  expect(right.json).toMatchObject({ valid: true, attempts_left: 4 })
  expect(next.status).toBe(201)
  // Nothing that was refused has been done.
  expect(sink.to('during@example.com')).toEqual([])
  expect(stopped).toBe(0)
}

/** A shell command that runs the executable with a small disk as its data directory. */
function smallDisk(dataDir: string): string[] {
  mkdirSync(dataDir, { recursive: true })
  const script = `mount -t tmpfs -o size=2m,mode=0700 tmpfs ${dataDir} && exec "$@"`
  return ['unshare', '--mount', '--map-root-user', 'sh', '-c', script, 'sh']
}

test('a full disk answers 503, approves and sends nothing, and recovers', async () => {
  const dataDir = join(folder, 'full')
  const server = await start(
    ['serve'],
    { OTPMINT_DATA_DIR: dataDir },
    { through: smallDisk(dataDir) },
  )
  // The disk exists in the server's mount namespace only.
  const inside = `/proc/${server.pid}/root${dataDir}`
  const story = await before(server, inside)
  fill(join(inside, 'filler'))
  await eventually(async () => (await call(`${server.base}/readyz`)).status === 503)
  const answers = await writesOf(story)
  await expectRefusal(story, answers)
  rmSync(join(inside, 'filler'))

  await expectRecovery(story)
})

test('a disk that takes no more bytes of a file answers 503 and recovers', async () => {
  const dataDir = join(folder, 'limited')
  // With SIGXFSZ ignored, the limit makes writes fail as a full disk does.
  const through = ['sh', '-c', `trap '' XFSZ; exec "$@"`, 'sh']
  const server = await start(['serve'], { OTPMINT_DATA_DIR: dataDir }, { through })
  const story = await before(server, dataDir)
  const limit = (soft: string) =>
    finished(['prlimit', '--pid', `${server.pid}`, `--fsize=${soft}:`])
  expect((await limit('1')).exitCode).toBe(0)
  const answers = await writesOf(story)
  await expectRefusal(story, answers)
  await limit('unlimited')

  await expectRecovery(story)
})

test('a database that another process locks answers 503 and recovers', async () => {
  const dataDir = join(folder, 'locked')
  const server = await start(['serve'], { OTPMINT_DATA_DIR: dataDir })
  const story = await before(server, dataDir)
  const other = new Database(join(dataDir, 'otpmint.db'))
  // The server may be writing at this moment.
  other.run('pragma busy_timeout = 5000')
  other.run('begin immediate')
  const answers = await writesOf(story)
  await expectRefusal(story, answers)
  other.run('rollback')
  other.close()

  await expectRecovery(story)
})

test('a mail whose outcome cannot be written to a full disk has the right code', async () => {
  const dataDir = join(folder, 'sending')
  const through = smallDisk(dataDir)
  const env = { OTPMINT_DATA_DIR: dataDir }
  const server = await start(['serve'], env, { through })
  const inside = `/proc/${server.pid}/root${dataDir}`
  const sink = await mailSink(() => 500)
  const { liveKey } = await createApp(server, adminToken(inside), { port: sink.port })
  const to = 'sending@example.com'
  const url = `${server.base}/v1/verifications`
  const { json } = await call(url, { to }, { token: liveKey })
  await eventually(() => sink.mails.length === 1)
  fill(join(inside, 'filler'))
  await eventually(() => server.stdout().includes('"delivery_not_written"'))
  rmSync(join(inside, 'filler'))
  const checked = await call(
    `${url}/${json.id}/check`,
    { code: sink.mails[0]?.code },
    { token: liveKey },
  )
  await server.stop()
  await sink.close()

  expect(checked.json).toMatchObject({ valid: true })
  expect(new Set(sink.to(to).map(({ code }) => code)).size).toBe(1)
})

test('a stop on a full disk is clean, and acknowledged data is still there', async () => {
  const dataDir = join(folder, 'stopping')
  const env = { OTPMINT_DATA_DIR: dataDir }
  const server = await start(['serve'], env, { through: smallDisk(dataDir) })
  const inside = `/proc/${server.pid}/root${dataDir}`
  const story = await before(server, inside)
  // Another process stays in the namespace, so that the small disk outlives the server.
  const within = ['nsenter', `--target=${server.pid}`, '--user', '--mount']
  const stayed = Bun.spawn([...within, '--preserve-credentials', 'sleep', '60'], {
    stdio: ['ignore', 'ignore', 'ignore'],
  })
  await eventually(() => namespaceOf(stayed.pid) === namespaceOf(server.pid))
  fill(join(inside, 'filler'))
  const stopped = await server.stop()
  rmSync(`/proc/${stayed.pid}/root${dataDir}/filler`)
  const again = await start(['serve'], env, {
    through: ['nsenter', `--target=${stayed.pid}`, ...within.slice(2), '--preserve-credentials'],
  })
  stayed.kill()
  const recovered = { ...story, server: again }

  expect(stopped).toBe(0)
  await expectRecovery(recovered)
})

test('a first start without room for a database fails with that reason', async () => {
  const dataDir = join(folder, 'no-room')
  const env = { PATH: process.env['PATH'] ?? '', OTPMINT_DATA_DIR: dataDir, OTPMINT_PORT: '0' }
  const answers: string[] = []
  for (const size of ['4k', '8k', '64k']) {
    const [unshare = '', ...rest] = smallDisk(dataDir)
    const through = rest.map((word) => word.replace('size=2m', `size=${size}`))
    const command = [unshare, ...through, executable(), 'serve']
    const { stdout, stderr } = await finished(command, env)
    answers.push(stdout + stderr)
  }

  expect(answers).toEqual([
    expect.stringMatching(/^otpmint: .* cannot be written .ENOSPC/),
    expect.stringMatching(/^otpmint: master.key cannot be written .*ENOSPC/),
    expect.stringMatching(/^otpmint: the database .* cannot be opened .SQLITE_FULL/),
  ])
})

test('a data directory on a read-only disk is refused at the start, with the reason', async () => {
  const dataDir = join(folder, 'read-only')
  const env = {
    OTPMINT_DATA_DIR: dataDir,
    OTPMINT_PORT: '0',
    OTPMINT_METRICS_LISTEN: 'off',
    OTPMINT_DASHBOARD_LISTEN: 'off',
  }
  const served = await start(['serve'], env)
  await served.stop()
  const script = `mount --bind ${dataDir} ${dataDir} && mount -o remount,bind,ro ${dataDir} && "$@"`
  const inside = ['unshare', '--mount', '--map-root-user', 'sh', '-c', script, 'sh', executable()]
  const refused = await finished([...inside, 'serve'], { PATH: process.env['PATH'] ?? '', ...env })
  const doctor = await finished([...inside, 'doctor'], { PATH: process.env['PATH'] ?? '', ...env })
  const writable = await run(['doctor'], env)

  expect(refused.exitCode).toBe(78)
  expect(refused.stderr).toContain(`data directory ${dataDir} cannot be written`)
  expect(refused.stdout).toBe('')
  expect(doctor.exitCode).toBe(1)
  expect(writable.exitCode).toBe(0)
})

function namespaceOf(pid: number): string {
  return readlinkSync(`/proc/${pid}/ns/mnt`)
}

/** Fills the disk, at last byte by byte. */
function fill(path: string): void {
  const file = openSync(path, 'w')
  for (const size of [65_536, 4096, 1]) {
    const chunk = Buffer.alloc(size)
    try {
      while (writeSync(file, chunk) === size) {}
    } catch {}
  }
  closeSync(file)
}
