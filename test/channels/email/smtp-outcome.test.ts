import { describe, expect, test } from 'bun:test'
import {
  outcomeOf,
  type SmtpFailure,
  sentOutcome,
} from '../../../src/channels/email/smtp-outcome.ts'
import { wordsOf } from '../../../src/channels/email/smtp-words.ts'
import { smtpOf } from '../../support/commands.ts'
import { type Script, scriptedServer, until } from '../../support/smtp.ts'
import { appWith, handoverOf, openChannel } from '../mail-fixtures.ts'

type Expected = Partial<Record<'status' | 'cause' | 'code' | 'remoteId', string | null>> & {
  ambiguous?: boolean
  retryAfterMs?: number | null
}
const deferred = (cause: string, code: string | null = null): Expected => {
  return { status: 'deferred', cause, ambiguous: false, ...(code && { code }) }
}
const refused = (cause: string): Expected => ({ status: 'refused', cause })

const rows: [Script, Expected][] = [
  [
    { message: '250 2.0.0 Ok: queued as 4BcD' },
    { status: 'sent', code: '250 2.0.0', remoteId: '4BcD' },
  ],
  [
    { message: '250 OK id=1abC-0004-2x' },
    { status: 'sent', code: '250', remoteId: '1abC-0004-2x' },
  ],
  [{ message: '250 fine' }, { status: 'sent', code: '250', remoteId: null }],
  [{ 'RCPT TO': '450 4.2.0 mailbox busy' }, deferred('busy')],
  [{ 'RCPT TO': '451 4.7.1 greylisted, come back later' }, deferred('greylisted', '451 4.7.1')],
  [{ 'RCPT TO': '452 4.2.2 mailbox full' }, deferred('busy')],
  [{ 'RCPT TO': '552 5.2.2 mailbox full' }, deferred('busy')],
  [{ 'MAIL FROM': '452 4.3.1 no space' }, deferred('busy')],
  [{ 'MAIL FROM': '421 4.3.2 closing down' }, deferred('busy')],
  [{ message: '451 4.4.1 upstream does not answer' }, deferred('busy')],
  [{ message: '450 4.7.26 too many' }, deferred('busy')],
  [{ message: '421 4.7.0 rate' }, deferred('busy')],
  [{ message: '421 5.7.0 closing down' }, deferred('busy')],
  [{ message: '503 5.5.1 bad sequence' }, deferred('busy')],
  [{ greeting: '421 4.3.2 too busy' }, deferred('busy')],
  [{ 'RCPT TO': '550 5.1.1 no such user' }, refused('recipient')],
  [{ 'RCPT TO': '550 5.1.2 no such domain' }, refused('recipient')],
  [{ 'RCPT TO': '553 5.1.3 bad syntax' }, refused('recipient')],
  [{ 'RCPT TO': '550 5.1.10 null MX' }, refused('recipient')],
  [{ 'RCPT TO': '550 5.2.1 disabled' }, refused('recipient')],
  [{ message: '550 5.1.1 no such user' }, refused('recipient')],
  [{ 'RCPT TO': '550-no such\r\n550 user here' }, refused('recipient')],
  [{ 'RCPT TO': '550' }, refused('recipient')],
  [{ 'RCPT TO': '450 try again' }, deferred('busy')],
  [{ 'RCPT TO': '550 5.7.1 relaying denied' }, refused('policy')],
  [{ message: '550 5.7.26 unauthenticated sender' }, refused('policy')],
  [{ message: '550 5.7.25 no reverse DNS' }, refused('policy')],
  [{ message: '554 looks like spam' }, refused('policy')],
  [{ 'MAIL FROM': '553 sender not allowed' }, refused('policy')],
  [{ 'MAIL FROM': '550 5.1.8 bad sender' }, refused('policy')],
  [{ 'MAIL FROM': '552 5.3.4 too big' }, refused('message')],
  [{ message: '552 too big' }, refused('message')],
  [{ message: '554 5.6.0 malformed' }, refused('message')],
  [{ 'MAIL FROM': '550 5.5.1 unknown command' }, refused('policy')],
  [{ greeting: '554 5.3.2 no service' }, refused('server')],
  [{ 'MAIL FROM': '530 5.7.0 authentication required' }, refused('login')],
  [{ 'MAIL FROM': '530 Authentication required' }, refused('login')],
  [{ 'MAIL FROM': '530 Must issue a STARTTLS command first' }, refused('server')],
  [{ 'MAIL FROM': '535 5.7.8 bad credentials' }, refused('login')],
  [{ 'MAIL FROM': '550 5.7.30 basic authentication is off' }, refused('login')],
  [{ 'RCPT TO': '450 4.7.1 please wait' }, deferred('greylisted', '450 4.7.1')],
  [{ 'RCPT TO': '450 4.2.0 Greylisted, try again in 300 seconds' }, { retryAfterMs: 300_000 }],
  [{ 'RCPT TO': '451 4.3.0 retry in 5 minutes' }, { ...deferred('busy'), retryAfterMs: 300_000 }],
  [{ 'RCPT TO': '451 4.3.0 later' }, { ...deferred('busy'), retryAfterMs: null }],
  [{ greeting: '554 too many connections from your address' }, deferred('busy', '554')],
  [{ message: 'close' }, { ...deferred('network'), ambiguous: true }],
  [{ DATA: 'close' }, deferred('network')],
  [{ 'RCPT TO': 'close' }, deferred('network')],
  [{ EHLO: 'close' }, deferred('network')],
  [{ greeting: 'SSH-2.0-OpenSSH_9.7' }, deferred('network')],
]

