import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { passwordPlace } from '../../src/domain/app.ts'
import { authenticate } from '../../src/domain/authenticate.ts'
import { readHost } from '../../src/domain/mail-settings.ts'
import { type AppFields, createApp, updateApp } from '../../src/domain/manage-apps.ts'
import { Problem } from '../../src/domain/problem.ts'
import { readSecretKey, registerOpenly } from '../../src/domain/register-app.ts'
import { type World, world } from '../support/world.ts'

const actor = { who: 'cli', requestId: null }
const email = {
  host: 'smtp.example.com',
  port: 587,
  from: 'codes@example.com',
  password: 'hunter2',
}

async function refusal(action: Promise<unknown>): Promise<Problem> {
  const error = await action.then(() => null).catch((thrown: unknown) => thrown)
  if (!(error instanceof Problem)) throw new Error(`expected a problem, got ${error}`)
  return error
}

async function fieldsRefused(at: World, fields: AppFields): Promise<string[]> {
  const { code, extra } = await refusal(createApp(at, actor, { name: 'Acme', ...fields }))
  expect(code).toBe('invalid_request')
  return extra.errors?.map(({ field }) => field) ?? []
}

test('a password opens for the endpoint that it was sealed for and for no other', async () => {
  const at = await world()

  const { app } = await createApp(at, actor, { name: 'Acme', email })

  if (!app.email?.passwordSealed) throw new Error('no password was sealed')
  const { passwordSealed, ...endpoint } = app.email
  const open = (place: ReturnType<typeof passwordPlace>) =>
    at.keyring.open(app.id, app.dataKey, place, passwordSealed)
  expect(open(passwordPlace(app.id, endpoint))).toBe('hunter2')
  expect(() => open(passwordPlace(app.id, { ...endpoint, host: 'evil.example' }))).toThrow()
})

test('after a change of the endpoint the new password opens', async () => {
  const at = await world()
  const { app } = await createApp(at, actor, { name: 'Acme', email })

  const moved = await updateApp(at, actor, { id: app.id, email: { port: 465, password: 'new' } })

  if (!moved.email?.passwordSealed) throw new Error('no password was sealed')
  const place = passwordPlace(app.id, moved.email)
  expect(moved.email.security).toBe('tls')
  expect(at.keyring.open(app.id, app.dataKey, place, moved.email.passwordSealed)).toBe('new')
})

test('both new keys are found again, and no other', async () => {
  const at = await world()
  const { app, liveKey, testKey } = await createApp(at, actor, { name: 'Acme' })

  expect(await authenticate(at, liveKey)).toMatchObject({
    app: { id: app.id },
    key: { mode: 'live' },
  })
  expect((await authenticate(at, testKey))?.key.mode).toBe('test')
  expect(await authenticate(at, `${liveKey.slice(0, -1)}~`)).toBeNull()
  expect(await authenticate(at, '')).toBeNull()
})

test('the kind of TLS follows from the port, and plain text must be asked for', async () => {
  const at = await world()
  for (const [input, security] of [
    [{ port: 465 }, 'tls'],
    [{ port: 587 }, 'starttls'],
    [{ port: 25, host: '127.0.0.1' }, 'starttls'],
    [{ port: 25, security: 'none' }, 'none'],
  ] as const) {
    const { app } = await createApp(at, actor, { name: 'Acme', email: { ...email, ...input } })
    expect(app.email?.security).toBe(security)
  }
})

test('without a user there is no password, and with one there must be', async () => {
  const at = await world()
  const { password: _, ...silent } = email

  const relay = await createApp(at, actor, { name: 'Acme', email: { ...silent, user: null } })

  expect(relay.app.email).toMatchObject({ user: null, passwordSealed: null })
  expect(await fieldsRefused(at, { email: silent })).toEqual(['email.password'])
  expect(await fieldsRefused(at, { email: { ...email, user: null } })).toEqual(['email.password'])
})

