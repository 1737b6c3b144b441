import { Database } from 'bun:sqlite'
import { afterAll, afterEach, expect, setDefaultTimeout, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createCanary } from '../support/canary.ts'
import { eventually, executable, killAll, scratch, start } from '../support/executable.ts'
import { scriptedServer } from '../support/smtp.ts'
import { play, quoted, secrets } from './canary-scenario.ts'
import { adminToken, call, createApp } from './client.ts'
import { mailSink } from './mail-sink.ts'

setDefaultTimeout(90_000)
executable()
const { folder, remove } = scratch()
afterEach(killAll)
afterAll(remove)

/** The files that contain secrets by design. */
const keyFiles = /^(master\.key|admin\.token)/
const sockets = /\.sock$/

function filesOf(dataDir: string): [name: string, content: Uint8Array][] {
  const names = readdirSync(dataDir).filter((name) => {
    return !keyFiles.test(name) && !sockets.test(name)
  })
  return names.map((name) => [name, readFileSync(join(dataDir, name))])
}

test.each([
  ['production', 'false'],
  ['developer', 'true'],
])(
  'in %s mode no secret appears in an answer, a log, a metric, a file or a backup',
  async (mode, developer) => {
    const dataDir = join(folder, mode)
    const env = {
      OTPMINT_DATA_DIR: dataDir,
      OTPMINT_DEVELOPER_MODE: developer,
      OTPMINT_METRICS_LISTEN: '127.0.0.1:0',
      OTPMINT_LOG_LEVEL: 'debug',
      OTPMINT_EGRESS_ALLOW: '127.0.0.0/8',
      OTPMINT_CODE_LENGTH: '10',
      OTPMINT_RESEND_AFTER_SECONDS: '5',
      OTPMINT_LIMIT_IP_FAILURES_PER_MINUTE: '1000',
    }
    const canary = createCanary()
    const server = await start(['serve'], env)
    await eventually(() => server.metricsUrl() !== '')
    const token = adminToken(dataDir)
    guardAll(canary, token, readFileSync(join(dataDir, 'master.key'), 'utf8'))
    const page = `https://mail.acme.test/?to=${encodeURIComponent(quoted)}`
    const recipient = await scriptedServer({
      'RCPT TO': `550 5.1.1 <${quoted.toUpperCase()}> unknown, see ${page}`,
    })
    const response = Buffer.from(`\0codes\0${secrets.password}`).toString('base64')
    const login = await scriptedServer({
      EHLO: '250-mail.acme.test\r\n250 AUTH PLAIN LOGIN',
      AUTH: `535 5.7.8 wrong: ${secrets.password} ${response}`,
    })
    const sink = await mailSink()
    const quotesMessage = await mailSink(
      () => 0,
      ({ code, headerTo }) => `5.7.1 spam: "${code} is your Acme code" for ${headerTo}`,
    )
    const mail = { sink, quotesMessage, quotesRecipient: recipient.port, quotesLogin: login.port }
    const backupFile = join(folder, `${mode}.backup`)
    await play({ canary, server, env, token, mail, backupFile })

    for (const [name, content] of filesOf(dataDir)) canary.see(name, content, ['metadata'])
    const stopped = await server.stop()
    for (const [name, content] of filesOf(dataDir))
      canary.see(`${name} at rest`, content, ['metadata'])
    canary.see('the backup', readFileSync(backupFile), ['metadata'])
    canary.see('stdout of the server', server.stdout())
    canary.see('stderr of the server', server.stderr())
    guardAll(canary, token, readFileSync(join(dataDir, 'master.key'), 'utf8'))
    for (const { raw, code, headerTo } of [...sink.mails, ...quotesMessage.mails]) {
      const withoutItsOwn = raw.replaceAll(code, '').replaceAll(headerTo, '')
      canary.see('a mail', withoutItsOwn, ['code', 'variable'])
    }
    await Promise.all([sink.close(), quotesMessage.close(), recipient.close(), login.close()])

    expect(canary.hits()).toEqual([])
    expect(stopped).toBe(0)
    expect(sink.mails.length).toBeGreaterThan(3)
    expect(canary.seen().texts).toBeGreaterThan(200)
    expect(server.stdout()).toContain('"level":"debug"')
  },
)

test('an address that is no longer needed is in no page of the database, not even sealed', async () => {
  const dataDir = join(folder, 'forgotten')
  const env = { OTPMINT_DATA_DIR: dataDir }
  const server = await start(['serve'], env)
  const sink = await mailSink()
  const { liveKey: token } = await createApp(server, adminToken(dataDir), { port: sink.port })
  const url = `${server.base}/v1/verifications`
  const ids: string[] = []
  for (let index = 0; index < 20; index++) {
    const to = `${'p'.repeat(index)}${index}@example.com`
    const { json } = await call(url, { to }, { token, headers: { prefer: 'wait=5' } })
    ids.push(json.id ?? '')
  }
  const canary = createCanary()
  const sealed = new Database(join(dataDir, 'otpmint.db'), { readonly: true })
  const rows = sealed.query<Sealed, []>('select recipient_sealed, code_digest from verifications')
  rows.all().forEach((row, index) => {
    canary.guard(`sealed address ${index}`, row.recipient_sealed)
    canary.guard(`code digest ${index}`, row.code_digest)
  })
  sealed.close()
  for (const [index, id] of ids.entries()) {
    if (index === 19) continue
    const isCheck = index % 2 === 0
    const body = isCheck ? { code: sink.mails[index]?.code } : {}
    await call(`${url}/${id}/${isCheck ? 'check' : 'cancel'}`, body, { token })
  }
  await server.stop()
  await sink.close()
  for (const [name, content] of filesOf(dataDir)) canary.see(name, content)

  // The last one is pending, which shows that the search would find the others.
  expect(canary.hits()).toEqual(['sealed address 19 in otpmint.db', 'code digest 19 in otpmint.db'])
})

type Sealed = { recipient_sealed: Uint8Array; code_digest: Uint8Array }

function guardAll(canary: ReturnType<typeof createCanary>, token: string, masterKey: string): void {
  canary.guard('address', secrets.localPart)
  canary.guard('password', secrets.password)
  canary.guard('new password', secrets.newPassword)
  canary.guard('secretKey', secrets.secretKey)
  canary.guard('metadata', secrets.metadata)
  canary.guard('variable', secrets.variable)
  canary.guard('idempotency key', secrets.idempotencyKey)
  canary.guard('client address', secrets.clientAddress)
  canary.guard('admin token', token)
  canary.guard('master key', masterKey.trim())
  canary.guard('bytes of the master key', Buffer.from(masterKey.trim(), 'base64'))
}
