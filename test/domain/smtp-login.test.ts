import { beforeAll, describe, expect, test } from 'bun:test'
import { generateKeyPairSync } from 'node:crypto'
import fc from 'fast-check'
import { secretPlace } from '../../src/domain/app/endpoint.ts'
import { addEndpoint, updateEndpoint } from '../../src/domain/app/endpoints.ts'
import type { SmtpInput } from '../../src/domain/app/smtp-fields.ts'
import { readTenant } from '../../src/domain/app/smtp-login.ts'
import { Problem } from '../../src/domain/problem.ts'
import { smtpOf } from '../support/commands.ts'
import { type World, world } from '../support/world.ts'

const actor = { who: 'cli', requestId: null } as const
const keyOf = (bits: number) => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: bits })
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}
const accountKey = keyOf(2048)
const account = {
  type: 'service_account',
  client_email: 'mailer@project.iam.gserviceaccount.com',
  private_key_id: 'key-1',
  private_key: accountKey,
  token_uri: 'https://evil.test/token',
}
const server = { host: 'smtp.example.com', port: 587, from: 'codes@example.com' }
const tenant = '0F5B3E2C-1111-4222-8333-944445555666'
const client = { clientId: 'client-1', clientSecret: 's3cret' }
const logins = {
  password: { password: 'hunter2' },
  google: { auth: 'google', ...client, refreshToken: '1//token' },
  google_service_account: {
    auth: 'google_service_account',
    serviceAccount: JSON.stringify(account, null, 2),
  },
  microsoft: { auth: 'microsoft', tenant, ...client, refreshToken: '0.token' },
  microsoft_app: { auth: 'microsoft_app', tenant, ...client },
} as const
type Kind = keyof typeof logins
const kinds = Object.keys(logins) as Kind[]

let at: World
beforeAll(async () => {
  at = await world()
})

const add = (email: SmtpInput) =>
  addEndpoint(at, actor, { appId: at.app.id, kind: 'email', input: { ...server, ...email } })
const update = (id: string, email: SmtpInput) =>
  updateEndpoint(at, actor, { appId: at.app.id, id, input: email })

/** The fields that a change was refused for, or the code of the refusal. */
async function refusal(work: Promise<unknown>): Promise<string[] | string> {
  const error = await work.then(
    () => null,
    (error: unknown) => error,
  )
  if (!(error instanceof Problem)) throw error ?? new Error('nothing was refused')
  return error.extra.errors?.map(({ field, reason }) => `${field} ${reason}`) ?? error.code
}

async function opened({ id, settings, secretSealed }: Awaited<ReturnType<typeof add>>) {
  const { dataKey } = (await at.apps.get(at.app.id)) ?? at.app
  const place = secretPlace({ id, settings })
  return at.keyring.open(at.app.id, dataKey, place, secretSealed ?? new Uint8Array())
}

async function clean() {
  at = await world()
}

describe('a login', () => {
  test('keeps what it needs: some shown, the secrets sealed', async () => {
    await clean()
    const seen: unknown[] = []
    for (const kind of kinds) {
      const endpoint = await add(logins[kind])
      const { auth, user, tenant, clientId } = smtpOf(endpoint)
      seen.push([auth, user, tenant, clientId, await opened(endpoint)])
    }
    const user = 'codes@example.com'
    const none = { clientSecret: null, refreshToken: null, serviceAccount: null }
    const id = tenant.toLowerCase()
    const [secret, mailer] = ['s3cret', account.client_email]
    const json = (parts: object) => JSON.stringify({ ...none, ...parts })
    expect(seen).toEqual([
      ['password', user, null, null, 'hunter2'],
      ['google', user, null, 'client-1', json({ clientSecret: secret, refreshToken: '1//token' })],
      [
        ...['google_service_account', user, null, mailer],
        json({ serviceAccount: { keyId: 'key-1', privateKey: accountKey } }),
      ],
      ['microsoft', user, id, 'client-1', json({ clientSecret: secret, refreshToken: '0.token' })],
      ['microsoft_app', user, id, 'client-1', json({ clientSecret: secret })],
    ])
  })

  test.each(kinds)('without one of its fields is refused by its name: %s', async (kind) => {
    const { auth, ...fields } = { auth: kind, ...logins[kind] } as Record<string, unknown>
    for (const field of Object.keys(fields)) {
      const { [field]: _, ...rest } = fields
      if (kind === 'microsoft' && field === 'clientSecret') continue
      const wire = field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
      expect(await refusal(add({ auth, ...rest }))).toEqual([`email.${wire} is missing`])
    }
  })

  test('of Microsoft may be without a client secret, as a public client', async () => {
    await clean()
    const { clientSecret: _, ...rest } = logins.microsoft
    const endpoint = await add(rest)
    expect(JSON.parse(await opened(endpoint))).toMatchObject({ clientSecret: null })
  })

  test('takes no field of another kind, and no absent user', async () => {
    expect(await refusal(add({ ...logins.google, password: 'x', tenant }))).toEqual([
      'email.password is not for auth "google"',
      'email.tenant is not for auth "google"',
    ])
    expect(await refusal(add({ ...logins.password, refreshToken: 'x' }))).toEqual([
      'email.refresh_token is not for auth "password"',
    ])
    expect(await refusal(add({ ...logins.google_service_account, clientId: 'x' }))).toEqual([
      'email.client_id is not for auth "google_service_account"',
    ])
    expect(await refusal(add({ ...logins.google, user: null }))).toContain(
      'email.user must be the mailbox',
    )
    expect(await refusal(add({ ...logins.password, auth: 'kerberos' }))).toMatchObject([
      expect.stringContaining('email.auth must be "password"'),
    ])
  })

  test('of a service account is its key file, with an RSA key of 2048 bits or more', async () => {
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
    const wrong = [
      ...['', '{}', 'null', '[]', 'x', '"x"', JSON.stringify({ ...account, type: 'user' })],
      JSON.stringify({ ...account, client_email: 7 }),
      JSON.stringify({ ...account, private_key: 'x' }),
      JSON.stringify({ ...account, private_key: keyOf(1024) }),
      JSON.stringify({ ...account, private_key: ec.export({ type: 'pkcs8', format: 'pem' }) }),
      'x'.repeat(8193),
    ]
    for (const serviceAccount of wrong) {
      const refused = await refusal(add({ auth: 'google_service_account', serviceAccount }))
      expect(refused).toEqual([expect.stringMatching(/^email.service_account must be the JSON/)])
    }
  })
})

