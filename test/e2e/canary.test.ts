import { afterAll, afterEach, expect, setDefaultTimeout, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createCanary } from '../support/canary.ts'
import { eventually, executable, killAll, scratch, start } from '../support/executable.ts'
import { scriptedServer } from '../support/smtp.ts'
import { dumpOf, isOverPostgres, masterKeyOf, postgresLog } from '../support/story-store.ts'
import { play, quoted, secrets } from './canary-scenario.ts'
import { adminToken } from './client.ts'
import { filesOf } from './data-files.ts'
import { mailSink } from './mail-sink.ts'

setDefaultTimeout(90_000)
executable()
const { folder, remove } = scratch()
afterEach(killAll)
afterAll(remove)

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
    guardAll(canary, token, await masterKey(dataDir))
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
    if (isOverPostgres) {
      canary.see('the database', await dumpOf(dataDir), ['metadata'])
      canary.see("the database's log", postgresLog())
    } else {
      canary.see('the backup', readFileSync(backupFile), ['metadata'])
    }
    canary.see('stdout of the server', server.stdout())
    canary.see('stderr of the server', server.stderr())
    guardAll(canary, token, await masterKey(dataDir))
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

/** The master key of a data directory, or over PostgreSQL of its database. */
async function masterKey(dataDir: string): Promise<string> {
  if (isOverPostgres) return masterKeyOf(dataDir)
  return readFileSync(join(dataDir, 'master.key'), 'utf8')
}

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
