import { afterAll, describe, expect, test } from 'bun:test'
import { createEgress, type MailEgress } from '../../../src/channels/egress.ts'
import type { DialogueStep } from '../../../src/channels/email/dialogue.ts'
import { probeMail, probeSmtp, tryLogin } from '../../../src/channels/email/probe.ts'
import { type App, mailServersOf } from '../../../src/domain/app/app.ts'
import type { EmailEndpoint } from '../../../src/domain/app/endpoint.ts'
import { systemClock, systemTimers } from '../../../src/system.ts'
import { dnsOf } from '../../support/dns.ts'
import { mailServer, makeCertificate, scriptedServer } from '../../support/smtp.ts'
import { appWith, handoverOf, tokenPorts } from '../mail-fixtures.ts'

const certificate = makeCertificate()
afterAll(certificate.remove)

/** Resolves every name to this machine, as if that were its public address. */
const loopback: MailEgress = {
  reach: async () => 'public',
  publicAddresses: async () => ({ reach: 'public', addresses: ['127.0.0.1'] }),
}
const login = { user: 'codes', password: 'secret' }
const opened = ['resolve ok', 'connect ok', 'greeting ok', 'offers ok']

describe('a probe', () => {
  test.each(['tls', 'starttls'] as const)('goes as far as the login: %s', async (security) => {
    const server = await mailServer({ security, certificate, login })
    const email = { host: 'localhost', port: server.port, security }

    const steps = await probe(appWith({ email, password: login.password }))

    const order = security === 'tls' ? ['tls', 'greeting'] : ['greeting', 'tls']
    const names = ['resolve', 'connect', ...order, 'offers', 'login']
    expect(steps.map(short)).toEqual(names.map((name) => `${name} ok`))
    expect(server.logins).toEqual(['codes'])
    expect(server.arrived).toEqual([])
    await server.close()
  })

  test('leaves out the steps that the settings do not need', async () => {
    const server = await mailServer()

    const steps = await probe(appWith({ email: { port: server.port } }))

    expect(steps.map(short)).toEqual(['resolve ok', 'connect ok', 'greeting ok', 'offers ok'])
    await server.close()
  })

  test('says that the name has no address', async () => {
    const steps = await probe(appWith({ email: { host: 'nowhere.invalid' } }))

    expect(steps.map(short)).toEqual(['resolve failed'])
    expect(steps.at(-1)?.says).toContain('check the name')
  })

  test('connects to no internal address for an openly registered app', async () => {
    const server = await scriptedServer()
    const app = appWith({ email: { port: server.port }, registeredBy: 'open' })

    expect((await probe(app)).map(short)).toEqual(['resolve failed'])
    expect(server.connections()).toBe(0)
    server.close()
  })

  test('says that nothing listens there', async () => {
    const server = await scriptedServer()
    server.close()

    const steps = await probe(appWith({ email: { port: server.port } }))

    expect(steps.map(short)).toEqual(['resolve ok', 'connect failed'])
    expect(steps.at(-1)?.says).toContain('Nothing listens')
  })

  test('says which encryption to try when the other one is spoken', async () => {
    const server = await scriptedServer()
    const email = { port: server.port, security: 'tls' as const }

    const steps = await probe(appWith({ email }))

    expect(steps.map(short)).toEqual(['resolve ok', 'connect ok', 'tls failed'])
    expect(steps.at(-1)?.says).toContain('"starttls" (usual on 587)')
    server.close()
  })

  test('says that there is no STARTTLS and what else there is', async () => {
    const server = await scriptedServer()
    const email = { port: server.port, security: 'starttls' as const }

    const steps = await probe(appWith({ email }))

    expect(steps.map(short)).toEqual(['resolve ok', 'connect ok', 'greeting ok', 'tls failed'])
    expect(steps.at(-1)?.says).toContain('"none"')
    server.close()
  })

  test('says that the certificate is not trusted and where to name its authority', async () => {
    const server = await mailServer({ security: 'tls', certificate })
    const email = { port: server.port, security: 'tls' as const }
    const steps = await probe(appWith({ email }), [])

    expect(steps.map(short)).toEqual(['resolve ok', 'connect ok', 'tls failed'])
    expect(steps.at(-1)?.says).toContain('NODE_EXTRA_CA_CERTS')
    await server.close()
  })

  test('says that the login was refused, without the password', async () => {
    const server = await mailServer({ login })

    const steps = await probe(appWith({ email: { port: server.port }, password: 'wr0ng-one' }))

    expect(steps.map(short)).toEqual([...opened, 'login failed'])
    expect(steps.at(-1)?.says).toContain('check user and password')
    expect(JSON.stringify(steps)).not.toContain('wr0ng-one')
    await server.close()
  })

  test('says that the password cannot be decrypted', async () => {
    const server = await mailServer()
    const app = appWith({ email: { host: 'localhost', port: server.port }, password: 'x' })
    const endpoint = firstOf(app)
    const settings = { ...endpoint.settings, host: '127.0.0.1' }
    const moved = { ...app, endpoints: [{ ...endpoint, settings }] }

    const steps = await probe(moved)

    expect(steps.map(short)).toEqual([...opened, 'login failed'])
    expect(steps.at(-1)?.says).toContain('set it again')
    await server.close()
  })
})

