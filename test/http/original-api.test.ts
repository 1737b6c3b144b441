import { expect, test } from 'bun:test'
import { startVerification } from '../../src/domain/verification/start.ts'
import { smtpOf } from '../support/commands.ts'
import { codeOf, noon, wrongCode } from '../support/world.ts'
import { adminToken, type CallOptions, type Json, type Site, site } from './fixture.ts'

const registration = {
  secretKey: 'correct-horse-battery',
  smtp_host: 'smtp.example.com',
  smtp_port: 587,
  smtp_mail: 'codes@example.com',
  smtp_password: 'hunter2-hunter2',
}

const post = (at: Site, path: string, body: unknown, options: CallOptions = {}) =>
  at.call('POST', path, { body, token: null, ...options })

async function registered(options: Parameters<typeof site>[0] = {}): Promise<Site> {
  const at = await site({ http: { openRegistration: true }, ...options })
  expect((await post(at, '/reg_secretkey', registration)).status).toBe(200)
  return at
}

async function mailed(at: Site, mail = 'ada@example.com') {
  const { secretKey } = registration
  const answer = await post(at, '/otp', { mail, secretKey })
  expect(answer.status).toBe(200)
  return { shareableKey: answer.text, code: codeOf(at.sent.at(-1)) }
}

const verify = (at: Site, shareableKey: unknown, otp: unknown, from = '192.0.2.1') =>
  post(at, '/verify-otp', { shareableKey, otp }, { from })

test('the three calls of the original README answer word for word', async () => {
  const at = await site({ http: { openRegistration: true } })

  const register = await post(at, '/reg_secretkey', registration)
  const otp = await post(at, '/otp', {
    mail: 'ada@example.com',
    secretKey: registration.secretKey,
  })
  const wrong = await verify(at, otp.text, wrongCode(codeOf(at.sent[0])))
  const right = await verify(at, otp.text, codeOf(at.sent[0]))

  expect([register.status, register.text]).toEqual([200, 'Registration of secretKey succeeded.'])
  expect([otp.status, otp.text]).toEqual([200, expect.stringMatching(/^[0-9A-Za-z]{30}$/)])
  expect([wrong.status, wrong.text]).toEqual([403, 'OTP Mismatched!'])
  expect([right.status, right.text]).toEqual([201, 'OTP Matched!'])
  expect(right.headers.get('content-type')).toStartWith('text/plain')
})

test('the last wrong attempt mismatches, and later ones get Maximum Attempts Reached!', async () => {
  const at = await registered()
  const { shareableKey, code } = await mailed(at)

  const answers = []
  for (let i = 0; i < 7; i++) {
    const { status, text } = await verify(at, shareableKey, wrongCode(code))
    answers.push(`${status} ${text}`)
  }

  expect(answers.slice(0, 5)).toEqual(Array(5).fill('403 OTP Mismatched!'))
  expect(answers.slice(5)).toEqual(Array(2).fill('400 Maximum Attempts Reached!'))
  expect((await verify(at, shareableKey, code)).text).toBe('Maximum Attempts Reached!')
})

test('a string that cannot be the code is a mismatch and costs no attempt', async () => {
  const at = await registered()
  const { shareableKey, code } = await mailed(at)

  for (const otp of ['', ' ', '0', 'abc', `${code}1`, '1e5']) {
    const answer = await verify(at, shareableKey, otp)
    expect([answer.status, answer.text]).toEqual([403, 'OTP Mismatched!'])
  }
  for (const otp of [true, Number(code), [code], { $ne: 1 }, null, undefined]) {
    const answer = await verify(at, shareableKey, otp)
    expect([answer.status, answer.text]).toEqual([400, 'Error: otp must be a string'])
  }

  expect((await verify(at, shareableKey, code)).text).toBe('OTP Matched!')
})

test('an unknown, a used and an expired key get the same answer', async () => {
  const at = await registered({ settings: { recipientStartSpacingSeconds: 1 } })
  const used = await mailed(at)
  await verify(at, used.shareableKey, used.code)
  const expired = await mailed(at, 'bob@example.com')
  at.clock.advance(601_000)

  const answers = await Promise.all([
    verify(at, 'x'.repeat(30), used.code),
    verify(at, used.shareableKey, used.code),
    verify(at, expired.shareableKey, expired.code),
  ])

  for (const { status, text } of answers) {
    expect([status, text]).toEqual([400, 'Error: This shareableKey is unknown, used or expired'])
  }
})