describe('the outcome of a message', () => {
  test.each(rows)('follows from what the server said: %j', async (script, expected) => {
    const server = await scriptedServer(script)
    const channel = openChannel()

    const outcome = await channel.send(appWith({ email: { port: server.port } }))

    expect(outcome).toMatchObject(expected)
    channel.close()
    server.close()
  })

  const logins: [string, Expected][] = [
    ['535 5.7.8 bad credentials', refused('login')],
    ['534 5.7.9 application password required', refused('login')],
    ['538 encryption required', refused('login')],
    ['454 4.7.0 temporary authentication failure', deferred('busy')],
    ['421 4.7.0 too many logins', deferred('busy', '421 4.7.0')],
  ]
  test.each(logins)('follows from the answer to the login: %s', async (reply, expected) => {
    const server = await scriptedServer({ EHLO: '250-hello\r\n250 AUTH PLAIN', AUTH: reply })
    const channel = openChannel()
    const app = appWith({ email: { port: server.port }, password: 'hunter2' })

    expect(await channel.send(app)).toMatchObject(expected)
    channel.close()
    server.close()
  })

  test('is deferred where nothing listens', async () => {
    const server = await scriptedServer()
    server.close()
    const channel = openChannel()

    expect(await channel.send(appWith({ email: { port: server.port } }))).toEqual({
      status: 'deferred',
      cause: 'network',
      ambiguous: false,
      retryAfterMs: null,
      code: null,
      detail: 'the mail server refused the connection',
    })
    channel.close()
  })

  test.each([
    ['message', '.', true],
    ['RCPT TO', 'RCPT TO:<ada@example.com>', false],
  ] as const)('after an abort is ambiguous only if the message had left: %s', async (...row) => {
    const [silentAt, lastLine, ambiguous] = row
    const server = await scriptedServer({ [silentAt]: 'hang' })
    const channel = openChannel()
    const stop = new AbortController()

    const handover = handoverOf(appWith({ email: { port: server.port } }))
    const outcome = channel.deliver(handover, stop.signal)
    await until(() => server.commands.includes(lastLine))
    stop.abort()

    expect(await outcome).toMatchObject({ status: 'deferred', ambiguous })
    channel.close()
    server.close()
  })
})