describe('the login of an open registration', () => {
  const ports = { ...tokenPorts, timers: systemTimers, egress: loopback, ca: [certificate.ca] }
  const host = 'mail.acme.test'
  const security = 'starttls' as const

  test('is tried, and good or bad', async () => {
    const server = await mailServer({ security, certificate, login })
    const email = { host, port: server.port, security }
    const right = appWith({ email, password: login.password, registeredBy: 'open' })
    const wrong = appWith({ email, password: 'wrong', registeredBy: 'open' })

    expect(await tryLogin(ports, right, firstOf(right))).toBeNull()
    expect(await tryLogin(ports, wrong, firstOf(wrong))).toContain('The login was refused')
    expect(server.arrived).toEqual([])
    await server.close()
  })

  test('returns none of the server’s words', async () => {
    const server = await scriptedServer({ greeting: '554 internal-host.lan takes no calls' })
    const email = { host, port: server.port, security }
    const app = appWith({ email, password: 'x', registeredBy: 'open' })

    const fault = await tryLogin(ports, app, firstOf(app))

    expect(fault).toContain('No mail server answers')
    expect(fault).not.toContain('internal')
    server.close()
  })
})

describe('the dialogue', () => {
  test('names the addresses, the certificate, the offers and the login, with what was said', async () => {
    const server = await mailServer({ security: 'starttls', certificate, login })
    const email = { host: 'localhost', port: server.port, security: 'starttls' as const }

    const steps = await probe(appWith({ email, password: login.password }))

    const says = Object.fromEntries(steps.map(({ step, says }) => [step, says]))
    expect(says['resolve']).toContain('127.0.0.1')
    expect(says['connect']).toBe(`A mail server answers at 127.0.0.1 port ${server.port}.`)
    expect(says['greeting']).toMatch(/^It greets: 220 /)
    expect(says['tls']).toMatch(
      /^The connection is encrypted \(TLSv1\.3\), with a certificate for localhost by OtpMint test, valid until 20\d\d-\d\d-\d\d\.$/,
    )
    expect(says['offers']).toBe('It offers PIPELINING, 8BITMIME, SMTPUTF8. Logins: LOGIN, PLAIN.')
    expect(says['login']).toMatch(/^The login was accepted \(PLAIN\)\. It said: 235 /)
    await server.close()
  })

  test('tells on loopback that the connection is in plain text', async () => {
    const server = await scriptedServer()
    const steps = await probe(appWith({ email: { port: server.port, security: 'opportunistic' } }))

    expect(steps.map(short)).toEqual([...opened.slice(0, 3), 'tls ok', 'offers ok'])
    expect(steps[3]?.says).toContain('plain text')
    server.close()
  })

  test('shows none of a password, in whatever form the server repeats it', async () => {
    const forms = [login.password, btoa(login.password), btoa(`\0codes\0${login.password}`)]
    for (const form of forms) {
      const AUTH = `235 2.7.0 welcome with ${form}`
      const server = await scriptedServer({ EHLO: '250-mail\r\n250 AUTH PLAIN', AUTH })
      const app = appWith({ email: { port: server.port }, password: login.password })
      const steps = await probe(app)

      expect(steps.at(-1)?.says).toContain('235 2.7.0 welcome with <password>')
      expect(JSON.stringify(steps)).not.toContain(form)
      server.close()
    }
  })

  test('keeps what is offered to known words, however long or odd it is', async () => {
    const odd = [
      '250-mail',
      '250-SIZE 10240000',
      '250-XSECRET canary',
      '250-AUTH PLAIN \u0007x canary!',
    ]
    const server = await scriptedServer({
      EHLO: [...odd, `250 ${'DSN '.repeat(500)}`].join('\r\n'),
    })
    const [offers] = (await probe(appWith({ email: { port: server.port } }))).slice(-1)

    expect(offers).toEqual({
      step: 'offers',
      ok: true,
      says: 'It offers SIZE 10240000. Logins: PLAIN.',
    })
    server.close()
  })

  test('goes on with a mail, and hides the recipient and the code', async () => {
    const EHLO = '250-mail\r\n250 PIPELINING'
    const server = await scriptedServer({
      EHLO,
      'RCPT TO': '250 2.1.5 ada@example.com ok',
      message: '250 2.0.0 483920 queued as 77',
    })
    const { outcome, steps } = await mail(appWith({ email: { port: server.port } }))

    expect(outcome.status).toBe('sent')
    expect(steps.map(({ says }) => says)).toEqual([
      'The sender was accepted. It said: 250 2.1.0 ok',
      'The recipient was accepted. It said: 250 2.1.5 <recipient> ok',
      'The message was accepted. It said: 250 2.0.0 <code> queued as 77',
    ])
    server.close()
  })

  test.each([
    [{ 'MAIL FROM': '550 5.7.1 not from here' }, ['sender failed'], 'was refused'],
    [{ 'RCPT TO': '450 4.7.1 greylisted' }, ['sender ok', 'recipient failed'], 'was put off'],
    [{ DATA: '554 5.7.1 no' }, ['sender ok', 'recipient ok', 'message failed'], 'was refused'],
    [{ message: '552 5.3.4 big' }, ['sender ok', 'recipient ok', 'message failed'], 'was refused'],
    [
      { message: 'close' },
      ['sender ok', 'recipient ok', 'message failed'],
      'closed the connection',
    ],
    [{ 'RCPT TO': 'close' }, ['sender ok', 'recipient failed'], 'closed the connection'],
  ])('ends at the step of a mail that failed: %o', async (script, expected, words) => {
    const server = await scriptedServer(script)
    const { outcome, steps } = await mail(appWith({ email: { port: server.port } }))

    expect(outcome.status).not.toBe('sent')
    expect(steps.map(short)).toEqual(expected)
    expect(steps.at(-1)?.says).toContain(words)
    server.close()
  })

  test('gives an openly registered app none of the server’s words', async () => {
    const certain = { security: 'starttls' as const, certificate, login }
    const server = await mailServer(certain)
    const email = { host: 'mail.acme.test', port: server.port, security: certain.security }
    const app = appWith({ email, password: login.password, registeredBy: 'open' })
    const ports = { ...tokenPorts, egress: loopback, timers: systemTimers, clock: systemClock }

    const steps = await probeSmtp({ ...ports, ca: [certificate.ca] }, app, firstOf(app))
    const sent = await probeMail({ ...ports, ca: [certificate.ca] }, messageOf(app))

    expect([...steps, ...sent.steps].map(({ says }) => says)).toEqual([
      'mail.acme.test has an address.',
      `A mail server answers at mail.acme.test port ${server.port}.`,
      'The connection is encrypted, with a certificate for mail.acme.test.',
      'The login was accepted (PLAIN).',
      'The sender was accepted.',
      'The recipient was accepted.',
      'The message was accepted.',
    ])
    await server.close()
  })
})

function messageOf(app: App) {
  const expiresAt = systemClock.now() + 600_000
  return { ...handoverOf(app, { expiresAt }), endpoint: firstOf(app) }
}

function mail(app: App) {
  const ports = { ...tokenPorts, egress: createEgress({ dns: dnsOf() }), timers: systemTimers }
  return probeMail({ ...ports, clock: systemClock }, messageOf(app))
}

function probe(app: App, ca = [certificate.ca]): Promise<DialogueStep[]> {
  const ports = { ...tokenPorts, egress: createEgress({ dns: dnsOf() }), timers: systemTimers, ca }
  return probeSmtp(ports, app, firstOf(app))
}

function firstOf(app: App): EmailEndpoint {
  const [endpoint] = mailServersOf(app)
  if (!endpoint) throw new Error('the app has no mail server')
  return endpoint
}

function short({ step, ok }: DialogueStep): string {
  return `${step} ${ok ? 'ok' : 'failed'}`
}
