import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { createEmailChannel } from '../../../src/channels/email/email.ts'
import { createMailThread } from '../../../src/channels/email/mail-thread.ts'
import type { Channel } from '../../../src/domain/ports.ts'
import { systemTimers } from '../../../src/system.ts'
import { mailServer, makeCertificate, scriptedServer, until } from '../../support/smtp.ts'
import { appWith, handoverOf, tokenPorts } from '../mail-fixtures.ts'

// A thread starts slowly on a busy machine.
setDefaultTimeout(30_000)

const { signal } = new AbortController()
const crashing = new URL('./crashing-worker.ts', import.meta.url).href
const open: Channel[] = []

function channelIn(options: Partial<Parameters<typeof createMailThread>[0]> = {}): Channel {
  const mailer = createMailThread({ connectionsMax: 10, timers: systemTimers, ...options })
  const channel = createEmailChannel(tokenPorts, mailer)
  open.push(channel)
  return channel
}

afterEach(() => {
  for (const channel of open.splice(0)) channel.close()
})

describe('the mail thread', () => {
  test('composes, encrypts, logs in and sends', async () => {
    const certificate = makeCertificate()
    const login = { user: 'codes', password: 'p\u00e4ss word' }
    const server = await mailServer({ security: 'starttls', certificate, login })
    const email = { host: 'localhost', port: server.port, security: 'starttls' as const }
    const app = appWith({ email, password: login.password })

    const outcome = await channelIn({ ca: [certificate.ca] }).deliver(handoverOf(app), signal)

    expect(outcome).toMatchObject({ status: 'sent' })
    expect(server.arrived).toMatchObject([{ encrypted: true, user: login.user }])
    expect(server.arrived[0]?.raw).toContain('483920')
    certificate.remove()
    await server.close()
  })

  test('ends a canceled mail whose message is not on its way yet, and no other', async () => {
    const early = await scriptedServer({ 'MAIL FROM': 'hang' })
    const late = await scriptedServer({ message: 'hang' })
    const channel = channelIn()
    const stops = [new AbortController(), new AbortController()]
    const [first, second] = [early, late].map((server, index) => {
      const app = appWith({ id: `app-${index}`, email: { port: server.port } })
      return channel.deliver(handoverOf(app), stops[index]?.signal ?? signal)
    })
    await until(() => early.commands.length > 1 && late.commands.includes('.'))

    for (const stop of stops) stop.abort('cancel')

    expect(await first).toMatchObject({ status: 'deferred', ambiguous: false })
    await until(() => early.open() === 0)
    await Bun.sleep(100)
    expect(late.open()).toBe(1)
    late.hangUp()
    expect(await second).toMatchObject({ status: 'deferred', ambiguous: true })
    early.close()
    late.close()
  })

  test('drops a mail that is stopped, in any state', async () => {
    const server = await scriptedServer({ message: 'hang' })
    const stop = new AbortController()
    const handover = handoverOf(appWith({ email: { port: server.port } }))
    const outcome = channelIn().deliver(handover, stop.signal)
    await until(() => server.commands.includes('.'))

    stop.abort()

    expect(await outcome).toMatchObject({ status: 'deferred', ambiguous: true })
    server.close()
  })
})

describe('a mail whose lease may have been taken over', () => {
  test.each([
    ['is sent when the store says that it is held', true, 'sent'],
    ['is not sent when another node has it', false, 'deferred'],
  ] as const)('%s', async (_what, isHeld, status) => {
    const server = await scriptedServer()
    const handover = handoverOf(appWith({ email: { port: server.port } }))
    const lease = { sureUntil: systemTimers.monotonic(), isHeld: async () => isHeld }

    const queued = await channelIn().queue?.(handover, { width: 3, signal, lease })

    expect(queued?.outcome).toMatchObject({ status })
    if (status === 'deferred') expect(queued?.outcome).toMatchObject({ ambiguous: false })
    expect(server.commands).toContain('DATA')
    expect(server.commands.includes('.')).toBe(isHeld)
    server.close()
  })

  test('is sent without a question while the lease is sure', async () => {
    const server = await scriptedServer()
    const handover = handoverOf(appWith({ email: { port: server.port } }))
    const isHeld = () => Promise.reject(new Error('nobody asks'))
    const lease = { sureUntil: systemTimers.monotonic() + 60_000, isHeld }

    const queued = await channelIn().queue?.(handover, { width: 3, signal, lease })

    expect(queued?.outcome).toMatchObject({ status: 'sent' })
    server.close()
  })
})

describe('when the mail thread dies', () => {
  test.each([
    ['by an error', '000001', false],
    ['by an error', '900001', true],
    ['by itself', '000002', false],
    ['by itself', '900002', true],
  ])(
    '%s, a mail with code %s ends as deferred, and as ambiguous: %p',
    async (_how, code, ambiguous) => {
      const outcome = await channelIn({ url: crashing }).deliver(
        handoverOf(appWith(), { code }),
        signal,
      )

      expect(outcome).toMatchObject({ status: 'deferred', cause: 'network', ambiguous })
      expect(JSON.stringify(outcome)).not.toContain(code)
    },
  )

  test('all its mails end, and a new thread sends the next mail', async () => {
    const channel = channelIn({ url: crashing })
    const codes = ['900003', '000003', '000001']
    const outcomes = await Promise.all(
      codes.map((code) => channel.deliver(handoverOf(appWith(), { code }), signal)),
    )

    expect(outcomes).toMatchObject([
      { ambiguous: true },
      { ambiguous: false },
      { ambiguous: false },
    ])
    expect(await channel.deliver(handoverOf(appWith()), signal)).toMatchObject({ status: 'sent' })
  })

  test('a thread that cannot start ends its mails too', async () => {
    const channel = channelIn({ url: new URL('./no-such-worker.ts', import.meta.url).href })

    expect(await channel.deliver(handoverOf(appWith()), signal)).toMatchObject({
      status: 'deferred',
      ambiguous: false,
    })
  })
})

test('the thread has a bounded number of mails at a time', async () => {
  const channel = channelIn({ url: crashing, connectionsMax: 1 })
  const held = Array.from({ length: 65 }, () => {
    return channel.deliver(handoverOf(appWith(), { code: '000003' }), signal)
  })

  expect(await channel.deliver(handoverOf(appWith()), signal)).toMatchObject({
    status: 'deferred',
    cause: 'busy',
  })
  channel.close()
  expect(await Promise.all(held)).toHaveLength(65)
})

test('without free file descriptors no thread is started, and with some the next mail is sent', async () => {
  const script = new URL('./no-files.ts', import.meta.url).pathname
  const command = ['sh', '-c', 'ulimit -n 100; exec "$0" "$@"', process.execPath, script]
  const child = Bun.spawn(command, { stdout: 'pipe', stderr: 'pipe' })
  const said = await new Response(child.stdout).text()

  expect(said.trim().split('\n')).toEqual([
    'sent ok',
    'deferred the thread that sends mail ended before the mail server answered',
    'deferred too few files can be opened to start the thread that sends mail',
    'sent ok',
  ])
  expect(await child.exited).toBe(0)
})