const rcpt = 'RCPT TO'
const failures: [SmtpFailure, Expected][] = [
  [{ response: '554 too many concurrent connections', command: 'CONN' }, { cause: 'busy' }],
  [{ response: '554 Too many simultaneous SMTP connections' }, { cause: 'busy' }],
  [{ response: '550 5.7.0 too many open sessions', command: 'MAIL FROM' }, { cause: 'busy' }],
  [{ response: '450 4.2.0 Greylisted', command: rcpt }, { cause: 'greylisted' }],
  [{ response: '450 4.2.0 graylisting in action', command: rcpt }, { cause: 'greylisted' }],
  [{ response: '451 grey-listed', command: rcpt }, { cause: 'greylisted' }],
  [{ response: '451 4.7.1 come back later', command: rcpt }, { cause: 'greylisted' }],
  [{ response: '452 4.7.1 come back later', command: rcpt }, { cause: 'busy' }],
  [{ response: '552 5.2.1234 no code of RFC 3463', command: rcpt }, { cause: 'busy' }],
  [{ response: '552 5.1234.1 no code of RFC 3463', command: rcpt }, { cause: 'busy' }],
  [{ response: '550 5.7.1234 no code of RFC 3463', command: rcpt }, refused('recipient')],
  [{ response: '450 5..1 no code of RFC 3463', command: rcpt }, { cause: 'busy' }],
  [{ response: '450 5.7.x no code of RFC 3463', command: rcpt }, { cause: 'busy' }],
  [{ response: '552 5.123.1 of an unknown subject', command: rcpt }, refused('recipient')],
  [{ response: '550 5.7.606 banned address', command: rcpt }, refused('policy')],
  [{ response: '550 4.2.1 try later', command: rcpt }, { cause: 'busy' }],
  [{ response: '550 2.1.5 odd', command: rcpt }, { cause: 'busy' }],
  [{ response: 'status 550 5.1.1', command: rcpt }, { cause: 'network' }],
  [{ response: '5501 guests', command: rcpt }, { cause: 'network' }],
  [{ response: '552 mailbox full', command: rcpt }, { cause: 'busy' }],
  [{ response: '552 5.5.1 no', command: rcpt }, refused('recipient')],
  [{ response: '553 no', command: rcpt }, refused('recipient')],
  [{ response: '552 5.2.3 too long for this mailbox', command: rcpt }, refused('message')],
  [{ response: '552 too big', command: 'MAIL FROM' }, refused('message')],
  [{ response: '551 no', command: 'MAIL FROM' }, refused('policy')],
  [{ response: '553 5.1.7 bad syntax of the sender', command: 'MAIL FROM' }, refused('policy')],
  [{ response: '550 5.2.1 mailbox is disabled', command: 'DATA' }, refused('recipient')],
  [{ response: '552 5.3.4 too big', command: rcpt }, refused('message')],
  [{ response: '554 5.3.2 closed', command: rcpt }, refused('server')],
  [{ response: '554 5.7.3 no TLS now', command: 'STARTTLS' }, refused('server')],
  [{ response: '554 5.5.1 no valid recipients', command: 'DATA' }, refused('server')],
  [{ response: '550 who are you', command: 'EHLO' }, refused('server')],
  [{ response: '550 no', command: rcpt, code: 'EAUTH' }, refused('login')],
  [{ response: '550 no', command: 'AUTH PLAIN' }, refused('login')],
  [{ response: '534 5.7.9 log in', command: 'MAIL FROM' }, refused('login')],
  [{ response: '535 bad credentials', command: 'MAIL FROM' }, refused('login')],
  [{ response: '538 encrypt first', command: 'MAIL FROM' }, refused('login')],
  [{ response: '530 5.5.1 STARTTLS comes first', command: 'MAIL FROM' }, refused('server')],
  [{ response: '530 must issue a starttls command first', command: rcpt }, refused('server')],
  [{ response: '530 5.7.0 Must issue a STARTTLS command first' }, refused('server')],
  [{ response: '530 Authentication required', command: rcpt }, refused('login')],
  [{ response: '554 5.7.1 use STARTTLS', command: rcpt }, refused('policy')],
  [{ response: '554 5.7.30 no', command: 'MAIL FROM' }, refused('policy')],
  [{ code: 'EAUTH' }, refused('login')],
  [{ code: 'ENOAUTH' }, refused('login')],
  [{ code: 'ESOCKET', originalCode: 'CERT_HAS_EXPIRED' }, refused('server')],
  [{ code: 'ENOTPUBLIC' }, refused('policy')],
  [{ code: 'EENVELOPE' }, refused('message')],
  [{ code: 'EMESSAGE' }, refused('message')],
]

