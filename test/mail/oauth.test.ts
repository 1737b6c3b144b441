import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type MutableResponse, type MutableToken, OAuth2Server } from 'oauth2-mock-server'
import { adminToken, call } from '../e2e/client.ts'
import {
  eventually,
  executable,
  finished,
  killAll,
  type Server,
  scratch,
  start,
} from '../support/executable.ts'
import { type Arrived, type MailServer, mailServer, makeCertificate } from '../support/smtp.ts'
import { type Dovecot, startDovecot } from './dovecot.ts'
import { type Namespace, openNamespace } from './namespace.ts'

// Google and Microsoft at their own names, in a network of its own: token servers that sign, and
// Dovecot, which checks the signatures.

setDefaultTimeout(60_000)

const tenant = '0f5b3e2c-1111-4222-8333-944445555666'
const user = 'codes@acme.test'
const login = { user, password: 'pass wörd' }
const providers = {
  google: { host: 'oauth2.googleapis.com', path: '/token' },
  microsoft: { host: 'login.microsoftonline.com', path: `/${tenant}/oauth2/v2.0/token` },
}
type Provider = keyof typeof providers
/** Mail servers by name, with the mechanisms that they offer. */
const mailServers = {
  'smtp.gmail.com': 'plain login xoauth2 oauthbearer',
  'smtp.office365.com': 'login xoauth2',
  'bearer.acme.test': 'plain oauthbearer',
  'plain.acme.test': 'plain',
  'login.acme.test': 'login',
  'cram.acme.test': 'cram-md5',
}
type Host = keyof typeof mailServers
const hosts = Object.keys(mailServers) as Host[]
const isOwn = (host: string) => host.endsWith('.acme.test')

const names = [...hosts, ...Object.values(providers).map(({ host }) => host), 'sink.test']
/** The authority of the providers, whom the process trusts. */
const world = makeCertificate(names.filter((name) => !isOwn(name)))
/** The authority of the company's own servers, whom an endpoint may trust. */
const company = makeCertificate(hosts.filter(isOwn))

type Asked = { provider: Provider; form: Record<string, string> }
let namespace: Namespace
let relay: MailServer
const dovecots: Dovecot[] = []
const tokenServers: OAuth2Server[] = []
const asked: Asked[] = []
/** What a token server signs and answers, where it is not as usual. */
let sign: (token: MutableToken, number: number) => void
let answer: (response: MutableResponse, number: number) => void
const usually = () => {
  sign = () => {}
  answer = () => {}
  asked.length = 0
}

beforeAll(async () => {
  usually()
  namespace = await openNamespace(names)
  relay = await mailServer()
  await namespace.lead('sink.test', 25, relay.port)
  const keys: Record<string, string> = {}
  for (const provider of Object.keys(providers) as Provider[]) {
    Object.assign(keys, await startTokenServer(provider))
  }
  for (const host of hosts) {
    const dovecot = await startDovecot({
      address: namespace.addressOf(host),
      port: 587,
      tls: isOwn(host) ? company : world,
      relay: { host: namespace.addressOf('sink.test'), port: 25 },
      mechanisms: mailServers[host],
      login,
      keys,
      through: namespace.through,
    })
    dovecots.push(dovecot)
  }
})
afterEach(async () => {
  await killAll()
  usually()
})
afterAll(async () => {
  await Promise.all(dovecots.map((dovecot) => dovecot.close()))
  await Promise.all(tokenServers.map((server) => server.stop()))
  await namespace?.close()
  await relay?.close()
  for (const certificate of [world, company]) certificate.remove()
})

/** Starts the token server of a provider; returns its public key by id. */
async function startTokenServer(provider: Provider): Promise<Record<string, string>> {
  const { host, path } = providers[provider]
  const server = new OAuth2Server(world.keyFile, world.certFile, { endpoints: { token: path } })
  tokenServers.push(server)
  const { kid } = await server.issuer.keys.generate('RS256')
  server.service.on('beforeTokenSigning', (token: MutableToken) => {
    token.payload['sub'] = user
    sign(token, asked.length + 1)
  })
  server.service.on('beforeResponse', (response: MutableResponse, request: { body: unknown }) => {
    asked.push({ provider, form: { ...(request.body as Record<string, string>) } })
    answer(response, asked.length)
  })
  await server.start(0, '127.0.0.1')
  await namespace.lead(host, 443, server.address().port)
  const [key] = server.issuer.keys.toJSON()
  const read = createPublicKey({ key: { ...key } as never, format: 'jwk' })
  return { [kid]: read.export({ type: 'spki', format: 'pem' }).toString() }
}

