import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { createEgress } from '../../../src/channels/egress.ts'
import { createEmailChannel } from '../../../src/channels/email/email.ts'
import { createMailer } from '../../../src/channels/email/mailer.ts'
import { probeSmtp } from '../../../src/channels/email/probe.ts'
import { type App, mailServersOf } from '../../../src/domain/app/app.ts'
import { dnsOf } from '../../support/dns.ts'
import { type Script, scriptedServer } from '../../support/smtp.ts'
import { handoverOf, movableTimers, tokenPorts } from '../mail-fixtures.ts'
import { grant, tokenApp, tokenServer } from './token-fixtures.ts'

let tokens: ReturnType<typeof tokenServer>
beforeEach(() => {
  tokens = tokenServer()
})
afterEach(() => tokens.stop())

const ehlo = (mechanisms: string) => `250-hello\r\n250-AUTH ${mechanisms}\r\n250 DSN`
const decoded = (line: string) => Buffer.from(line.split(' ')[2] ?? '', 'base64').toString()
const authLines = (commands: string[]) => commands.filter((line) => line.startsWith('AUTH'))
/** Accepts the tokens that end in these digits. */
const accepts = (...numbers: number[]) => ({
  AUTH: (line: string) => {
    const token = /Bearer token-(\d+)/.exec(decoded(line))?.[1]
    return numbers.includes(Number(token)) ? '235 2.7.0 welcome' : '535 5.7.8 not accepted'
  },
})

async function stage(script: Script, mechanisms = 'XOAUTH2') {
  const server = await scriptedServer({ EHLO: ehlo(mechanisms), ...script })
  const timers = movableTimers()
  const ports = { ...tokenPorts, timers, httpOut: tokens.httpOut }
  const network = { egress: createEgress({ dns: dnsOf() }), clock: tokenPorts.clock, timers }
  const channel = createEmailChannel(ports, createMailer({ ...network, connectionsMax: 10 }))
  const app = tokenApp('google', { port: server.port })
  const queue = (one: App = app, width = 1, signal = new AbortController().signal) => {
    const expiresAt = tokenPorts.clock.now() + 600_000
    return channel.queue?.(handoverOf(one, { expiresAt }), { width, signal })
  }
  const send = (one = app) => channel.deliver(handoverOf(one), new AbortController().signal)
  const probe = () => {
    const [endpoint] = mailServersOf(app)
    if (!endpoint) throw new Error('no endpoint')
    return probeSmtp({ ...ports, ...network }, app, endpoint)
  }
  const close = () => {
    channel.close()
    server.close()
  }
  return { server, app, queue, send, probe, advance: timers.advance, close }
}

