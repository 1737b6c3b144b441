import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { eventually, executable, killAll, scratch, start } from '../support/executable.ts'
import { type Certificate, mailServer, makeCertificate, scriptedServer } from '../support/smtp.ts'
import { adminToken, call, codeOf, wrongCode } from './client.ts'
import { type Postfix, startPostfix } from './postfix.ts'

setDefaultTimeout(30_000)
executable()
const { folder, remove } = scratch()
const login = { user: 'no-reply@example.com', password: 'email_password' }
let certificate: Certificate
let postfix: Postfix

beforeAll(async () => {
  certificate = makeCertificate()
  postfix = await startPostfix(certificate, login)
})
afterEach(killAll)
afterAll(async () => {
  await postfix.close()
  certificate.remove()
  remove()
})

let installations = 0

/** A server that trusts Postfix's authority, and the requests of the original README. */
async function install(env: Record<string, string> = {}) {
  const dataDir = `${folder}/${++installations}`
  const trust = { NODE_EXTRA_CA_CERTS: certificate.caFile }
  const server = await start(['serve'], { OTPMINT_DATA_DIR: dataDir, ...trust, ...env })
  const token = adminToken(dataDir)
  const registration = {
    secretKey: 'my_app_key',
    smtp_host: 'localhost',
    smtp_port: postfix.port,
    smtp_mail: 'no-reply@example.com',
    smtp_password: 'email_password',
  }
  const post = (path: string, body: unknown) => call(`${server.base}${path}`, body)
  return {
    ...server,
    dataDir,
    post,
    register: (change: object = {}) =>
      call(`${server.base}/reg_secretkey`, { ...registration, ...change }, { token }),
    otp: (mail: string) => post('/otp', { mail, secretKey: 'my_app_key' }),
    verify: (shareableKey: string, otp: string) => post('/verify-otp', { shareableKey, otp }),
  }
}

/** The code of the latest mail that Postfix relayed to somebody. */
async function mailedCode(recipient: string, { arrived }: Postfix, count = 1): Promise<string> {
  const mails = () => arrived.filter(({ recipients }) => recipients[0] === recipient)
  await eventually(() => mails().length >= count)
  return codeOf(mails().at(-1)?.raw ?? '')
}

test("the original README's three calls answer word for word, through a real Postfix", async () => {
  const { register, otp, verify } = await install()
  const registered = await register()
  const sent = await otp('user@example.com')
  const code = await mailedCode('user@example.com', postfix)
  const wrong = await verify(sent.text, wrongCode(code))
  const right = await verify(sent.text, code)
  const again = await verify(sent.text, code)
  const [mail] = postfix.arrived

  expect([registered.status, registered.text]).toEqual([
    200,
    'Registration of secretKey succeeded.',
  ])
  expect([sent.status, sent.text]).toEqual([200, expect.stringMatching(/^[0-9A-Za-z]{30}$/)])
  expect([wrong.status, wrong.text]).toEqual([403, 'OTP Mismatched!'])
  expect([right.status, right.text]).toEqual([201, 'OTP Matched!'])
  expect([again.status, again.text]).toEqual([400, expect.stringMatching(/^Error: /)])
  expect(mail?.recipients).toEqual(['user@example.com'])
  expect(mail?.raw).toContain('with ESMTPSA')
  expect(postfix.log()).toContain('sasl_username=no-reply@example.com')
})

test('five wrong codes end a verification: Maximum Attempts Reached!', async () => {
  const { register, otp, verify } = await install()
  await register()
  const sent = await otp('second@example.com')
  const code = await mailedCode('second@example.com', postfix)
  const answers: [number, string][] = []
  for (const typed of [...Array(5).fill(wrongCode(code)), code, wrongCode(code)]) {
    const { status, text } = await verify(sent.text, typed)
    answers.push([status, text])
  }

  expect(answers).toEqual([
    ...Array(5).fill([403, 'OTP Mismatched!']),
    [400, 'Maximum Attempts Reached!'],
    [400, 'Maximum Attempts Reached!'],
  ])
})

test('a taken secretKey is refused, and still belongs to its first app', async () => {
  const { register, otp, verify } = await install()
  await register()
  const other = await mailServer()
  const change = { smtp_host: '127.0.0.1', smtp_port: other.port, smtp_security: 'none' }
  const taken = await register(change)
  const before = postfix.arrived.length
  const sent = await otp('user@example.com')
  await eventually(() => postfix.arrived.length > before)
  const right = await verify(sent.text, codeOf(postfix.arrived.at(-1)?.raw ?? ''))
  await other.close()

  expect([taken.status, taken.text]).toEqual([400, expect.stringMatching(/^Error: .*taken/)])
  expect(other.arrived).toEqual([])
  expect([right.status, right.text]).toEqual([201, 'OTP Matched!'])
})