/** A running server inside, and calls to it. */
async function open(dataDir: string) {
  const env = { OTPMINT_DATA_DIR: dataDir, NODE_EXTRA_CA_CERTS: world.caFile }
  const server: Server = await start(['serve'], env, { through: namespace.through })
  const base = `http://127.0.0.1:${await namespace.reach(Number(new URL(server.base).port))}`
  const token = adminToken(dataDir)
  const admin = (path: string, body?: unknown, method?: string) =>
    call(`${base}${path}`, body, { token, ...(method && { method }) })
  const addApp = async (email: Record<string, unknown>) => {
    const { status, json, text } = await admin('/v1/apps', {
      name: 'Acme',
      email: { port: 587, from: user, ...email },
    })
    if (status !== 201) throw new Error(`no app: ${text}`)
    return { id: json.id ?? '', key: json.live_key ?? '' }
  }
  const begin = async (key: string, to: string) => {
    const headers = { Prefer: 'wait=20' }
    return call(`${base}/v1/verifications`, { to }, { token: key, headers })
  }
  const tries = async (key: string, id: string) => {
    const { json } = await call(`${base}/v1/verifications/${id}`, undefined, { token: key })
    return json.deliveries?.[0]?.tries ?? []
  }
  return { server, env, admin, addApp, begin, tries }
}

async function opened<Result>(work: (at: Opened, dataDir: string) => Promise<Result>) {
  const { folder, remove } = scratch()
  try {
    return await work(await open(join(folder, 'data')), join(folder, 'data'))
  } finally {
    await killAll()
    remove()
  }
}
type Opened = Awaited<ReturnType<typeof open>>

let people = 0
const somebody = () => `person${people++}@example.com`
const mailTo = (to: string): Arrived | undefined =>
  relay.arrived.find(({ recipients }) => recipients.includes(to))

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const serviceAccount = JSON.stringify({
  type: 'service_account',
  client_email: 'mailer@project.iam.gserviceaccount.com',
  private_key_id: 'key-1',
  private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
  token_uri: 'https://evil.test/token',
})
const client = { client_id: 'client-1', client_secret: 'cl1ent-s3cret' }
const kinds = {
  google: { auth: 'google', ...client, refresh_token: '1//refresh-0' },
  google_service_account: { auth: 'google_service_account', service_account: serviceAccount },
  microsoft: { auth: 'microsoft', tenant, ...client, refresh_token: '0.refresh-0' },
  microsoft_app: { auth: 'microsoft_app', tenant, ...client },
}
const gmail = { host: 'smtp.gmail.com', ...kinds.google }
const office = { host: 'smtp.office365.com', ...kinds.microsoft }

