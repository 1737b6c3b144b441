import { afterAll, describe, expect, test } from 'bun:test'
import type { MailEgress } from '../../src/channels/egress.ts'
import { mailServer, makeCertificate, scriptedServer, until } from '../support/smtp.ts'
import { appWith, openChannel } from './mail-fixtures.ts'

const certificate = makeCertificate()
afterAll(certificate.remove)

const login = { user: 'codes', password: 'secret' }

/** As if the name's public address were this machine's: names have no other address here. */
const loopback: MailEgress = {
  reach: async () => 'public',
  publicAddresses: async () => ({ reach: 'public', addresses: ['127.0.0.1'] }),
}

describe('the connection', () => {
  test('says neither login nor sender to a server that hides STARTTLS', async () => {
    const server = await scriptedServer({ EHLO: '250-mail.acme.test\r\n250 AUTH PLAIN LOGIN' })
    const channel = openChannel()
    const email = { port: server.port, security: 'starttls' as const }

    const outcome = await channel.send(appWith({ email, password: 'hunter2' }))

    expect(outcome).toMatchObject({ status: 'refused', cause: 'server' })
    expect(server.commands.filter((line) => /^(AUTH|MAIL)/.test(line))).toEqual([])
    channel.close()
    server.close()
  })

  test('takes nothing that was said before the encryption for an answer after it', async () => {
    const injected = '220 ready\r\n250-hello\r\n250 AUTH PLAIN'
    const server = await scriptedServer({ EHLO: '250 STARTTLS', STARTTLS: injected })
    const channel = openChannel()
    const email = { port: server.port, security: 'starttls' as const }
    const outcome = channel.send(appWith({ email, password: 'hunter2' }))
    await until(() => server.commands.includes('STARTTLS'))
    server.close()

    expect(await outcome).toMatchObject({ status: 'deferred' })
    expect(server.commands.filter((line) => /^(AUTH|MAIL)/.test(line))).toEqual([])
    channel.close()
  })

  test.each(['tls', 'starttls'] as const)(
    'is refused to a certificate of an unknown authority or another name: %s',
    async (security) => {
      const server = await mailServer({ security, certificate, login })
      const email = { host: 'localhost', port: server.port, security }
      const trusting = openChannel({ ca: [certificate.ca], egress: loopback })
      const other = { ...email, host: 'other.acme.test', publicOnly: true }
      const apps = [appWith({ email, password: 'x' }), appWith({ email: other, password: 'x' })]

      const outcomes = [await openChannel().send(apps[0] ?? appWith())]
      outcomes.push(await trusting.send(apps[1] ?? appWith()))

      for (const outcome of outcomes) {
        expect(outcome).toMatchObject({ status: 'refused', cause: 'server' })
        expect(outcome.detail).toContain('certificate is not trusted')
      }
      expect([server.logins, server.arrived]).toEqual([[], []])
      trusting.close()
      await server.close()
    },
  )

  test.each(['tls', 'starttls'] as const)(
    'goes to the address that was checked and knows the server by its name: %s',
    async (security) => {
      const server = await mailServer({ security, certificate })
      const channel = openChannel({ ca: [certificate.ca], egress: loopback })
      const host = 'mail.acme.test'
      const email = { host, port: server.port, security, publicOnly: true }

      expect(await channel.send(appWith({ email }))).toMatchObject({ status: 'sent' })
      channel.close()
      await server.close()
    },
  )

  test('trusts the authorities of NODE_EXTRA_CA_CERTS', async () => {
    const server = await mailServer({ security: 'tls', certificate })
    const script = `
      import { appWith, openChannel } from '${import.meta.dir}/mail-fixtures.ts'
      const email = { host: 'localhost', port: ${server.port}, security: 'tls' }
      const channel = openChannel()
      const { status } = await channel.send(appWith({ email }))
      channel.close()
      process.stdout.write(status)`
    const run = async (extra: Record<string, string>) => {
      const env = { PATH: process.env['PATH'] ?? '', ...extra }
      const child = Bun.spawn([process.execPath, '-e', script], { env, stdout: 'pipe' })
      return new Response(child.stdout).text()
    }

    expect(await run({ NODE_EXTRA_CA_CERTS: certificate.caFile })).toBe('sent')
    expect(await run({})).toBe('refused')
    await server.close()
  })

  test('is kept for the next mail, and opened again when the server dropped it', async () => {
    const server = await scriptedServer()
    const channel = openChannel()
    const app = appWith({ email: { port: server.port } })
    await channel.send(app)
    await channel.send(app)
    expect(server.connections()).toBe(1)

    server.hangUp()

    expect(await channel.send(app)).toMatchObject({ status: 'sent' })
    expect(server.connections()).toBe(2)
    channel.close()
    server.close()
  })

  test('follows the settings of its app', async () => {
    const [before, after] = [await scriptedServer(), await scriptedServer()]
    const channel = openChannel()
    await channel.send(appWith({ email: { port: before.port } }))
    const moved = appWith({ email: { port: after.port, updatedAt: appWith().updatedAt + 1 } })

    expect(await channel.send(moved)).toMatchObject({ status: 'sent' })
    expect([before.connections(), after.connections()]).toEqual([1, 1])
    await until(() => before.open() === 0)
    channel.close()
    before.close()
    after.close()
  })
})
