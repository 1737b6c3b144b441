import { afterAll, afterEach, expect, setDefaultTimeout, test } from 'bun:test'
import { join } from 'node:path'
import { eventually, executable, killAll, run, scratch, start } from '../support/executable.ts'
import { mailServer } from '../support/smtp.ts'
import { adminToken, call, codeOf } from './client.ts'

// Routes through the executable: a gateway and a mail server, each with its own recipient.
setDefaultTimeout(60_000)
executable()
const { folder, remove } = scratch()
const ends: (() => unknown)[] = []
afterEach(async () => {
  await killAll()
  for (const end of ends.splice(0)) await end()
})
afterAll(remove)

const secret = `whsec_${Buffer.alloc(32, 1).toString('base64')}`

/** A gateway that answers with this status. */
function gateway(status: number) {
  const got: { to: string; code: string }[] = []
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      got.push((await request.json()) as { to: string; code: string })
      return new Response(null, { status })
    },
  })
  ends.push(() => server.stop(true))
  return { got, url: `http://127.0.0.1:${server.port}/otp` }
}

/** An installation whose app sends through its gateway, and by mail after 5 s. */
async function install(name: string, status: number) {
  const mail = await mailServer()
  ends.push(mail.close)
  const gate = gateway(status)
  const dataDir = join(folder, name)
  const env = { OTPMINT_DATA_DIR: dataDir, OTPMINT_EGRESS_ALLOW: '127.0.0.1' }
  const policy = ['--channels', 'webhook,email', '--fallback-after-seconds', '5']
  const waits = ['--check-delays', '0,0,3']
  const server = ['--smtp-host', '127.0.0.1', '--smtp-port', String(mail.port)]
  const from = ['--smtp-from', 'codes@acme.test', '--smtp-security', 'none', '--smtp-no-login']
  const make = ['app', 'create', 'Acme', ...policy, ...waits, ...server, ...from, '--json']
  const started = await start(['serve'], env)
  const made = await run([...make, '--data-dir', dataDir], env)
  if (made.exitCode !== 0) throw new Error(made.stderr)
  const app = JSON.parse(made.stdout)
  const add = ['endpoint', 'add', app.id, '--webhook-url', gate.url, '--webhook-secret-file', '-']
  const added = await run([...add, '--data-dir', dataDir], env, { stdin: secret })
  if (added.exitCode !== 0) throw new Error(added.stderr)
  const ask = async (path: string, body?: unknown, base = started.base) => {
    const options = { token: app.live_key, headers: { prefer: 'wait=10' } }
    return call(`${base}/v1/verifications${path}`, body, options)
  }
  return { mail, gate, app, env, dataDir, started, ask }
}

const to = { webhook: 'gus@example.org', email: 'ada@example.com' }

test('the same code reaches a person by mail after their gateway refused it, and is approved once', async () => {
  const { mail, gate, ask, app, started, dataDir } = await install('refused', 400)
  const token = adminToken(dataDir)
  const own = await call(`${started.base}/v1/apps/${app.id}`, undefined, { token })
  const channels = ['webhook', 'email']
  expect(own.json['policy']).toMatchObject({ channels, fallback_after_seconds: 5 })

  const begun = await ask('', { to })
  expect([begun.status, begun.json]).toMatchObject([
    201,
    {
      ...{ delivery: { status: 'sent' } },
      route: [
        { channel: 'webhook', to: 'g***@example.org' },
        { channel: 'email', to: 'a***@example.com' },
      ],
      next: { resend: { channels: ['webhook', 'email'] } },
    },
  ])
  expect(gate.got.map((message) => message.to)).toEqual(['gus@example.org'])
  expect(mail.arrived.map(({ recipients }) => recipients)).toEqual([['ada@example.com']])
  const code = codeOf(mail.arrived[0]?.raw ?? '')
  expect(code).toBe(gate.got[0]?.code ?? '')

  const { id } = begun.json
  const shown = await ask(`/${id}`)
  expect(shown.json).toMatchObject({ channel: 'email', to: 'a***@example.com' })
  expect(shown.json.deliveries).toMatchObject([
    { channel: 'webhook', status: 'refused' },
    { channel: 'email', status: 'sent' },
  ])
  const checks = await Promise.all([1, 2, 3].map(() => ask(`/${id}/check`, { code })))
  expect(checks.filter(({ json }) => json.valid === true)).toHaveLength(1)
  expect(checks.filter(({ json }) => json.code === 'verification_used')).toHaveLength(2)
})

test('without an approval the mail follows after 5 s, also over kill -9, and a resend goes back', async () => {
  const { mail, gate, ask, env, started } = await install('waiting', 200)
  const begun = await ask('', { to })
  await eventually(() => gate.got.length === 1, 5_000)
  expect(begun.json).toMatchObject({ channel: 'webhook', delivery: { status: 'sent' } })
  expect(mail.arrived).toEqual([])

  await started.kill()
  const { base } = await start(['serve'], env)
  await eventually(() => mail.arrived.length === 1, 15_000)

  const code = codeOf(mail.arrived[0]?.raw ?? '')
  expect(code).toBe(gate.got[0]?.code ?? '')
  const { id } = begun.json
  const early = await ask(`/${id}/resend`, { channel: 'webhook' }, base)
  expect([early.status, early.json.code]).toEqual([429, 'resend_too_early'])
  const wrong = code.startsWith('0') ? `1${code.slice(1)}` : `0${code.slice(1)}`
  const checked = [
    await ask(`/${id}/check`, { code: wrong }, base),
    await ask(`/${id}/check`, { code: wrong }, base),
    await ask(`/${id}/check`, { code }, base),
  ]
  expect(checked.map(({ status, json }) => [status, json.attempts_left ?? json.code])).toEqual([
    [200, 4],
    [200, 3],
    [429, 'check_too_early'],
  ])
  expect(Number(checked[2]?.headers.get('retry-after'))).toBeLessThanOrEqual(3)
  await Bun.sleep(3_100)
  const approved = await ask(`/${id}/check`, { code }, base)
  expect(approved.json).toMatchObject({ valid: true, status: 'approved', next: { check: null } })
  expect([gate.got.length, mail.arrived.length]).toEqual([1, 1])
})