describe('mail goes through', () => {
  test.each([
    ['google', 'smtp.gmail.com', { grant_type: 'refresh_token', refresh_token: '1//refresh-0' }],
    [
      'google_service_account',
      'smtp.gmail.com',
      { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer' },
    ],
    ['microsoft', 'smtp.office365.com', { refresh_token: '0.refresh-0', ...client }],
    ['microsoft_app', 'smtp.office365.com', { grant_type: 'client_credentials', ...client }],
  ] as const)('the provider’s own names, with a token of it: %s', async (kind, host, form) => {
    await opened(async ({ addApp, begin }) => {
      const { key } = await addApp({ host, ...kinds[kind] })
      const all = [somebody(), somebody(), somebody()]
      for (const to of all) {
        const { status, json } = await begin(key, to)
        expect([status, json.delivery?.status, json.delivery?.detail]).toMatchObject([
          ...[201, 'sent'],
          expect.stringContaining('250'),
        ])
      }
      for (const to of all) expect(mailTo(to)).toBeDefined()
      expect(asked).toMatchObject([{ provider: kind.split('_')[0] ?? '', form }])
    })
  })

  test('a server that offers OAUTHBEARER only, whose authority only the endpoint trusts', async () => {
    await opened(async ({ addApp, begin }) => {
      const to = somebody()
      const email = { ...kinds.google, host: 'bearer.acme.test' }
      const { key } = await addApp({ ...email, ca: company.ca })
      const other = await addApp(email)

      expect((await begin(key, to)).json.delivery).toMatchObject({ status: 'sent' })
      expect(mailTo(to)).toBeDefined()
      const refused = (await begin(other.key, somebody())).json.delivery
      expect(refused).toMatchObject({
        status: 'refused',
        detail: expect.stringContaining('not trusted'),
      })
    })
  })

  test.each(['plain', 'login', 'cram'])('a server that offers one mechanism: %s', async (name) => {
    await opened(async ({ addApp, begin }) => {
      const email = { host: `${name}.acme.test`, ca: company.ca, user }
      const good = await addApp({ ...email, password: login.password })
      const bad = await addApp({ ...email, password: 'wrong' })
      const to = somebody()

      expect((await begin(good.key, to)).json.delivery).toMatchObject({ status: 'sent' })
      expect(mailTo(to)).toBeDefined()
      expect((await begin(bad.key, somebody())).json.delivery).toMatchObject({ status: 'refused' })
    })
  })
})

describe('a token', () => {
  test('that the mail server finds stale is replaced, within the same try', async () => {
    await opened(async ({ addApp, begin, tries }) => {
      sign = (token, number) => {
        if (number === 1) token.payload['exp'] = Math.floor(Date.now() / 1000) - 60
      }
      const { key } = await addApp(gmail)
      const { json } = await begin(key, somebody())

      expect(json.delivery).toMatchObject({ status: 'sent' })
      expect(asked).toHaveLength(2)
      expect(await tries(key, json.id ?? '')).toMatchObject([{ number: 1, status: 'sent' }])
    })
  })

  test('that is refused twice ends the try as a refused login, with an alarm', async () => {
    await opened(async ({ addApp, begin, tries, admin }) => {
      sign = (token) => {
        token.payload['sub'] = 'somebody-else@acme.test'
      }
      const { key } = await addApp(gmail)
      const { json } = await begin(key, somebody())
      await begin(key, somebody())

      expect(json.delivery).toMatchObject({ status: 'refused' })
      expect(await tries(key, json.id ?? '')).toMatchObject([{ status: 'refused', cause: 'login' }])
      expect(asked).toHaveLength(2)
      const { json: alarms } = await admin('/v1/alarms?open=true')
      expect(alarms.items).toMatchObject([{ kind: 'login_refused' }])
    })
  })

  test('is asked for once for forty messages at once', async () => {
    await opened(async ({ addApp, begin }) => {
      const { key } = await addApp(office)
      const all = await Promise.all(Array.from({ length: 40 }, () => begin(key, somebody())))

      expect(all.every(({ json }) => json.delivery?.status === 'sent')).toBe(true)
      expect(asked).toHaveLength(1)
    })
  })

  test('and secrets are in no file, answer or line of the log', async () => {
    await opened(async ({ server, addApp, begin, admin }, dataDir) => {
      const { id, key } = await addApp(office)
      const tokens: string[] = []
      answer = ({ body }) => {
        const { access_token: access, refresh_token: refresh } = body as Record<string, string>
        tokens.push(access ?? '', refresh ?? '')
      }
      await begin(key, somebody())
      const shown = (await admin(`/v1/apps/${id}`)).text + server.stdout() + server.stderr()
      await server.stop()

      const files = readdirSync(dataDir)
        .map((name) => join(dataDir, name))
        .filter((path) => statSync(path).isFile())
        .map((path) => readFileSync(path, 'latin1'))
      const secrets = [...tokens, client.client_secret, kinds.microsoft.refresh_token]
      expect(tokens.filter(Boolean)).toHaveLength(2)
      for (const secret of secrets) {
        for (const text of [shown, ...files]) expect(text.includes(secret)).toBe(false)
      }
    })
  })
})

describe('a token server', () => {
  test('that is busy defers the message, which is sent with the next try', async () => {
    await opened(async ({ addApp, begin, tries }) => {
      answer = (response, number) => {
        if (number === 1) response.statusCode = 503
      }
      const { key } = await addApp(gmail)
      const to = somebody()
      const { json } = await begin(key, to)

      expect(json.delivery).toMatchObject({
        status: 'deferred',
        detail: 'the token server oauth2.googleapis.com answers 503',
      })
      await eventually(async () => (await tries(key, json.id ?? '')).length > 1, 30_000)
      expect(mailTo(to)).toBeDefined()
      expect(await tries(key, json.id ?? '')).toMatchObject([
        { status: 'deferred', cause: 'busy' },
        { status: 'sent' },
      ])
    })
  })

  test('that refuses the refresh token says what to do, and is not asked again', async () => {
    await opened(async ({ addApp, begin, tries }) => {
      answer = (response) => {
        response.statusCode = 400
        response.body = { error: 'invalid_grant', error_description: 'AADSTS70008: 0.refresh-0' }
      }
      const { key } = await addApp(office)
      const { json } = await begin(key, somebody())
      await begin(key, somebody())

      expect(json.delivery).toMatchObject({
        status: 'refused',
        detail:
          'Microsoft gives no token (invalid_grant, AADSTS70008): the refresh token is not valid ' +
          'any more; make a new one and set it',
      })
      expect(await tries(key, json.id ?? '')).toMatchObject([{ cause: 'login' }])
      expect(asked).toHaveLength(1)
    })
  })

  test('that does not answer as one defers the message', async () => {
    await opened(async ({ addApp, begin, tries }) => {
      const { key } = await addApp({ ...office, tenant: 'other.acme.test' })
      const { json } = await begin(key, somebody())

      // The stand-in knows one tenant only, and answers 404 without an error of OAuth.
      expect(json.delivery).toMatchObject({
        status: 'deferred',
        detail: expect.stringContaining('does not answer as a token server'),
      })
      expect(await tries(key, json.id ?? '')).toMatchObject([{ cause: 'network' }])
    })
  })
})

test('the refresh token that Microsoft gives in place of the used one outlives a restart', async () => {
  await opened(async (first, dataDir) => {
    const { key } = await first.addApp(office)
    let given = ''
    answer = ({ body }) => {
      given = String((body as Record<string, unknown>)['refresh_token'])
    }
    await first.begin(key, somebody())
    const before = given
    expect(await first.server.stop()).toBe(0)
    const second = await open(dataDir)
    expect((await second.begin(key, somebody())).json.delivery).toMatchObject({ status: 'sent' })

    expect(asked.map(({ form }) => form['refresh_token'])).toEqual(['0.refresh-0', before])
    expect(before).toMatch(/^[0-9a-f-]{36}$/)
  })
})

test('the doctor tells of the token and the login, and why there is none', async () => {
  await opened(async ({ addApp, env }) => {
    const good = await addApp(gmail)
    const bad = await addApp(office)
    const doctor = async (id: string) => {
      const command = [...namespace.through, executable(), 'doctor', '--app', id]
      const { stdout } = await finished(command, { ...env, PATH: process.env['PATH'] ?? '' })
      return stdout
    }

    const told = await doctor(good.id)
    expect(told).toContain('An access token was given.')
    expect(told).toContain('The login was accepted (XOAUTH2)')
    answer = (response) => {
      response.statusCode = 401
      response.body = { error: 'invalid_client', error_description: 'AADSTS7000222: expired' }
    }
    expect(await doctor(bad.id)).toContain('the client secret has expired')
  })
})

test('a rate is kept, and a start beyond it is refused with the time until the next token', async () => {
  await opened(async ({ addApp, begin }) => {
    const { key } = await addApp({ ...gmail, rate_per_minute: 3 })
    for (let count = 0; count < 3; count++) {
      expect((await begin(key, somebody())).json.delivery).toMatchObject({ status: 'sent' })
    }
    const refused = await begin(key, somebody())

    expect(refused).toMatchObject({ status: 503, json: { code: 'delivery_backlog' } })
    const seconds = Number(refused.headers.get('retry-after'))
    expect(seconds).toBeGreaterThan(20)
    expect(seconds).toBeLessThanOrEqual(31)
  })
})