describe('a failure', () => {
  test.each(failures)('is what it says: %j', (failure, expected) => {
    const outcome = outcomeOf(failure, server(), { secrets, begun: false })

    expect(outcome).toMatchObject({ status: 'deferred', ...expected })
    expect('ambiguous' in outcome).toBe(outcome.status === 'deferred')
  })

  const noAddress = 'the mail server has no address in the DNS, or the DNS did not answer'
  const noMessage = 'the mail server does not take a message of this size or form'
  const noLogin = 'the mail server offers no login that works with this password'
  const ownWords = [
    ['EDNS', noAddress],
    ['ETIMEDOUT', 'the mail server did not answer in time'],
    ['EABORT', 'the mail server did not take the message in time'],
    ['ECONNECTION', 'the mail server closed the connection'],
    ['ESOCKET', 'the connection to the mail server broke'],
    ['ETLS', 'the mail server did not complete the TLS handshake'],
    ['EPROTOCOL', 'the mail server did not answer as one'],
    ['EENVELOPE', noMessage],
    ['EMESSAGE', noMessage],
    ['EAUTH', noLogin],
    ['ENOAUTH', noLogin],
    ['ESTREAM', 'the message could not be handed over'],
  ] as const
  test.each(ownWords)('without a reply is described in our own words: %s', (code, detail) => {
    for (const registeredBy of ['admin', 'open'] as const) {
      const outcome = outcomeOf({ code }, server(registeredBy), { secrets, begun: false })
      expect(outcome).toMatchObject({ code: null, detail })
    }
  })
})

describe('the server’s words', () => {
  test('are one line without control characters, and no longer than 200', () => {
    const words = wordsOf(
      `550-first\r\n550 5.1.1 \u001b[31msecond\u202e${'x'.repeat(999)}`,
      secrets,
    )

    expect(words).toStartWith('550-first 550 5.1.1 [31msecond x')
    expect(words).toHaveLength(200)
  })

  test('name neither recipient nor code, in any spelling', () => {
    expect(wordsOf('550 <Ada@Example.COM>: 483920 is your code', secrets)).toBe(
      '550 <<recipient>>: <code> is your code',
    )
    expect(wordsOf('550 a.b+c@x.test', { recipient: 'a.b+c@x.test', code: '1' })).toBe(
      '550 <recipient>',
    )
  })

  test('are cut only after the secrets are removed', () => {
    const words = wordsOf(`550 ${'x'.repeat(190)} ada@example.com`, secrets)

    expect(words).not.toContain('ada')
  })

  test('are left out for a server that does not speak SMTP', () => {
    for (const response of ['SSH-2.0-OpenSSH_9.7', '220 FTP server ready']) {
      const failure = { code: 'EPROTOCOL', response, command: 'CONN' }

      expect(outcomeOf(failure, server(), { secrets, begun: false })).toMatchObject({
        status: 'deferred',
        cause: 'network',
        code: null,
        detail: 'the mail server did not answer as one',
      })
    }
  })

  test('are not shown to an openly registered app', () => {
    const replies = ['550 5.1.1 internal-host.lan', '421 internal-host.lan', '535 5.7.8 internal']
    for (const response of replies) {
      const failure = { code: 'EENVELOPE', response, command: 'RCPT TO' }
      const own = outcomeOf(failure, server('admin'), { secrets, begun: false })
      const strangers = outcomeOf(failure, server('open'), { secrets, begun: false })

      expect(own.detail).toBe(response)
      expect(strangers).toMatchObject({ status: own.status, code: own.code })
      expect(strangers.detail).toMatch(/^the mail server /)
      expect(strangers.detail).not.toContain('internal')
    }
    expect(sentOutcome('250 queued as 4B by internal-host.lan', 'open', secrets).detail).toBeNull()
  })

  test('are replaced by our own for an openly registered app, by cause', () => {
    const shown = (response: string, command: string) =>
      outcomeOf({ response, command }, server('open'), { secrets, begun: false }).detail

    const refusedIt = 'the mail server refused the'
    expect(shown('550 5.1.1 x', 'RCPT TO')).toBe(`${refusedIt} recipient`)
    expect(shown('535 5.7.8 x', 'AUTH PLAIN')).toBe(`${refusedIt} login`)
    expect(shown('550 5.7.1 x', 'DATA')).toBe(`${refusedIt} message by its policy`)
    expect(shown('554 5.6.0 x', 'DATA')).toBe(`${refusedIt} message`)
    expect(shown('554 5.3.2 x', 'CONN')).toBe('the mail server does not serve')
    expect(shown('450 4.2.0 x', 'RCPT TO')).toBe('the mail server is busy')
    expect(shown('450 4.7.1 x', 'RCPT TO')).toBe('the mail server asked for a later try')
  })

  test('about an accepted message are kept without secrets', () => {
    expect(sentOutcome('250 2.0.0 queued as 4B\r\nfor Ada@example.com', 'admin', secrets)).toEqual({
      status: 'sent',
      code: '250 2.0.0',
      detail: '250 2.0.0 queued as 4B for <recipient>',
      remoteId: '4B',
    })
  })

  test('contain no password, however it is quoted', () => {
    const quoted = Buffer.from('\0codes\0hunter2').toString('base64')
    const response = `535 hunter2 ${quoted}`
    const failure = { code: 'EAUTH', response, command: 'AUTH PLAIN' }
    const withPassword = { ...server(), credential: 'hunter2' }

    expect(outcomeOf(failure, withPassword, { secrets, begun: false }).detail).toBe(
      '535 <password> <password>',
    )
  })
})

