import { afterAll, describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { simpleParser } from 'mailparser'
import { renderMessage } from '../../../src/messages/render.ts'
import { systemClock } from '../../../src/system.ts'
import { mailServer, makeCertificate, scriptedServer, smtpSink, until } from '../../support/smtp.ts'
import { appWith, handoverOf, messageOf, openChannel } from '../mail-fixtures.ts'

const certificate = makeCertificate()
afterAll(certificate.remove)

const login = { user: 'codes', password: 'p\u00e4ss word' }

describe('a mail', () => {
  test.each(['tls', 'starttls', 'none'] as const)(
    'arrives as it was rendered, after a login: %s',
    async (security) => {
      const server = await mailServer({ security, certificate, login })
      const channel = openChannel({ ca: [certificate.ca] })
      const email = { host: 'localhost', port: server.port, security }
      const app = appWith({ email, password: login.password })
      const expiresAt = systemClock.now() + 630_000
      const handover = handoverOf(app, { expiresAt, locale: 'ru' })

      const outcome = await channel.deliver(handover, new AbortController().signal)

      expect(outcome).toMatchObject({ status: 'sent' })
      const [mail] = server.arrived
      expect(mail).toMatchObject({ from: 'codes@acme.test', user: 'codes' })
      expect(mail?.recipients).toEqual(['ada@example.com'])
      expect(mail?.encrypted).toBe(security !== 'none')
      const read = await simpleParser(mail?.raw ?? '')
      const { subject, text, html } = renderMessage(messageOf(handover))
      expect(read.subject).toBe(subject)
      expect([read.text.trimEnd(), read.html.trimEnd()]).toEqual([text, html])
      channel.close()
      await server.close()
    },
  )

  test('goes to one recipient only, whatever the names of its app are', async () => {
    const server = await scriptedServer()
    const channel = openChannel()
    const anything = fc.string({ unit: 'binary', maxLength: 80 })
    const attacks = fc.constantFrom(
      '\r\nRCPT TO:<eve@x.test>',
      'Acme\r\nBcc: eve@x.test\r\n\r\n.\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<eve@x.test>\r\nDATA',
      'a>, <eve@x.test',
      'grp:eve@x.test;',
      '\n.\nRCPT TO:<eve@x.test>',
      '\r.\rRCPT TO:<eve@x.test>',
      '\u2028Bcc: eve@x.test',
      '\0',
    )
    const name = fc.oneof(anything, attacks)
    let id = 0
    await fc.assert(
      fc.asyncProperty(name, name, async (name, fromName) => {
        server.commands.length = 0
        const email = { port: server.port, fromName }
        await channel.send(appWith({ id: `app-${id++ % 5}`, name, email }))

        const recipients = server.commands.filter((line) => /^RCPT/i.test(line))
        expect(recipients).toEqual(['RCPT TO:<ada@example.com>'])
        expect(server.commands.filter((line) => /^MAIL/i.test(line))).toHaveLength(1)
      }),
      { numRuns: 50 },
    )
    channel.close()
    server.close()
  })

  test('is not sent to an invalid recipient', async () => {
    const server = await scriptedServer()
    const channel = openChannel()
    const app = appWith({ email: { port: server.port } })
    const wrong = ['a@b.test>\r\nRCPT TO:<e@x.test', 'a@b.test, e@x.test', 'x <u@b.test>', '']

    for (const recipient of wrong) {
      expect(await channel.send(app, { to: recipient })).toMatchObject({ status: 'refused' })
    }
    expect(server.commands.filter((line) => /^(RCPT|DATA)/.test(line))).toEqual([])
    channel.close()
    server.close()
  })

  test('is not started once sending has been stopped', async () => {
    const server = await scriptedServer()
    const channel = openChannel()
    const handover = handoverOf(appWith({ email: { port: server.port } }))

    const outcome = await channel.deliver(handover, AbortSignal.abort())

    expect(outcome).toMatchObject({ status: 'deferred', ambiguous: false })
    expect(server.connections()).toBe(0)
    channel.close()
    server.close()
  })

  test('is not sent by an app without a mail server', async () => {
    const channel = openChannel()

    expect(await channel.send({ ...appWith(), endpoints: [] })).toMatchObject({ status: 'refused' })
  })

  test('is accepted a hundred times by Postfix’s smtp-sink', async () => {
    const sink = await smtpSink()
    const channel = openChannel()
    const app = appWith({ name: 'Café', email: { port: sink.port } })
    const codes = Array.from({ length: 100 }, (_, i) => String(100_000 + i))

    const outcomes = await Promise.all(codes.map((code) => channel.send(app, { code })))

    expect(outcomes.filter(({ status }) => status !== 'sent')).toEqual([])
    channel.close()
    sink.close()
  })
})

describe('a login that was refused', () => {
  test('is not tried again for a minute, or until the settings change', async () => {
    const server = await mailServer({ login })
    const channel = openChannel()
    const email = { port: server.port }
    const app = appWith({ email, password: 'wrong' })
    const refusal = { status: 'refused', cause: 'login' }

    expect(await channel.send(app)).toMatchObject(refusal)
    channel.advance(59_000)
    expect(await channel.send(app)).toMatchObject(refusal)
    expect(server.logins).toHaveLength(1)

    channel.advance(1_000)
    expect(await channel.send(app)).toMatchObject(refusal)
    expect(server.logins).toHaveLength(2)

    const right = appWith({ version: 2, email, password: login.password })
    expect(await channel.send(right)).toMatchObject({ status: 'sent' })
    channel.close()
    await server.close()
  })

  test('delays no other app', async () => {
    const server = await mailServer({ login })
    const channel = openChannel()
    const email = { port: server.port }
    await channel.send(appWith({ id: 'a', email, password: 'wrong' }))

    const other = appWith({ id: 'b', email, password: login.password })
    expect(await channel.send(other)).toMatchObject({ status: 'sent' })
    channel.close()
    await server.close()
  })

  test('is not tried with a password that was sealed for another server', async () => {
    const server = await mailServer({ login })
    const channel = openChannel()
    const app = appWith({ email: { host: 'localhost' }, password: login.password })
    const endpoints = app.endpoints.map((endpoint) => {
      return { ...endpoint, settings: { ...endpoint.settings, port: server.port } }
    })
    const moved = { ...app, endpoints }

    expect(await channel.send(moved)).toMatchObject({ status: 'refused', cause: 'server' })
    expect(server.logins).toEqual([])
    channel.close()
    await server.close()
  })
})

test('a server that does not answer delays no other app', async () => {
  const [silent, working] = [await scriptedServer({ greeting: 'hang' }), await scriptedServer()]
  const channel = openChannel()
  const stop = new AbortController()
  const stuckApp = appWith({ id: 'stuck', email: { port: silent.port } })
  const stuck = Array.from({ length: 20 }, () => channel.deliver(handoverOf(stuckApp), stop.signal))
  await until(() => silent.connections() === 20)

  const other = appWith({ id: 'other', email: { port: working.port } })
  expect(await channel.send(other)).toMatchObject({ status: 'sent' })
  stop.abort()
  expect(await Promise.all(stuck)).toHaveLength(20)
  channel.close()
  silent.close()
  working.close()
})
