import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { authenticate } from '../../src/domain/app/api-key.ts'
import type { App } from '../../src/domain/app/app.ts'
import { secretPlace } from '../../src/domain/app/endpoint.ts'
import { addEndpoint, removeEndpoint, updateEndpoint } from '../../src/domain/app/endpoints.ts'
import { readHost } from '../../src/domain/app/host.ts'
import { createApp } from '../../src/domain/app/manage.ts'
import { effectivePolicy, type PolicyInput } from '../../src/domain/app/policy.ts'
import { readSecretKey, registerApp } from '../../src/domain/app/register.ts'
import { emailNames, type SmtpInput, type SmtpSettings } from '../../src/domain/app/smtp-fields.ts'
import { Problem } from '../../src/domain/problem.ts'
import { smtpOf } from '../support/commands.ts'
import { defaultSettings, type World, world } from '../support/world.ts'

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

type Fields = { policy?: PolicyInput; email?: SmtpInput }

async function fieldsRefused(at: World, fields: Fields): Promise<string[]> {
  const { code, extra } = await refusal(createApp(at, actor, { name: 'Acme', ...fields }))
  expect(code).toBe('invalid_request')
  return extra.errors?.map(({ field }) => field) ?? []
}

function first(app: App) {
  const [endpoint] = app.endpoints
  if (!endpoint) throw new Error('the app has no endpoint')
  return endpoint
}

test('a password opens for the endpoint and destination that it was sealed for only', async () => {
  const at = await world()
  const { app } = await createApp(at, actor, { name: 'Acme', email })
  const endpoint = first(app)
  const sealed = endpoint.secretSealed
  if (!sealed) throw new Error('no password was sealed')
  const open = (changed: Partial<SmtpSettings>, id = endpoint.id) => {
    const place = secretPlace({ id, settings: { ...smtpOf(endpoint), ...changed } })
    return at.keyring.open(app.id, app.dataKey, place, sealed)
  }

  expect(open({})).toBe('hunter2')
  expect(() => open({ host: 'evil.example' })).toThrow()
  expect(() => open({ port: 465 })).toThrow()
  expect(() => open({ security: 'none' })).toThrow()
  expect(() => open({ user: 'mallory' })).toThrow()
  expect(() => open({}, 'another endpoint')).toThrow()
})

test('a change of an endpoint’s destination needs the password again', async () => {
  const at = await world()
  const { app } = await createApp(at, actor, { name: 'Acme', email })
  const { id } = first(app)
  const change = (input: SmtpInput) => updateEndpoint(at, actor, { appId: app.id, id, input })

  for (const moved of [{ host: 'b.example' }, { port: 465 }, { security: 'tls' }, { user: 'u' }]) {
    expect((await refusal(change(moved))).code).toBe('secret_required')
  }
  const renamed = await change({ fromName: 'Acme' })
  expect(renamed.secretSealed).toEqual(first(app).secretSealed)
  const moved = await change({ port: 465, password: 'new' })
  if (!moved.secretSealed) throw new Error('no password was sealed')
  expect(smtpOf(moved).security).toBe('tls')
  const place = secretPlace(moved)
  expect(at.keyring.open(app.id, app.dataKey, place, moved.secretSealed)).toBe('new')
})

test('endpoints keep ranks from one on, however they are added, moved and removed', async () => {
  const at = await world()
  const { app } = await createApp(at, actor, { name: 'Acme' })
  const add = (host: string, rank?: number) => {
    const fields = { input: { ...email, host }, rank }
    return addEndpoint(at, actor, { appId: app.id, kind: 'email', ...fields })
  }
  const hosts = async () => {
    const endpoints = (await at.apps.get(app.id))?.endpoints ?? []
    expect(endpoints.map(({ rank }) => rank)).toEqual(endpoints.map((_, index) => index + 1))
    return endpoints.map((endpoint) => smtpOf(endpoint).host)
  }
  const a = await add('a.example')
  await add('b.example')
  const c = await add('c.example', 1)
  expect(await hosts()).toEqual(['c.example', 'a.example', 'b.example'])

  await updateEndpoint(at, actor, { appId: app.id, id: c.id, rank: 3 })
  expect(await hosts()).toEqual(['a.example', 'b.example', 'c.example'])
  await removeEndpoint(at, actor, { appId: app.id, id: a.id })
  expect(await hosts()).toEqual(['b.example', 'c.example'])
  const gone = updateEndpoint(at, actor, { appId: app.id, id: a.id, rank: 1 })
  expect((await refusal(gone)).code).toBe('endpoint_not_found')
})