test('a policy may be stricter than the server and never looser', async () => {
  const at = await world({ settings: { attemptsMax: 5, appStartsPerMinute: 600 } })

  const { app } = await createApp(at, actor, {
    name: 'Acme',
    policy: { attemptsMax: 3, startsPerMinute: 600, origin: 'https://app.example.com' },
  })

  expect(app.policy).toMatchObject({ attemptsMax: 3, startsPerMinute: 600 })
  expect(
    await fieldsRefused(at, {
      policy: { attemptsMax: 6, startsPerMinute: 601, recipientStartsPerDay: 21 },
    }),
  ).toEqual(['policy.attempts_max', 'policy.starts_per_minute', 'policy.recipient_starts_per_day'])
})

test('an origin is what a browser calls one', async () => {
  const at = await world()
  for (const origin of [
    'http://app.example.com',
    'https://app.example.com/',
    'https://App.example.com',
    'https://app.example.com:443',
    'https://user@app.example.com',
    'https://app.example.com#x',
    'javascript:alert(1)',
    'app.example.com',
    7,
  ]) {
    expect(await fieldsRefused(at, { policy: { origin } })).toEqual(['policy.origin'])
  }
  for (const origin of [
    'https://app.example.com',
    'http://localhost:3000',
    'https://a.test:8443',
  ]) {
    const { app } = await createApp(at, actor, { name: 'Acme', policy: { origin } })
    expect(app.policy.origin).toBe(origin)
  }
})

test('a host is a name or an address in its usual spelling, and nothing in disguise', () => {
  for (const host of ['smtp.example.com', 'localhost', '127.0.0.1', '::1', 'bücher.example']) {
    expect(readHost(host)).toBeString()
  }
  for (const host of [
    ...['127.1', '2130706433', '0x7f.1', '0177.0.0.1', '010.0.0.1', '①②⑦.⓪.⓪.①', '0', ''],
    ...[' ', 'a b', 'a/b'],
    ...['user@127.0.0.1', 'smtp.example.com:25', '[::1]', 'a\r\nb', '256.1.1.1', '-a.example', 7],
    ...['fe80::1%25eth0', ':', ':::', null],
  ]) {
    expect([host, readHost(host)]).toEqual([host, undefined])
  }
})

test('what readHost takes it takes again, unchanged', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.domain(), fc.ipV4(), fc.ipV6()), (text) => {
      const host = readHost(text)
      if (host !== undefined) expect(readHost(host)).toBe(host)
    }),
  )
})

test('no text whatever makes the mail settings throw anything but a problem', async () => {
  const at = await world()
  const anything = fc.oneof(fc.string({ unit: 'binary' }), fc.integer(), fc.constant(null))
  const field = fc.option(anything, { nil: undefined })
  const input = fc.record({ host: field, port: field, user: field, password: field, from: field })
  await fc.assert(
    fc.asyncProperty(input, async (mail) => {
      const { code } = await refusal(createApp(at, actor, { name: 'Acme', email: mail }))
      expect(code).toBe('invalid_request')
    }),
    { numRuns: 200 },
  )
})

test('a secretKey is 8 to 256 characters without control characters', () => {
  for (const key of ['12345678', 'ü'.repeat(256)]) expect(readSecretKey(key)).toBe(key)
  for (const key of ['1234567', 'x'.repeat(257), '1234567\n', 12345678, null, undefined]) {
    expect(readSecretKey(key)).toBeNull()
  }
})

test('a registered secretKey finds its app, and registering it again changes nothing', async () => {
  const at = await world()
  const names = {
    ...{ host: 'h', port: 'p', security: 's', user: 'u', password: 'w', from: 'f', fromName: 'n' },
  }
  const register = (host: string) =>
    registerOpenly(at, actor, {
      secretKey: 'correct-horse',
      mail: { ...email, host },
      names,
      publicOnly: true,
    })
  const app = await register('smtp.example.com')

  const again = await refusal(register('evil.example'))

  const found = await at.apps.findBySecretKey(at.keyring.secretKeyIndex('correct-horse'))
  expect(again.code).toBe('secret_key_taken')
  expect(found).toMatchObject({ id: app.id, email: { host: 'smtp.example.com', publicOnly: true } })
  expect(await at.apps.findBySecretKey(at.keyring.secretKeyIndex('correct-hors3'))).toBeNull()
})