describe('a login with a token', () => {
  test('is XOAUTH2 where that is offered', async () => {
    const { server, send, close } = await stage(accepts(1), 'PLAIN OAUTHBEARER LOGIN XOAUTH2')

    expect(await send()).toMatchObject({ status: 'sent' })
    const [line = ''] = authLines(server.commands)
    expect(line.startsWith('AUTH XOAUTH2 ')).toBe(true)
    expect(decoded(line)).toBe('user=codes@acme.test\u0001auth=Bearer token-1\u0001\u0001')
    close()
  })

  test('is OAUTHBEARER where only that is offered, with the name as RFC 5801 wants it', async () => {
    const { server, app, send, close } = await stage({}, 'PLAIN oauthbearer')
    const user = 'a=b,c@acme.test'
    const named = tokenApp('google', { port: server.port, user })

    expect(await send(app)).toMatchObject({ status: 'sent' })
    expect(await send({ ...named, id: 'other' })).toMatchObject({ status: 'refused' })
    expect(await send(tokenApp('google', { port: server.port, user }, { id: 'b' }))).toMatchObject({
      status: 'sent',
    })
    const [first = '', second = ''] = authLines(server.commands)
    const rest = `,\u0001host=127.0.0.1\u0001port=${server.port}\u0001auth=Bearer token-1`
    expect(first.startsWith('AUTH OAUTHBEARER ')).toBe(true)
    expect(decoded(first)).toBe(`n,a=codes@acme.test${rest}\u0001\u0001`)
    expect(decoded(second).startsWith('n,a=a=3Db=2Cc@acme.test,\u0001')).toBe(true)
    close()
  })

  test.each([
    ['XOAUTH2', 'user=', ''],
    ['OAUTHBEARER', 'n,a=', 'AQ=='],
  ])(
    'whose command would be too long waits for the go-ahead: %s',
    async (mechanism, begin, end) => {
      const long = 'x'.repeat(2_000)
      tokens.reply = () => Response.json(grant(long))
      const welcome = ['334 ', '235 2.7.0 welcome']
      const refusal = ['334 ', '334 e30=', '535 5.7.8 no']
      for (const [AUTH = '', ...continued] of [welcome, refusal]) {
        const { server, send, close } = await stage({ AUTH, continued }, mechanism)
        const { status } = await send()
        expect(status).toBe(continued.length === 1 ? 'sent' : 'refused')
        const at = server.commands.indexOf(`AUTH ${mechanism}`)
        const message = Buffer.from(server.commands[at + 1] ?? '', 'base64').toString()
        expect(message.startsWith(begin)).toBe(true)
        expect(message).toContain(`auth=Bearer ${long}\u0001\u0001`)
        if (status === 'refused') expect(server.commands[at + 2]).toBe(end)
        close()
      }
    },
  )

  test('is none where neither is offered: no token is sent', async () => {
    const { server, send, probe, close } = await stage({}, 'PLAIN LOGIN')

    expect(await send()).toMatchObject({
      ...{ status: 'refused', cause: 'login' },
      detail: 'the mail server offers neither XOAUTH2 nor OAUTHBEARER',
    })
    expect((await probe()).at(-1)).toMatchObject({ step: 'login', ok: false })
    expect(authLines(server.commands)).toEqual([])
    close()
  })

  test.each([
    ['XOAUTH2', ''],
    ['OAUTHBEARER', 'AQ=='],
  ])('ends the exchange where the server first gives its reason: %s', async (mechanism, end) => {
    const reason = Buffer.from('{"status":"401","schemes":"bearer"}').toString('base64')
    const { server, send, close } = await stage(
      { AUTH: `334 ${reason}`, continued: '535 5.7.8 Username and Password not accepted' },
      mechanism,
    )

    expect(await send()).toMatchObject({
      ...{ status: 'refused', cause: 'login', code: '535 5.7.8' },
      detail: '535 5.7.8 Username and Password not accepted',
    })
    const at = server.commands.findIndex((line) => line.startsWith('AUTH'))
    expect(server.commands[at + 1]).toBe(end)
    close()
  })

  test('whose reply quotes the token shows none of it', async () => {
    const forms = [
      (line: string) => `535 5.7.8 bad ${line}`,
      (line: string) => `535 5.7.8 bad ${decoded(line).replaceAll('\u0001', ' ')}`,
      () => `535 5.7.8 bad ${Buffer.from('token-2').toString('base64')}`,
    ]
    for (const AUTH of forms) {
      tokens.asked.length = 0
      const { send, close } = await stage({ AUTH })
      const outcome = await send()
      expect(outcome).toMatchObject({ cause: 'login' })
      expect(outcome.detail).toContain('<password>')
      expect(outcome.detail).not.toMatch(/token-|dG9rZW4t|dXNlcj1/)
      close()
    }
  })
})