test('an app has at most ten endpoints of a channel, however many are added at once', async () => {
  const at = await world()
  const { app } = await createApp(at, actor, { name: 'Acme' })
  const add = () => addEndpoint(at, actor, { appId: app.id, kind: 'email', input: email })
  const outcomes = await Promise.allSettled(Array.from({ length: 14 }, add))

  expect(outcomes.filter(({ status }) => status === 'fulfilled').length).toBe(10)
  expect((await at.apps.get(app.id))?.endpoints.length).toBe(10)
  expect((await refusal(add())).code).toBe('too_many_endpoints')
})

test('both new keys are found by their hash, and no other', async () => {
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
    [{ port: 25, host: '127.0.0.1' }, 'opportunistic'],
    [{ port: 465, host: '127.0.0.1' }, 'tls'],
    [{ port: 25, host: '127.0.0.1', security: 'none' }, 'none'],
    [{ port: 25, security: 'none' }, 'none'],
  ] as const) {
    const { app } = await createApp(at, actor, { name: 'Acme', email: { ...email, ...input } })
    expect(smtpOf(first(app)).security).toBe(security)
  }
  expect(await fieldsRefused(at, { email: { ...email, security: 'opportunistic' } })).toEqual([
    'email.security',
  ])
})

test('without a user there is no password, and with one there must be', async () => {
  const at = await world()
  const { password: _, ...silent } = email

  const relay = await createApp(at, actor, { name: 'Acme', email: { ...silent, user: null } })

  expect(first(relay.app)).toMatchObject({ secretSealed: null, settings: { user: null } })
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

test('a server that is tightened later tightens every app', () => {
  const own = { attemptsMax: 5, startsPerMinute: 600, recipientStartsPerDay: 20, startsPerDay: 9 }
  const tight = { attemptsMax: 3, appStartsPerMinute: 10, recipientStartsPerDay: 2 }
  expect(effectivePolicy(own, { ...defaultSettings, ...tight, appStartsPerDay: 5 })).toMatchObject({
    attemptsMax: 3,
    startsPerMinute: 10,
    recipientStartsPerDay: 2,
    startsPerDay: 5,
  })
  expect(effectivePolicy({ attemptsMax: 2 }, defaultSettings).attemptsMax).toBe(2)
})

test('no code is shorter than six digits', async () => {
  const at = await world()
  for (const codeLength of [4, 5, 11]) {
    expect(await fieldsRefused(at, { policy: { codeLength } })).toEqual(['policy.code_length'])
  }
})

test('an origin is an https origin as a browser writes it', async () => {
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

test('a host is a name, or an address in its usual spelling', () => {
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

test('readHost accepts its own result, unchanged', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.domain(), fc.ipV4(), fc.ipV6()), (text) => {
      const host = readHost(text)
      if (host !== undefined) expect(readHost(host)).toBe(host)
    }),
  )
})

test('mail settings refuse bad text with a problem only, whatever the text', async () => {
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

const names = {
  ...emailNames,
  ...{ host: 'h', port: 'p', security: 's', user: 'u', password: 'w', from: 'f' },
  ...{ fromName: 'n', connectionsMax: 'c' },
}

type Registering = {
  mail?: Partial<typeof email> & SmtpInput
  name?: unknown
  secretKey?: string
  address?: string
}

function registrar(at: World, reach: 'public' | 'not_public' = 'public') {
  const tried: string[] = []
  const tryLogin = async (_: App, { settings }: { settings: { host: string } }) => {
    tried.push(settings.host)
    return settings.host === 'refuses.example' ? 'the login was refused' : null
  }
  const ports = { ...at, egress: { reach: async () => reach }, tryLogin }
  const register = (registeredBy: App['registeredBy'], fields: Registering = {}) =>
    registerApp(ports, actor, {
      secretKey: fields.secretKey ?? crypto.randomUUID(),
      name: fields.name,
      mail: { ...email, ...fields.mail },
      names,
      registeredBy,
      address: registeredBy === 'open' ? (fields.address ?? '192.0.2.1') : null,
    })
  return { register, tried }
}

test('a registered secretKey finds its app, and registering it again changes nothing', async () => {
  const at = await world()
  const { register } = registrar(at)
  const secretKey = 'correct-horse'
  const app = await register('open', { secretKey })
  const again = await refusal(register('open', { secretKey, mail: { host: 'evil.example' } }))

  const found = await at.apps.findBySecretKey(at.keyring.secretKeyIndex(secretKey))
  expect(again.code).toBe('secret_key_taken')
  expect(found?.id).toBe(app.id)
  expect(found?.registeredBy).toBe('open')
  expect(found && smtpOf(first(found)).host).toBe('smtp.example.com')
  expect(await at.apps.findBySecretKey(at.keyring.secretKeyIndex('correct-hors3'))).toBeNull()
})

test('a registered app has the name that was given, or none', async () => {
  const { register } = registrar(await world())
  expect((await register('admin')).name).toBeNull()
  expect((await register('admin', { name: 'Acme' })).name).toBe('Acme')
  expect((await register('admin', { mail: { fromName: 'Acme' } })).name).toBe('Acme')
})

test('a stranger registers a public server with a login that works, and nothing else', async () => {
  const at = await world()
  const { register, tried } = registrar(at)
  const fields = async (registering: Registering) => {
    const { extra } = await refusal(register('open', registering))
    return extra.errors?.map(({ field }) => field)
  }
  await register('open')
  expect(tried).toEqual(['smtp.example.com'])
  const login = await refusal(register('open', { mail: { host: 'refuses.example' } }))
  expect(login.code).toBe('login_refused')
  const inner = registrar(at, 'not_public').register('open')
  expect((await refusal(inner)).code).toBe('host_not_public')

  expect(await fields({ mail: { port: 25 } })).toEqual(['p'])
  expect(await fields({ mail: { security: 'none' } })).toEqual(['s'])
  expect(await fields({ mail: { user: null } })).toEqual(['u'])
  expect(await fields({ mail: { user: 'codes@other.example' } })).toEqual(['f'])
  const links = ['http://evil', 'evil.example', 'www.evil', 'call 555-123-456', 'a@b.example']
  for (const name of links) {
    expect(await fields({ name })).toEqual(['app_name'])
    expect(await fields({ mail: { fromName: name } })).toEqual(['n'])
  }
})

test('an admin registers any server, which is not tried', async () => {
  const { register, tried } = registrar(await world(), 'not_public')
  await register('admin', { mail: { host: '10.0.0.1', port: 25, security: 'none' } })
  expect(tried).toEqual([])
})

test('one address registers at most ten apps', async () => {
  const at = await world()
  const { register } = registrar(at)
  for (let count = 0; count < 10; count++) await register('open')
  expect((await refusal(register('open'))).extra.limit).toBe('open_apps')
  await register('admin')
})

test('one address registers at most ten apps, also at once', async () => {
  const at = await world()
  const { register } = registrar(at)
  const all = await Promise.allSettled(Array.from({ length: 25 }, () => register('open')))
  expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(10)
})

test('strangers register at most a thousand apps in all', async () => {
  const { register } = registrar(await world())
  const stranger = (index: number) =>
    register('open', { address: `192.0.2.${index}`, mail: { host: `m${index}.example.com` } })
  for (let index = 0; index < 1000; index++) await stranger(index)

  expect((await refusal(stranger(1000))).extra.limit).toBe('open_apps')
})

test('one mail server is tried thirty times an hour for strangers, wherever they come from', async () => {
  const at = await world()
  const { register, tried } = registrar(at)
  const guess = (index: number, host = 'refuses.example') =>
    refusal(register('open', { address: `192.0.2.${index}`, mail: { host } }))
  for (let index = 0; index < 30; index++) {
    expect((await guess(index)).code).toBe('login_refused')
  }

  const { code, extra } = await guess(30)

  expect([code, extra.limit]).toEqual(['rate_limited', 'server_logins'])
  expect(extra.retryAfterSeconds).toBe(120)
  expect((await guess(30, 'REFUSES.example')).code).toBe('rate_limited')
  expect(tried).toHaveLength(30)
  await register('open', { mail: { host: 'smtp.example.com' } })
  at.clock.advance(120_000)
  expect((await guess(31)).code).toBe('login_refused')
})
