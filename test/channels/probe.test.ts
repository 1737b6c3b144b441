import { afterAll, describe, expect, test } from 'bun:test'
import { createEgress } from '../../src/channels/egress.ts'
import { type ProbeStep, probeSmtp } from '../../src/channels/probe.ts'
import type { App } from '../../src/domain/app.ts'
import { mailServer, makeCertificate, scriptedServer } from '../support/smtp.ts'
import { appWith, keyring } from './mail-fixtures.ts'

const certificate = makeCertificate()
afterAll(certificate.remove)

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

  test('leaves out what the settings do not ask for', async () => {
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

  test('dials nothing internal for a stranger', async () => {
    const server = await scriptedServer()
    const email = { port: server.port, publicOnly: true }

    expect((await probe(appWith({ email }))).map(short)).toEqual(['resolve failed'])
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
    const email = { port: server.port, security: 'starttls' as const }

    const steps = await probe(appWith({ email }))

    expect(steps.map(short)).toEqual(['resolve ok', 'connect ok', 'tls failed'])
    expect(steps.at(-1)?.says).toContain('"tls" (usual on 465)')
    server.close()
  })

  test('says that the certificate is not trusted and where to name its authority', async () => {
    const server = await mailServer({ security: 'tls', certificate })
    const email = { port: server.port, security: 'tls' as const }
    const app = appWith({ email })

    const steps = await probeSmtp({ keyring, egress: createEgress() }, app)

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

  test('says that the password does not open', async () => {
    const server = await mailServer()
    const app = appWith({ email: { host: 'localhost', port: server.port }, password: 'x' })
    const moved = app.email ? { ...app, email: { ...app.email, host: '127.0.0.1' } } : app

    const steps = await probe(moved)

    expect(steps.map(short)).toEqual(['resolve ok', 'connect ok', 'login failed'])
    expect(steps.at(-1)?.says).toContain('set the password again')
    await server.close()
  })
})

function probe(app: App): Promise<ProbeStep[]> {
  return probeSmtp({ keyring, egress: createEgress(), ca: [certificate.ca] }, app)
}

function short({ step, ok }: ProbeStep): string {
  return `${step} ${ok ? 'ok' : 'failed'}`
}