describe('a token that is stale', () => {
  test('is replaced once, and the message goes back to its place for it', async () => {
    const { server, queue, close } = await stage(accepts(2))

    expect(await queue()).toBeNull()
    expect((await queue())?.outcome).toMatchObject({ status: 'sent' })
    expect(tokens.asked).toHaveLength(2)
    expect(authLines(server.commands)).toHaveLength(2)
    close()
  })

  test('is replaced at once outside of a lane', async () => {
    const { send, close } = await stage(accepts(2))

    expect(await send()).toMatchObject({ status: 'sent' })
    expect(tokens.asked).toHaveLength(2)
    close()
  })

  test('and then a fresh one that is refused: the login is refused, and nothing is asked', async () => {
    const { server, queue, advance, close } = await stage(accepts())

    expect(await queue()).toBeNull()
    const second = await queue()
    const third = await queue()

    for (const queued of [second, third]) {
      expect(queued?.outcome).toMatchObject({ status: 'refused', cause: 'login' })
    }
    expect([tokens.asked.length, authLines(server.commands).length]).toEqual([2, 2])
    advance(61_000)
    expect((await queue())?.outcome).toMatchObject({ status: 'refused', cause: 'login' })
    expect([tokens.asked.length, authLines(server.commands).length]).toEqual([3, 3])
    close()
  })

  test('of twenty messages at once costs two requests', async () => {
    const { queue, close } = await stage(accepts(2))
    const first = await Promise.all(Array.from({ length: 20 }, () => queue()))
    const again = first.filter((queued) => queued === null || queued === undefined)
    const second = await Promise.all(again.map(() => queue()))

    for (const queued of second) expect(queued?.outcome).toMatchObject({ status: 'sent' })
    expect(tokens.asked).toHaveLength(2)
    close()
  })
})

test('a connection is kept after its token was renewed', async () => {
  const { server, send, advance, close } = await stage({})
  await send()
  advance(3_700_000)
  await send()

  expect(tokens.asked).toHaveLength(2)
  expect(server.connections()).toBe(1)
  close()
})

test('a token server that is down defers the message and no mail server is asked', async () => {
  tokens.reply = () => new Response('', { status: 502 })
  const { server, queue, probe, close } = await stage({})

  expect(await queue()).toMatchObject({ outcome: { status: 'deferred', cause: 'busy' }, others: 0 })
  expect(server.connections()).toBe(0)
  const steps = await probe()
  expect(steps.map(({ step, ok }) => `${step} ${ok}`)).toEqual([
    ...['resolve true', 'connect true', 'greeting true', 'offers true', 'token false'],
  ])
  close()
})

test('a message that waited long for its token goes back to its lane, and the token is kept', async () => {
  const { queue, advance, close } = await stage({})
  tokens.reply = async () => {
    await Bun.sleep(20)
    advance(2_500)
    return Response.json(grant('token-9'))
  }

  expect(await queue()).toBeNull()
  expect((await queue())?.outcome).toMatchObject({ status: 'sent' })
  expect(tokens.asked).toHaveLength(1)
  close()
})

test('a message that is stopped while it waits for a token is not begun', async () => {
  const held = Promise.withResolvers<Response>()
  tokens.reply = () => held.promise
  const { server, app, queue, close } = await stage({})
  const stop = new AbortController()
  const waiting = queue(app, 1, stop.signal)
  stop.abort('cancel')

  expect(await waiting).toBeNull()
  held.resolve(Response.json(grant('token-1')))
  expect(server.connections()).toBe(0)
  close()
})

test('a probe tells of the token and the login', async () => {
  const good = await stage({})
  expect((await good.probe()).map(({ step, ok }) => `${step} ${ok}`)).toEqual([
    ...['resolve true', 'connect true', 'greeting true', 'offers true'],
    ...['token true', 'login true'],
  ])
  good.close()
  const bad = await stage(accepts())
  expect((await bad.probe()).at(-1)).toEqual({
    ...{ step: 'login', ok: false },
    says:
      'The login was refused; check that user is the mailbox whose owner consented. ' +
      'It said: 535 5.7.8 not accepted',
  })
  bad.close()
})