describe('a server that is set up wrongly', () => {
  const email = { security: 'starttls' as const }

  test('gets the advice for its fault', async () => {
    const bare = await scriptedServer({ EHLO: '250 mail.acme.test' })
    const channel = openChannel()
    const outcome = await channel.send(appWith({ email: { ...email, port: bare.port } }))

    expect(outcome).toMatchObject({ status: 'refused', cause: 'server', code: '502 5.5.1' })
    expect(outcome.detail).toContain('offers no STARTTLS')
    expect(outcome.detail).toContain('"none"')
    channel.close()
    bare.close()
  })

  test('gets advice without the server’s words where the app was openly registered', () => {
    const failure = { code: 'ETLS', response: '502 5.5.1 internal.lan', command: 'STARTTLS' }
    const { detail } = outcomeOf(failure, server('open'), { secrets, begun: false })

    expect(detail).toContain('mail.acme.test:587')
    expect(detail).not.toContain('internal')
  })

  test('is refused for its certificate, and deferred for any other fault of TLS', () => {
    const outcome = (failure: SmtpFailure) =>
      outcomeOf(failure, server(), { secrets, begun: false })

    const none =
      'No encryption was agreed on at mail.acme.test:587; try security "tls" (usual on 465).'
    for (const originalCode of ['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_TLS_HANDSHAKE_TIMEOUT']) {
      const broken = outcome({ code: 'ESOCKET', originalCode })
      expect(broken).toMatchObject({ status: 'deferred', cause: 'network', detail: none })
    }
    const expired = outcome({ code: 'ESOCKET', originalCode: 'CERT_HAS_EXPIRED' })
    expect(expired).toMatchObject({ status: 'refused', cause: 'server' })
    expect(expired.detail).toContain('is not trusted (CERT_HAS_EXPIRED)')
  })

  test('is refused where its address is not public, with at most 300 characters', () => {
    const failure = { code: 'ENOTPUBLIC' }
    const says = 'mail.acme.test has an address that is not public; name a public mail server.'
    expect(outcomeOf(failure, server(), { secrets, begun: false })).toEqual({
      ...{ status: 'refused', cause: 'policy', code: null, detail: says },
    })

    const { settings, ...rest } = server()
    const long = { ...rest, settings: { ...settings, host: `${'a'.repeat(250)}.test` } }
    expect(outcomeOf(failure, long, { secrets, begun: false }).detail).toHaveLength(300)
  })
})

const secrets = { recipient: 'ada@example.com', code: '483920' }

function server(registeredBy: 'admin' | 'open' = 'admin') {
  const email = { host: 'mail.acme.test', port: 587, security: 'starttls' as const, user: 'codes' }
  const settings = smtpOf(appWith({ email }).endpoints[0])
  return { settings, credential: null, registeredBy }
}
