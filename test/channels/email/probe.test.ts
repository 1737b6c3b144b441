import { afterAll, describe, expect, test } from 'bun:test'
import { createEgress, type MailEgress } from '../../../src/channels/egress.ts'
import { type ProbeStep, probeSmtp, tryLogin } from '../../../src/channels/email/probe.ts'
import type { App } from '../../../src/domain/app/app.ts'
import type { Endpoint } from '../../../src/domain/app/endpoint.ts'
import { systemTimers } from '../../../src/system.ts'
import { mailServer, makeCertificate, scriptedServer } from '../../support/smtp.ts'
import { appWith, tokenPorts } from '../mail-fixtures.ts'

const certificate = makeCertificate()
afterAll(certificate.remove)

/** Resolves every name to this machine, as if that were its public address. */
const loopback: MailEgress = {
  reach: async () => 'public',
  publicAddresses: async () => ({ reach: 'public', addresses: ['127.0.0.1'] }),
}
const login = { user: 'codes', password: 'secret' }

describe('a probe', () => {
  test.each(['tls', 'starttls'] as const)('goes as far as the login: %s', async (security) => {
    const server = await mailServer({ security, certificate, login })
    const email = { host: 'localhost', port: server.port, security }

    const steps = await probe(appWith({ email, password: login.password }))

    expect(steps.map(short)).toEqual(['resolve ok', 'connect ok', 'tls ok', 'login ok'])
    expect(server.logins).toEqual(['codes'])
    expect(server.arrived).toEqual([])
    await server.close()
  })

  test('leaves out the steps that the settings do not need', async () => {
    const server = await mailServer()

    const steps = await probe(appWith({ email: { port: server.port } }))

    expect(steps.map(short)).toEqual(['resolve ok', 'connect ok'])
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

    expect(steps.map(short)).toEqual(['resolve ok', 'connect ok', 'tls failed'])
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

    expect(steps.map(short)).toEqual(['resolve ok', 'connect ok', 'login failed'])
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

    expect(steps.map(short)).toEqual(['resolve ok', 'connect ok', 'login failed'])
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

function probe(app: App, ca = [certificate.ca]): Promise<ProbeStep[]> {
  const ports = { ...tokenPorts, egress: createEgress(), timers: systemTimers, ca }
  return probeSmtp(ports, app, firstOf(app))
}

function firstOf({ endpoints }: App): Endpoint {
  const [endpoint] = endpoints
  if (!endpoint) throw new Error('the app has no mail server')
  return endpoint
}

function short({ step, ok }: ProbeStep): string {
  return `${step} ${ok ? 'ok' : 'failed'}`
}