test('registration is closed without the token, and with a wrong one', async () => {
  const { base } = await install()
  const body = { secretKey: 'my_app_key', smtp_host: 'localhost' }
  const answers = [
    await call(`${base}/reg_secretkey`, body),
    await call(`${base}/reg_secretkey`, body, { token: 'otpm_admin_wrong' }),
  ]

  expect(answers.map(({ status }) => status)).toEqual([401, 401])
  for (const { text } of answers) expect(text).toMatch(/^Error: /)
})

test("a refusal by Postfix is answered in Postfix's words, without a shareable key", async () => {
  const { register, otp } = await install()
  await register()
  const refused = await otp('nobody@example.com')

  expect(refused.status).toBe(400)
  expect(refused.text).toMatch(/^Error: .*550 5\.1\.1 .*Recipient address rejected/)
  expect(refused.text).not.toContain('nobody')
})

test('a wrong password is refused by Postfix, and the answer says so without it', async () => {
  const { register, otp, stdout } = await install()
  await register({ smtp_password: 'not-the-password' })
  const refused = await otp('user@example.com')

  expect(refused.status).toBe(400)
  expect(refused.text).toMatch(/^Error: .*535 5\.7\.8/)
  expect(refused.text + stdout()).not.toContain('not-the-password')
})

test('a Postfix as Debian installs it takes the mail in plain text over loopback', async () => {
  const debian = await startPostfix(certificate, null)
  try {
    const { register, otp, verify } = await install({ NODE_EXTRA_CA_CERTS: '' })
    await register({ smtp_port: debian.port })

    const sent = await otp('user@example.com')
    const right = await verify(sent.text, await mailedCode('user@example.com', debian))

    expect([right.status, right.text]).toEqual([201, 'OTP Matched!'])
    expect(debian.arrived.map(({ raw }) => /with (E?SMTPS?A?) /.exec(raw)?.[1])).toEqual(['ESMTP'])
    // It was asked for encryption first.
    expect(debian.log()).toContain('starttls=0/1')
  } finally {
    await debian.close()
  }
})

test('no mail is sent to a server whose certificate is not trusted', async () => {
  const { register, otp } = await install({ NODE_EXTRA_CA_CERTS: '' })
  await register({ smtp_security: 'starttls' })
  const before = postfix.arrived.length
  const refused = await otp('user@example.com')

  expect(refused.status).toBe(400)
  expect(refused.text).toMatch(/^Error: .*certificate of localhost is not trusted/)
  expect(postfix.arrived).toHaveLength(before)
})

test('with its shareable key an address gets the same code again', async () => {
  const { otp, post, register, verify } = await install({ OTPMINT_RESEND_AFTER_SECONDS: '5' })
  await register()
  const before = postfix.arrived.length
  const sent = await otp('user@example.com')
  const body = { mail: 'user@example.com', secretKey: 'my_app_key', shareableKey: sent.text }
  const early = await post('/otp', body)
  await eventually(async () => (await post('/otp', body)).status === 200)
  await eventually(() => postfix.arrived.length === before + 2)
  const codes = postfix.arrived.slice(before).map(({ raw }) => codeOf(raw))
  const right = await verify(sent.text, codes[0] ?? '')

  expect([early.status, early.headers.get('retry-after')]).toEqual([429, expect.any(String)])
  expect(codes[1]).toBe(codes[0])
  expect([right.status, right.text]).toEqual([201, 'OTP Matched!'])
})

test('a mail server that asks for a short wait is tried again before /otp answers', async () => {
  const later = '451 4.3.0 try again in 3 seconds'
  const busy = await scriptedServer(({ number }) => {
    return number === 1 ? { 'RCPT TO': [later, '250 ok'] } : {}
  })
  const { register, otp } = await install()
  await register({ smtp_host: '127.0.0.1', smtp_port: busy.port })

  const sent = await otp('user@example.com')

  expect([sent.status, sent.text]).toEqual([200, expect.stringMatching(/^[0-9A-Za-z]{30}$/)])
  expect(busy.commands.filter((line) => line.startsWith('RCPT TO'))).toHaveLength(2)
  expect(busy.commands.at(-1)).toBe('.')
  busy.close()
})

test('a mail server that asks for a long wait is not waited for, and the code is canceled', async () => {
  const greylisting = await scriptedServer({ 'RCPT TO': '451 4.7.1 greylisted, wait 60 seconds' })
  const { register, otp } = await install()
  await register({ smtp_host: '127.0.0.1', smtp_port: greylisting.port })
  const begun = performance.now()

  const sent = await otp('user@example.com')

  expect(performance.now() - begun).toBeLessThan(10_000)
  const words = '451 4.7.1 greylisted, wait 60 seconds'
  expect([sent.status, sent.text]).toEqual([400, `Error: The mail was not sent: ${words}`])
  greylisting.close()
})