test('an address may use dead keys ten times a minute, and live ones always', async () => {
  const at = await registered()
  const { shareableKey, code } = await mailed(at)

  const dead = []
  for (let i = 0; i < 12; i++) dead.push(await verify(at, `${i}`.padStart(30, 'x'), '123456'))
  const elsewhere = await verify(at, 'y'.repeat(30), '123456', '198.51.100.7')
  const live = await verify(at, shareableKey, code)

  // Two of the ten went to the registration and to the first call with its secretKey.
  expect(dead.filter(({ status }) => status === 400)).toHaveLength(8)
  expect(dead.at(-1)?.status).toBe(429)
  expect(Number(dead.at(-1)?.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(elsewhere.status).toBe(400)
  expect(live.status).toBe(201)
})

test('callers without an address are counted together', async () => {
  const at = await registered()
  const answers = []
  for (let i = 0; i < 11; i++) {
    const body = { shareableKey: `${i}`.padStart(30, 'x'), otp: '123456' }
    answers.push((await post(at, '/verify-otp', body, { from: null })).status)
  }
  expect(answers).toEqual([...Array(10).fill(400), 429])
})

test('registration needs the admin token unless it is open', async () => {
  const at = await site()

  const closed = await post(at, '/reg_secretkey', registration)
  const wrong = await post(at, '/reg_secretkey', registration, { token: 'otpm_admin_x' })
  const right = await post(at, '/reg_secretkey', registration, { token: adminToken })

  expect([closed.status, closed.text]).toEqual([401, 'Error: Registration is closed'])
  expect(wrong.status).toBe(401)
  expect(right.text).toBe('Registration of secretKey succeeded.')
})

test('a secretKey that is taken is never overwritten', async () => {
  const at = await registered()

  const again = await post(at, '/reg_secretkey', { ...registration, smtp_host: 'evil.example' })

  expect([again.status, again.text]).toEqual([400, 'Error: This secretKey is taken'])
  await mailed(at)
  expect(smtpOf(at.sent[0]?.handover.endpoint).host).toBe('smtp.example.com')
})

test('a registration without the token may name public mail servers only', async () => {
  const at = await site({
    http: { openRegistration: true },
    ports: { egress: { reach: async () => 'not_public' } },
  })

  const open = await post(at, '/reg_secretkey', registration)
  const port = await post(at, '/reg_secretkey', { ...registration, smtp_port: 8025 })
  const admin = await post(at, '/reg_secretkey', registration, { token: adminToken })

  expect([open.status, open.text]).toEqual([
    400,
    'Error: The mail server must have public addresses only',
  ])
  expect(port.text).toContain('smtp_port')
  expect(admin.status).toBe(200)
})

test('every mistake of a registration is named at once, without values', async () => {
  const at = await site({ http: { openRegistration: true } })

  const answer = await post(at, '/reg_secretkey', { secretKey: 'short', smtp_password: 'hunter2' })

  expect(answer.status).toBe(400)
  for (const field of ['secretKey', 'smtp_host', 'smtp_port', 'smtp_mail']) {
    expect(answer.text).toContain(field)
  }
  expect(answer.text).not.toContain('hunter2')
  expect(answer.text).not.toContain('short')
})

test('without the token the mail server must accept the login, and From be in its domain', async () => {
  const at = await site({
    http: { openRegistration: true },
    ports: { tryLogin: async () => '535 5.7.8 wrong password' },
  })

  const refused = await post(at, '/reg_secretkey', registration)
  const foreign = await post(at, '/reg_secretkey', { ...registration, smtp_user: 'eve@evil.test' })
  const admin = await post(at, '/reg_secretkey', registration, { token: adminToken })

  expect([refused.status, refused.text]).toEqual([400, 'Error: 535 5.7.8 wrong password'])
  expect(foreign.text).toBe('Error: smtp_mail must lie in the domain of the login')
  expect(admin.status).toBe(200)
})

test('an app has the registered name or none', async () => {
  const at = await registered()
  const named = { ...registration, secretKey: 'another-secret', app_name: 'Acme' }
  await post(at, '/reg_secretkey', named)

  const { items } = (await at.call('GET', '/v1/apps', { token: adminToken })).json

  const names = items.map(({ name, registered_by }: Json) => [registered_by, name])
  expect(names).toContainEqual(['open', null])
  expect(names).toContainEqual(['open', 'Acme'])
})

test('in developer mode a secretKey needs no token, and may name any server', async () => {
  const at = await site({
    http: { developerMode: true },
    ports: { egress: { reach: async () => 'not_public' }, tryLogin: async () => 'refused' },
  })
  const local = { ...registration, smtp_host: 'localhost', smtp_port: 1025 }

  const answer = await post(at, '/reg_secretkey', local)
  const short = await post(at, '/reg_secretkey', { ...local, secretKey: 'app1' })

  expect(answer.text).toBe('Registration of secretKey succeeded.')
  expect((await otp(at)).status).toBe(200)
  expect(at.sent[0]?.delivery).toMatchObject({ mode: 'live', channel: 'email' })
  expect(short.text).toStartWith('Error: secretKey must be 8 to 256 characters')
})

test('in developer mode the server “inbox” keeps the mails on this machine', async () => {
  const at = await site({ http: { developerMode: true } })
  const { secretKey } = registration

  const answer = await post(at, '/reg_secretkey', { secretKey, smtp_host: 'inbox' })
  const { shareableKey, code } = await mailed(at)

  expect(answer.status).toBe(200)
  expect(at.sent[0]?.delivery).toMatchObject({ mode: 'test', channel: 'inbox' })
  at.clock.advance(30_000)
  expect((await otp(at, { shareableKey })).text).toBe(shareableKey)
  expect((await verify(at, shareableKey, code)).text).toBe('OTP Matched!')

  const closed = await site({ http: { openRegistration: true } })
  const outside = await post(closed, '/reg_secretkey', { ...registration, smtp_host: 'inbox' })
  expect(outside.status).toBe(200)
  const [app] = (await closed.call('GET', '/v1/apps', { token: adminToken })).json.items.filter(
    ({ registered_by }: Json) => registered_by === 'open',
  )
  expect(app.endpoints[0].email.host).toBe('inbox')
})

test('beyond the limit a secretKey is not looked up, unless this address used it before', async () => {
  const at = await registered()
  await mailed(at)
  const guess = (index: number, from: string) =>
    post(at, '/otp', { mail: 'a@example.com', secretKey: `guess-number-${index}` }, { from })
  const ask = (from: string) =>
    post(at, '/otp', { mail: 'bob@example.com', secretKey: registration.secretKey }, { from })

  for (let i = 0; i < 120; i++) await guess(i, '192.0.2.1')
  for (let i = 0; i < 12; i++) await guess(i, '198.51.100.7')
  const known = await ask('192.0.2.1')
  const stranger = await ask('198.51.100.7')

  expect(known.status).toBe(200)
  expect([stranger.status, stranger.text]).toEqual([429, 'Error: Too many requests'])
})

test('a port may be a string, as in the original', async () => {
  const at = await site({ http: { openRegistration: true } })
  const answer = await post(at, '/reg_secretkey', { ...registration, smtp_port: '465' })
  expect(answer.status).toBe(200)
})

const otp = (at: Site, fields: object = {}) => {
  const { secretKey } = registration
  return post(at, '/otp', { mail: 'ada@example.com', secretKey, ...fields })
}

type State = NonNullable<Site['outboxState']['settled']>
const notTaken = (status: State['status'], detail: string, nextAt: number | null = null): State => {
  return { status, detail, maybeTaken: false, nextAt }
}

/** Makes the outbox go through these states, each after one try. */
function settle(at: Site, states: State[]): void {
  at.ports.outbox.settled = async (_id, _waitMs, isEnough = () => true) => {
    return states.find(isEnough) ?? null
  }
}

test('a mail that the server refused is reported, and its code canceled', async () => {
  const at = await registered()
  at.outboxState.settled = notTaken('refused', '550 5.1.1 no such mailbox')

  const answer = await otp(at)

  expect([answer.status, answer.text]).toEqual([
    400,
    'Error: The mail was not sent: 550 5.1.1 no such mailbox',
  ])
  const { verificationId = '' } = at.sent[0]?.delivery ?? {}
  expect(at.outboxState.withdrawn).toEqual([verificationId])
  expect((await verify(at, verificationId, codeOf(at.sent[0]))).status).toBe(400)
})

test('a code whose mail was refused stays canceled, whatever the clock did meanwhile', async () => {
  const at = await registered()
  at.ports.outbox.settled = async () => {
    at.clock.advance(3_600_000)
    return notTaken('deferred', '451 4.7.1 come back', at.clock.now() + 60_000)
  }

  expect((await otp(at)).status).toBe(400)

  at.clock.advance(-3_600_000)
  const { appId = '', verificationId: id = '' } = at.sent[0]?.delivery ?? {}
  const stored = await at.ports.verifications.get({ appId, mode: 'live', id })
  expect(stored?.status).toBe('canceled')
  expect(at.outboxState.withdrawn).toEqual([id])
})

test('a mail that is accepted at the second try is a success', async () => {
  const at = await registered()
  const again = notTaken('deferred', '451 greylisted', at.clock.now() + 19_999)
  settle(at, [again, { status: 'sent', detail: null, maybeTaken: true, nextAt: null }])

  const { shareableKey, code } = await mailed(at)

  expect((await verify(at, shareableKey, code)).text).toBe('OTP Matched!')
})

test('a mail whose next try is due after the wait is stopped, and reported', async () => {
  const at = await registered()
  const now = at.clock.now()
  settle(at, [
    notTaken('deferred', '451 4.3.0 too soon', now + 3_000),
    notTaken('deferred', '451 4.3.0 busy', now + 20_000),
    notTaken('refused', '550 5.1.1 too late'),
  ])

  const answer = await otp(at)

  expect([answer.status, answer.text]).toEqual([
    400,
    'Error: The mail was not sent: 451 4.3.0 busy',
  ])
  const { verificationId = '' } = at.sent[0]?.delivery ?? {}
  expect((await verify(at, verificationId, codeOf(at.sent[0]))).status).toBe(400)
})

test('after a mail that may have been accepted the answer is 200 and the code live', async () => {
  const states = [
    null,
    { status: 'deferred', detail: 'no reply', maybeTaken: true, nextAt: noon + 1 },
    { status: 'undeliverable', detail: 'no reply', maybeTaken: true, nextAt: null },
    { status: 'refused', detail: '550 no', maybeTaken: true, nextAt: null },
  ] as const
  for (const state of states) {
    const at = await registered()
    // The later refusal shows that the answer did not wait for another try.
    settle(at, state ? [state, notTaken('refused', 'too late')] : [])

    const { shareableKey, code } = await mailed(at)

    expect((await verify(at, shareableKey, code)).text).toBe('OTP Matched!')
  }
})

test('an unknown shareable key is refused as a used one is, whatever is typed', async () => {
  const at = await registered()
  const { shareableKey, code } = await mailed(at)
  await verify(at, shareableKey, code)
  const used = await verify(at, shareableKey, code)

  for (const typed of [code, wrongCode(code), 'no code', '']) {
    const unknown = await verify(at, `${shareableKey.slice(0, -8)}00000000`, typed)
    expect([unknown.status, unknown.text]).toEqual([400, used.text])
  }
})

test('while mails cannot be sent in time the answer is 429, with Retry-After', async () => {
  const at = await registered()
  at.outboxState.waitMs = 100_000

  const answer = await otp(at)

  expect([answer.status, answer.text]).toEqual([429, 'Error: Messages cannot be sent in time now'])
  expect(answer.headers.get('retry-after')).toBe('70')
})

test('a verification that /v1 started is neither checked nor sent again here', async () => {
  const at = await registered()
  const { shareableKey } = await mailed(at)
  const { appId } = at.sent[0]?.delivery ?? {}
  const app = await at.ports.apps.get(appId ?? '')
  if (!app) throw new Error('no app')
  const started = await startVerification(at.ports, {
    ...{ app, mode: 'live', startedBy: 'v1', to: 'bob@example.com' },
  })
  const { id } = started.verification
  const code = codeOf(at.sent.at(-1))
  at.clock.advance(30_000)

  const checked = await verify(at, id, code)
  const resent = await otp(at, { mail: 'bob@example.com', shareableKey: id })

  expect(checked.text).toBe('Error: This shareableKey is unknown, used or expired')
  expect(resent.text).toBe('Error: This shareableKey is unknown, used or expired')
  const key = { appId: app.id, mode: 'live', id } as const
  expect(await at.ports.verifications.get(key)).toMatchObject({ attemptsSpent: 0 })
  expect((await otp(at, { shareableKey })).status).toBe(200)
})

test('with a live shareableKey the same code is sent again, to its address only', async () => {
  const at = await registered()
  const { shareableKey, code } = await mailed(at)
  const { secretKey } = registration
  at.clock.advance(30_000)

  const foreign = await post(at, '/otp', { mail: 'eve@example.com', secretKey, shareableKey })
  const again = await post(at, '/otp', { mail: 'ada@example.com', secretKey, shareableKey })

  expect(foreign.status).toBe(400)
  expect([again.status, again.text]).toEqual([200, shareableKey])
  expect(at.sent.map(({ handover }) => [handover.recipient.address, handover.code])).toEqual([
    ['ada@example.com', code],
    ['ada@example.com', code],
  ])
})

test('a limit answers 429 as text, with Retry-After', async () => {
  const at = await registered()
  await mailed(at)

  const answer = await post(at, '/otp', {
    mail: 'ada@example.com',
    secretKey: registration.secretKey,
  })

  expect([answer.status, answer.text]).toEqual([429, 'Error: Too many requests'])
  expect(answer.headers.get('retry-after')).toBe('30')
})

test('a fault answers Unknown Error, with the reason in developer mode only', async () => {
  for (const developerMode of [false, true]) {
    const at = await registered({ http: { openRegistration: true, developerMode } })
    const { shareableKey, code } = await mailed(at)
    at.ports.verifications.chargeAttempt = () => Promise.reject(new Error('the disk sang'))

    const answer = await verify(at, shareableKey, code)

    expect(answer.status).toBe(500)
    expect(answer.text).toBe(developerMode ? 'Unknown Error: the disk sang' : 'Unknown Error')
    expect(at.logged()).toContain('request_failed')
    expect(at.logged()).not.toContain('the disk sang')
  }
})

test('a body that is not a JSON object is refused as text', async () => {
  const at = await registered()
  for (const [raw, status] of [
    ['{', 400],
    ['[]', 400],
    ['null', 400],
    [`{"a":"${'x'.repeat(17_000)}"}`, 413],
  ] as const) {
    const answer = await at.call('POST', '/otp', { raw, token: null })
    expect(answer.status).toBe(status)
    expect(answer.text).toStartWith('Error: ')
  }
})

test('a check before its time answers 429 as text with Retry-After, and costs no attempt', async () => {
  const at = await registered()
  const app = await at.apps.findBySecretKey(at.keyring.secretKeyIndex(registration.secretKey))
  const body = { policy: { check_delays: [0, 7] } }
  await at.call('PATCH', `/v1/apps/${app?.id}`, { body, token: adminToken })
  const { shareableKey, code } = await mailed(at)
  await verify(at, shareableKey, wrongCode(code))

  const early = await verify(at, shareableKey, code)

  expect([early.status, early.text]).toEqual([429, 'Error: It is too early to check again'])
  expect(early.headers.get('retry-after')).toBe('7')
  at.clock.advance(7_000)
  expect((await verify(at, shareableKey, code)).text).toBe('OTP Matched!')
})

test('a mail goes out by mail, whatever route the policy of its app names', async () => {
  const at = await registered()
  const app = await at.apps.findBySecretKey(at.keyring.secretKeyIndex(registration.secretKey))
  const body = { policy: { channels: ['webhook', 'email'], fallback_after_seconds: 5 } }
  await at.call('PATCH', `/v1/apps/${app?.id}`, { body, token: adminToken })

  await mailed(at)

  expect(at.sent.map(({ handover }) => [handover.channel, handover.route])).toEqual([
    ['email', ['email']],
  ])
})
