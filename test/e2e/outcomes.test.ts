import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { chmodSync, copyFileSync, writeFileSync } from 'node:fs'
import { eventually, executable, killAll, scratch, start } from '../support/executable.ts'
import {
  type Certificate,
  makeCertificate,
  type ScriptedServer,
  scriptedServer,
} from '../support/smtp.ts'
import { adminToken, call, createApp } from './client.ts'
import { type Postfix, startPostfix } from './postfix.ts'

setDefaultTimeout(60_000)
executable()
const { folder, remove } = scratch()
let certificate: Certificate
let postfix: Postfix | null = null
/** The server of a mailbox that is gone, behind Postfix. */
let behind: ScriptedServer

beforeAll(async () => {
  behind = await scriptedServer({ 'RCPT TO': '550 5.1.1 mailbox gone' })
  certificate = makeCertificate()
  // Postfix runs the command as another user.
  chmodSync(folder, 0o755)
})
afterEach(async () => {
  await killAll()
  await postfix?.close()
  postfix = null
})
afterAll(() => {
  behind.close()
  certificate.remove()
  remove()
})

/** A server, and a Postfix that pipes returned mail into `otpmint bounce`, with an app that uses it. */
async function install(name: string, reportsTo?: string) {
  const dataDir = `${folder}/${name}`
  const spacing = { OTPMINT_LIMIT_RECIPIENT_SPACING_SECONDS: '1' }
  const server = await start(['serve'], { OTPMINT_DATA_DIR: dataDir, ...spacing })
  const { base } = server
  const token = adminToken(dataDir)
  const program = `${folder}/otpmint`
  copyFileSync(executable(), program)
  chmodSync(program, 0o755)
  const keyFile = `${folder}/${name}.key`
  const argv = [program, 'bounce', '--public-url', reportsTo ?? base, '--key-file', keyFile]
  const returning = { mailbox: 'late@example.com', port: behind.port, domain: 'acme.test', argv }
  postfix = await startPostfix(certificate, null, returning)
  const app = await createApp({ base }, token, { port: postfix.port })
  const key = await call(`${base}/v1/apps/${app.id}/keys`, { mode: 'inbound' }, { token })
  writeFileSync(keyFile, `${key.json['key']}\n`)
  chmodSync(keyFile, 0o644)
  const admin = (path: string) => call(`${base}/v1/apps/${app.id}/${path}`, undefined, { token })
  return {
    ...{ ...server, token, app, postfix },
    send: (to: string) => {
      const waits = { token: app.liveKey, headers: { prefer: 'wait=10' } }
      return call(`${base}/v1/verifications`, { to }, waits)
    },
    shown: async (id: unknown) =>
      (await call(`${base}/v1/verifications/${id}`, undefined, { token: app.liveKey })).json,
    suppressions: async () => (await admin('suppressions')).json.items ?? [],
  }
}

test('an address that Postfix refuses is suppressed: the next mail is refused without a connection', async () => {
  const { send, shown, suppressions, postfix } = await install('refused')

  const refused = await send('ghost@example.com')
  await Bun.sleep(1_100)
  const again = await send('ghost@example.com')

  expect(refused.json.delivery).toMatchObject({ status: 'refused' })
  expect(refused.json.delivery?.detail).toMatch(/^550 5\.1\.1 <<recipient>>/)
  expect([again.status, again.json.delivery]).toEqual([
    201,
    { status: 'refused', detail: 'suppressed' },
  ])
  const [delivery] = (await shown(again.json.id)).deliveries ?? []
  expect(delivery?.tries).toMatchObject([{ status: 'refused', cause: 'recipient', endpoint: null }])
  expect(await suppressions()).toMatchObject([
    { to: 'g***@example.com', cause: 'refused', code: '550 5.1.1' },
  ])
  expect(postfix.log().match(/reject: RCPT from/g)).toHaveLength(1)
  expect((await send('user@example.com')).json.delivery?.status).toBe('sent')
})

test('/otp answers 400 for a suppressed address', async () => {
  const { base, token, postfix } = await install('original')
  await call(
    `${base}/reg_secretkey`,
    {
      ...{ secretKey: 'my_app_key', smtp_host: '127.0.0.1', smtp_port: postfix.port },
      ...{ smtp_mail: 'no-reply@acme.test', smtp_password: 'none', smtp_security: 'none' },
    },
    { token },
  )
  const otp = () => call(`${base}/otp`, { mail: 'ghost@example.com', secretKey: 'my_app_key' })

  const first = await otp()
  await Bun.sleep(1_100)
  const second = await otp()

  expect([first.status, first.text]).toEqual([400, expect.stringContaining('5.1.1')])
  expect([second.status, second.text]).toEqual([400, 'Error: The mail was not sent: suppressed'])
  expect(postfix.log().match(/reject: RCPT from/g)).toHaveLength(1)
})

test('a mail that Postfix returns goes through its pipe: it is shown as bounced, its address suppressed', async () => {
  const { base, token, send, shown, suppressions, postfix } = await install('returned')

  const sent = await send('late@example.com')
  const isBounced = async () => (await shown(sent.json.id)).delivery?.status === 'bounced'
  await eventually(isBounced)
  await Bun.sleep(1_100)
  const again = await send('late@example.com')

  expect(sent.json.delivery?.status).toBe('sent')
  const { status, deliveries } = await shown(sent.json.id)
  expect(status).toBe('pending')
  expect(deliveries).toMatchObject([{ status: 'bounced', tries: [{ status: 'sent' }] }])
  expect(again.json.delivery).toEqual({ status: 'refused', detail: 'suppressed' })
  expect(await suppressions()).toMatchObject([
    { to: 'l***@example.com', cause: 'bounced', code: '550 5.1.1' },
  ])
  const events = await call(`${base}/v1/events?type=delivery.bounced`, undefined, { token })
  expect(events.json.items).toMatchObject([{ verification: sent.json.id }])
  await eventually(() => /relay=returned, .*status=sent/.test(postfix.log()))
})

test('while the server does not answer, Postfix keeps the mail that it returns', async () => {
  const { send, shown, postfix } = await install('down', 'http://127.0.0.1:9')

  const sent = await send('late@example.com')
  await eventually(() => /relay=returned, .*status=/.test(postfix.log()))

  expect(postfix.log()).toMatch(/relay=returned, .*status=deferred .*nothing answers/)
  expect((await shown(sent.json.id)).delivery?.status).toBe('sent')
})