describe('a change of a login', () => {
  test.each(kinds)(
    'keeps the secret where nothing of its destination changes: %s',
    async (kind) => {
      await clean()
      const { id, secretSealed } = await add(logins[kind])
      const changed = await update(id, { fromName: 'Acme', ratePerMinute: 30 })

      expect(changed.secretSealed).toEqual(secretSealed)
      expect(changed.settings).toMatchObject({ auth: kind, fromName: 'Acme' })
    },
  )

  test('of anything that says where the secret goes needs it again', async () => {
    const moves: [Kind, SmtpInput][] = [
      ['google', { host: 'smtp.evil.test' }],
      ['google', { user: 'other@example.com' }],
      ['google', { clientId: 'other' }],
      ['microsoft', { tenant: 'evil.test' }],
      ['microsoft_app', { clientId: 'other' }],
      ['google_service_account', { user: 'boss@example.com' }],
    ]
    for (const [kind, move] of moves) {
      await clean()
      const { id } = await add(logins[kind])
      expect([kind, move, await refusal(update(id, move))]).toEqual([kind, move, 'secret_required'])
    }
  })

  test('to another kind needs all of that kind, and keeps nothing of the one before', async () => {
    await clean()
    const { id } = await add(logins.microsoft)
    expect(await refusal(update(id, { auth: 'microsoft_app' }))).toEqual([
      'email.tenant is missing',
      'email.client_id is missing',
    ])
    expect(await refusal(update(id, { auth: 'password' }))).toEqual(['email.password is missing'])

    const changed = await update(id, { auth: 'password', password: 'hunter2' })
    expect(changed.settings).toMatchObject({ auth: 'password', tenant: null, clientId: null })
    expect(await opened(changed)).toBe('hunter2')
  })

  test('that gives one of its secrets gives them all', async () => {
    await clean()
    const { id } = await add(logins.google)
    expect(await refusal(update(id, { refreshToken: 'new' }))).toEqual([
      'email.client_secret is missing',
    ])
    const { clientSecret } = client
    const changed = await update(id, { refreshToken: 'new', clientSecret })
    expect(JSON.parse(await opened(changed))).toMatchObject({ refreshToken: 'new' })
  })

  test('of the sealed bytes to another kind, client or tenant opens no more', async () => {
    await clean()
    const endpoint = await add(logins.microsoft_app)
    const others = [{ auth: 'password' }, { tenant: 'evil.test' }, { clientId: 'x' }] as const
    for (const other of others) {
      const settings = { ...endpoint.settings, ...other }
      await expect(opened({ ...endpoint, settings })).rejects.toThrow('do not open')
    }
  })
})

test('a tenant is a GUID or a domain, in lower case, and fits into a URL as it is', () => {
  expect(readTenant(tenant)).toBe(tenant.toLowerCase())
  expect(readTenant('Acme.onmicrosoft.com')).toBe('acme.onmicrosoft.com')
  const wrong = ['common', 'a/b', 'a.b/c', '..', 'a.test?x', 'a.test#', '@a.test', 'a.test:1', '']
  for (const text of [...wrong, `${tenant}0`, `x${tenant}`, 7, null]) {
    expect(readTenant(text)).toBeNull()
  }
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const read = readTenant(text)
      if (read === null) return
      const url = new URL(`https://login.microsoftonline.com/${read}/oauth2/v2.0/token`)
      expect([url.host, url.pathname]).toEqual([
        'login.microsoftonline.com',
        `/${read}/oauth2/v2.0/token`,
      ])
    }),
    { numRuns: 2_000 },
  )
})
