import { afterAll, describe, expect, test } from 'bun:test'
import type { MailEgress } from '../../../src/channels/egress.ts'
import { traceOf } from '../../../src/domain/delivery/trace.ts'
import { mailServer, makeCertificate, scriptedServer, until } from '../../support/smtp.ts'
import { appWith, openChannel, quickTimers } from '../mail-fixtures.ts'

const certificate = makeCertificate()
const stranger = makeCertificate()
afterAll(() => {
  certificate.remove()
  stranger.remove()
})

const login = { user: 'codes', password: 'secret' }

/** Resolves every name to this machine, as if that were its public address. */
const loopback: MailEgress = {
  reach: async () => 'public',
  publicAddresses: async () => ({ reach: 'public', addresses: ['127.0.0.1'] }),
}

describe('the connection', () => {
  test('sends neither login nor sender to a server that hides STARTTLS', async () => {
    const server = await scriptedServer({ EHLO: '250-mail.acme.test\r\n250 AUTH PLAIN LOGIN' })
    const channel = openChannel()
    const email = { port: server.port, security: 'starttls' as const }

    const outcome = await channel.send(appWith({ email, password: 'hunter2' }))

    expect(outcome).toMatchObject({ status: 'refused', cause: 'server' })
    expect(server.commands.filter((line) => /^(AUTH|MAIL)/.test(line))).toEqual([])
    channel.close()
    server.close()
  })

  test.each([
    ['250-mail.acme.test\r\n250 DSN', ' RET=HDRS ENVID=0Uw3Xa8b', ' NOTIFY=FAILURE'],
    ['250 mail.acme.test', '', ''],
  ])('asks for a report of a failure where the server offers it: %s', async (EHLO, mail, rcpt) => {
    const server = await scriptedServer({ EHLO })
    const channel = openChannel()
    const deliveryId = '0Uw3Xa8bQ0pLmZ7aRt3sYw1CvB6nM9'

    await channel.send(appWith({ email: { port: server.port } }), { deliveryId, to: 'a@b.test' })
    channel.close()
    server.close()

    const [from = '', to] = server.commands.filter((line) => /^(MAIL|RCPT)/.test(line))
    const hash = mail === '' ? '' : traceOf(deliveryId).slice(8)
    expect(from).toBe(`MAIL FROM:<codes@acme.test>${mail}${hash}`)
    expect(to).toBe(`RCPT TO:<a@b.test>${rcpt}`)
    expect(hash).toMatch(/^([0-9a-f]{32})?$/)
  })

  test('ignores replies after STARTTLS that were sent before the encryption', async () => {
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
      const elsewhere = { ...email, host: 'other.acme.test' }
      const app = appWith({ email, password: 'x' })
      const other = appWith({ email: elsewhere, password: 'x', registeredBy: 'open' })

      const outcomes = [await openChannel().send(app), await trusting.send(other)]

      for (const outcome of outcomes) {
        expect(outcome).toMatchObject({ status: 'refused', cause: 'server' })
        expect(outcome.detail).toMatch(/certificate of .* is not trusted/)
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
      const email = { host, port: server.port, security }
      const app = appWith({ email, registeredBy: 'open' })

      expect(await channel.send(app)).toMatchObject({ status: 'sent' })
      channel.close()
      await server.close()
    },
  )

  test('trusts the authorities of NODE_EXTRA_CA_CERTS', async () => {
    const server = await mailServer({ security: 'tls', certificate })
    const script = `
      import { appWith, openChannel } from '${import.meta.dir}/../mail-fixtures.ts'
      const email = { host: 'localhost', port: ${server.port}, security: 'tls' }
      const channel = openChannel()
      const { status } = await channel.send(appWith({ email }))
      channel.close()
      process.stdout.write(status)`
    const own = script.replace('security: ', `ca: ${JSON.stringify(stranger.ca)}, security: `)
    const run = async (extra: Record<string, string>, script: string) => {
      const env = { PATH: process.env['PATH'] ?? '', ...extra }
      const child = Bun.spawn([process.execPath, '-e', script], { env, stdout: 'pipe' })
      return new Response(child.stdout).text()
    }

    const extra = { NODE_EXTRA_CA_CERTS: certificate.caFile }
    expect(await run(extra, script)).toBe('sent')
    expect(await run(extra, own)).toBe('sent')
    expect(await run({}, script)).toBe('refused')
    await server.close()
  })

  test('trusts the authority of its endpoint, besides the system’s, and no other endpoint does', async () => {
    const server = await mailServer({ security: 'tls', certificate })
    const channel = openChannel()
    const email = { host: 'localhost', port: server.port, security: 'tls' as const }
    const own = appWith({ id: 'own', email: { ...email, ca: certificate.ca } })
    const other = appWith({ id: 'other', email })
    const another = appWith({ id: 'another', email: { ...email, ca: stranger.ca } })

    expect(await channel.send(own)).toMatchObject({ status: 'sent' })
    for (const app of [other, another]) {
      expect(await channel.send(app)).toMatchObject({ status: 'refused', cause: 'server' })
    }
    // The connection that is kept is not used with other authorities.
    const changed = appWith({ id: 'own', version: 2, email: { ...email, ca: stranger.ca } })
    expect(await channel.send(changed)).toMatchObject({ status: 'refused', cause: 'server' })
    channel.close()
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

  test('is opened again when the server ends the session with its next reply', async () => {
    const over = '421 4.4.2 too many messages in this session'
    const server = await scriptedServer({ 'MAIL FROM': ['250 2.1.0 ok', over] })
    const channel = openChannel()
    const app = appWith({ email: { port: server.port } })
    await channel.send(app)

    expect(await channel.send(app)).toMatchObject({ status: 'sent' })
    expect(server.connections()).toBe(2)
    channel.close()
    server.close()
  })

  test('is used again after a recipient was refused', async () => {
    const server = await scriptedServer({ 'RCPT TO': '550 5.1.1 no such user' })
    const channel = openChannel()
    const app = appWith({ email: { port: server.port } })
    await channel.send(app)
    await until(() => server.commands.includes('RSET'))

    expect(await channel.send(app)).toMatchObject({ status: 'refused', cause: 'recipient' })
    expect(server.connections()).toBe(1)
    channel.close()
    server.close()
  })

  test('is closed when nothing was sent over it for a while', async () => {
    const server = await scriptedServer()
    const channel = openChannel({ timers: quickTimers(100) })
    await channel.send(appWith({ email: { port: server.port } }))
    expect(server.open()).toBe(1)

    await until(() => server.open() === 0)

    expect(server.commands.at(-1)).toBe('QUIT')
    channel.close()
    server.close()
  })

  test('is closed for another one at the greatest number of connections', async () => {
    const servers = await Promise.all([1, 2, 3].map(() => scriptedServer()))
    const channel = openChannel({ connectionsMax: 2 })
    for (const [index, { port }] of servers.entries()) {
      await channel.send(appWith({ id: `app-${index}`, email: { port } }))
    }

    await until(() => servers[0]?.open() === 0)

    expect(servers.map(({ open }) => open())).toEqual([0, 1, 1])
    channel.close()
    for (const server of servers) server.close()
  })

  test('is verified anew when it is opened again', async () => {
    const first = await mailServer({ security: 'tls', certificate })
    const channel = openChannel({ ca: [certificate.ca] })
    const { port } = first
    const app = appWith({ email: { host: 'localhost', port, security: 'tls' } })
    expect(await channel.send(app)).toMatchObject({ status: 'sent' })
    await first.close()
    const strange = makeCertificate()
    const second = await mailServer({ security: 'tls', certificate: strange, port })

    expect(await channel.send(app)).toMatchObject({ status: 'refused', cause: 'server' })
    expect(second.arrived).toEqual([])
    channel.close()
    strange.remove()
    await second.close()
  })

  test('follows the settings of its app', async () => {
    const [before, after] = [await scriptedServer(), await scriptedServer()]
    const channel = openChannel()
    await channel.send(appWith({ email: { port: before.port } }))
    const moved = appWith({ version: 2, email: { port: after.port } })

    expect(await channel.send(moved)).toMatchObject({ status: 'sent' })
    expect([before.connections(), after.connections()]).toEqual([1, 1])
    await until(() => before.open() === 0)
    channel.close()
    before.close()
    after.close()
  })
})

test('a message of before a change of the settings does not restore the old ones', async () => {
  const [before, after] = [await scriptedServer(), await scriptedServer()]
  const channel = openChannel()
  const old = appWith({ email: { port: before.port } })
  const moved = appWith({ version: 2, email: { port: after.port } })
  await channel.send(moved)
  await channel.send(old)
  await channel.send(moved)

  expect([before.connections(), after.connections()]).toEqual([1, 1])
  await until(() => before.open() === 0)
  channel.close()
  before.close()
  after.close()
})

describe('security "opportunistic"', () => {
  const security = 'opportunistic' as const
  const host = 'localhost'

  test('encrypts where the server offers it and its certificate is trusted', async () => {
    const server = await mailServer({ security: 'starttls', certificate })
    const channel = openChannel({ ca: [certificate.ca] })
    await channel.send(appWith({ email: { host, port: server.port, security } }))

    expect(server.arrived).toMatchObject([{ encrypted: true }])
    channel.close()
    await server.close()
  })

  test('goes on in plain text, login included, where the certificate is not trusted', async () => {
    const server = await mailServer({ security: 'starttls', certificate, login, plainLogin: true })
    const channel = openChannel()
    const email = { host, port: server.port, security }
    await channel.send(appWith({ email, password: login.password }))

    expect(server.arrived).toMatchObject([{ encrypted: false, user: login.user }])
    channel.close()
    await server.close()
  })

  test('goes on in plain text where the server offers no encryption', async () => {
    const server = await mailServer({ login })
    const channel = openChannel()
    const email = { host, port: server.port, security }
    await channel.send(appWith({ email, password: login.password }))

    expect(server.arrived).toMatchObject([{ encrypted: false, user: login.user }])
    channel.close()
    await server.close()
  })
})

describe('a server that is slow', () => {
  test('ends a try after its time, whatever it still sends', async () => {
    const server = await scriptedServer({ 'MAIL FROM': 'drip' })
    const channel = openChannel({ timers: quickTimers(100) })

    const outcome = await channel.send(appWith({ email: { port: server.port } }))

    expect(outcome).toMatchObject({ status: 'deferred', cause: 'network', ambiguous: false })
    expect(outcome.detail).toBe('the mail server did not answer in time')
    channel.close()
    server.close()
  })

  test('may have accepted a message when its reply is incomplete', async () => {
    const server = await scriptedServer({ message: 'drip' })
    const channel = openChannel({ timers: quickTimers(100) })

    const outcome = await channel.send(appWith({ email: { port: server.port } }))

    expect(outcome).toMatchObject({ status: 'deferred', cause: 'network', ambiguous: true })
    channel.close()
    server.close()
  })
})

test('a name with a dead address leads to the next one after a quarter of a second', async () => {
  const server = await scriptedServer()
  const egress: MailEgress = {
    reach: async () => 'public',
    // TEST-NET-1 (RFC 5737) is not routed: packets are dropped, or refused at once.
    publicAddresses: async () => ({ reach: 'public', addresses: ['192.0.2.1', '127.0.0.1'] }),
  }
  const channel = openChannel({ egress })
  const email = { host: 'mail.acme.test', port: server.port, security: 'none' as const }

  const outcome = await channel.send(appWith({ email, registeredBy: 'open' }))

  expect(outcome).toMatchObject({ status: 'sent' })
  channel.close()
  server.close()
})
