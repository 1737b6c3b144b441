import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { createHash, X509Certificate } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { type Programs, programs } from '../postgres/programs.ts'
import { type Environment, eventually, killAll, scratch, start } from '../support/executable.ts'
import { freePort } from '../support/port.ts'
import { type Certificate, makeCertificate } from '../support/smtp.ts'
import { launch, visit } from './browser.ts'
import { adminToken, call, createApp, type Json } from './client.ts'
import { dashboardLink } from './dashboard.ts'

/*
 * HAProxy with a certificate before both listeners, as docs/deployment.md and docs/dashboard.md have
 * it, and a browser that trusts the key of this certificate only.
 */
setDefaultTimeout(180_000)

const names = { api: 'otp.example.com', admin: 'otp-admin.example.com', site: 'shop.example.com' }
const clientAddress = '203.0.113.7'
const { folder, remove } = scratch()
const [apiPort, adminPort, apiTls, adminTls, siteTls] = Array.from({ length: 5 }, freePort)
const urls = {
  api: `https://${names.api}:${apiTls}`,
  admin: `https://${names.admin}:${adminTls}`,
  site: `https://${names.site}:${siteTls}`,
}
const env: Environment = {
  OTPMINT_DATA_DIR: join(folder, 'data'),
  OTPMINT_PORT: `${apiPort}`,
  OTPMINT_DASHBOARD_LISTEN: `127.0.0.1:${adminPort}`,
  OTPMINT_PUBLIC_URL: urls.api,
  OTPMINT_DASHBOARD_URL: urls.admin,
  OTPMINT_TRUSTED_PROXIES: '127.0.0.1',
}
const told: Json[] = []
let certificate: Certificate
let proxy: Programs
let browser: Browser
let testKey = ''
let site: ReturnType<typeof serveSite>

beforeAll(async () => {
  certificate = makeCertificate(Object.values(names))
  site = serveSite()
  await start(['serve'], env)
  proxy = await startProxy()
  browser = await launch([
    '--host-resolver-rules=MAP *.example.com 127.0.0.1',
    `--ignore-certificate-errors-spki-list=${keyHash(certificate.cert)}`,
  ])
  const token = adminToken(env['OTPMINT_DATA_DIR'] ?? '')
  const policy = { return_urls: [`${urls.site}/done`] }
  const made = await createApp({ base: `http://127.0.0.1:${apiPort}` }, token, { port: 25, policy })
  testKey = made.testKey
})
afterAll(async () => {
  await browser?.close()
  await proxy?.stop()
  await site?.stop(true)
  await killAll()
  certificate?.remove()
  remove()
})

/** The app's own site, which redeems the result where a browser comes back. */
function serveSite() {
  return Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch(request) {
      const result = new URL(request.url).searchParams.get('otpmint_result')
      const redeemed = await ask('api', '/v1/results', { body: { result }, token: testKey })
      told.push(redeemed.json)
      const page = `<!doctype html><title>Shop</title><link rel=icon href=data:,><h1>You are ${redeemed.json.status}</h1>`
      return new Response(page, { headers: { 'content-type': 'text/html' } })
    },
  })
}

async function startProxy(): Promise<Programs> {
  const all = programs('https-proxy')
  const pem = join(folder, 'site.pem')
  writeFileSync(pem, certificate.cert + certificate.key)
  all.copy(pem, 'site.pem')
  const behind = [
    ['api', apiTls, apiPort],
    ['admin', adminTls, adminPort],
    ['site', siteTls, site.port],
  ]
  const config = join(folder, 'haproxy.cfg')
  writeFileSync(
    config,
    `
global
  maxconn 200
defaults
  mode http
  timeout connect 1s
  timeout client 30s
  timeout server 90s
${behind
  .map(
    ([name, tls, port]) => `
frontend ${name}
  bind 127.0.0.1:${tls} ssl crt ${all.folder}/site.pem alpn h2,http/1.1
  http-request set-header X-Forwarded-For ${clientAddress}
  http-request set-header X-Forwarded-Proto https
  default_backend ${name}
backend ${name}
  server one 127.0.0.1:${port}
`,
  )
  .join('')}`,
  )
  all.copy(config, 'haproxy.cfg')
  const program = all.start('haproxy', [
    ...['/usr/sbin/haproxy', '-f', join(all.folder, 'haproxy.cfg'), '-db'],
  ])
  await eventually(async () => {
    const isUp = await ask('api', '/healthz').then(
      ({ status }) => status === 200,
      () => false,
    )
    return isUp || program.output().includes('ALERT')
  }, 30_000)
  return all
}

/** The form in which Chromium takes the public key that it is to trust. */
function keyHash(pem: string): string {
  const { publicKey } = new X509Certificate(pem)
  const bytes = publicKey.export({ type: 'spki', format: 'der' })
  return createHash('sha256').update(bytes).digest('base64')
}

type Ask = { body?: unknown; token?: string; headers?: Record<string, string>; method?: string }

/** Asks through the proxy, by the name in the certificate. */
async function ask(to: 'api' | 'admin', path: string, { body, token, ...given }: Ask = {}) {
  const { headers = {}, method = body === undefined ? 'GET' : 'POST' } = given
  const response = await fetch(`https://127.0.0.1:${to === 'api' ? apiTls : adminTls}${path}`, {
    method,
    headers: {
      host: new URL(urls[to]).host,
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(token && { authorization: `Bearer ${token}` }),
      ...headers,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    tls: { ca: certificate.ca },
  })
  const text = await response.text()
  const json: Json = text.startsWith('{') ? JSON.parse(text) : {}
  return { status: response.status, headers: response.headers, text, json }
}

const person = { name: 'Ada Lovelace', password: 'a long enough password' }

test('behind TLS a person signs in to the dashboard, changes something and follows what happens', async () => {
  const link = await dashboardLink(env)
  expect(link).toStartWith(`${urls.admin}/#/link/`)
  const { page, troubles } = await visit(browser, link, { locale: 'en' })
  await page.getByLabel('Name').fill(person.name)
  await page.getByLabel('New password').fill(person.password)
  await page.getByRole('button', { name: 'Save and sign in' }).click()
  await page.getByText('Live', { exact: true }).waitFor()

  expect(page.url()).toBe(`${urls.admin}/#/`)
  expect(await page.evaluate('isSecureContext')).toBe(true)
  const cookies = await page.context().cookies()
  expect(cookies).toMatchObject([
    { name: '__Host-otpmint', domain: names.admin, path: '/', secure: true, httpOnly: true },
  ])
  expect(cookies[0]?.sameSite).toBe('Strict')
  const { headers } = await ask('admin', '/')
  expect(headers.get('strict-transport-security')).toBe('max-age=31536000')

  // A change, which is taken from this origin only; and the address is the browser's, not the proxy's.
  await page.goto(`${urls.admin}/#/people`)
  await page.getByRole('button', { name: 'Invite a person' }).click()
  await page.getByLabel('Name').fill('Grace Hopper')
  await page.getByRole('dialog').getByRole('button', { name: 'Invite a person' }).click()
  const invitation = await page.locator('dialog code').textContent()
  expect(invitation).toStartWith(`${urls.admin}/#/link/`)
  await page.goto(`${urls.admin}/#/me`)
  await page.getByText(clientAddress).first().waitFor()
  // Before the sign-in the page asks whether there is a session.
  expect(troubles.filter((each) => !each.includes('status of 401'))).toEqual([])
  await page.context().close()
})

test('behind TLS a change is refused from http, from another origin, and for a name of this machine', async () => {
  const own = new URL(urls.admin)
  const post = (headers: Record<string, string>) =>
    ask('admin', '/session', { body: { name: 'x', password: 'y' }, headers })
  const codes = async (all: Record<string, string>[]) =>
    (await Promise.all(all.map(post))).map(({ status, json }) => [status, json.code])

  expect(await codes([{ origin: urls.admin }])).toEqual([[401, 'sign_in_refused']])
  const origins = [`http://${own.host}`, `https://${own.hostname}`, urls.api, 'null']
  expect(await codes(origins.map((origin) => ({ origin })))).toEqual(
    origins.map(() => [403, 'foreign_origin']),
  )
  const hosts = [`localhost:${adminPort}`, `127.0.0.1:${adminTls}`, names.admin]
  expect(await codes(hosts.map((host) => ({ host, origin: urls.admin })))).toEqual(
    hosts.map(() => [421, 'misdirected_request']),
  )
})

test('behind TLS a hosted page has the https address, a cookie for its host, and leads back to the app', async () => {
  const body = { to: 'ada@example.com', return_url: `${urls.site}/done` }
  const begun = await ask('api', '/v1/verifications', {
    ...{ body, token: testKey },
    headers: { prefer: 'wait=5' },
  })
  const pageUrl = String(begun.json['page_url'])
  expect(pageUrl).toStartWith(`${urls.api}/verify/${begun.json.id}/`)
  const token = adminToken(env['OTPMINT_DATA_DIR'] ?? '')
  const inbox = await ask('api', '/v1/inbox', { token })
  const { code = '' } = inbox.json.items?.[0] ?? {}

  const { page, troubles } = await visit(browser, pageUrl, { locale: 'en' })
  await page.locator('#code:focus').waitFor()
  expect(page.url()).toBe(`${urls.api}/verify/${begun.json.id}`)
  expect(await page.context().cookies()).toMatchObject([
    {
      ...{ name: `__Host-otpmint-${begun.json.id}`, domain: names.api, path: '/' },
      ...{ secure: true, httpOnly: true, sameSite: 'Lax' },
    },
  ])
  await page.keyboard.type(code)
  await page.getByRole('heading', { name: 'You are approved' }).waitFor()

  expect(new URL(page.url()).origin).toBe(urls.site)
  expect(told.at(-1)).toMatchObject({ id: begun.json.id, status: 'approved' })
  expect(troubles.filter((url) => !url.startsWith(urls.site))).toEqual([])
  await page.context().close()
})

test('without the https addresses there is no page and no form, rather than an unsafe one', async () => {
  const dataDir = join(folder, 'plain')
  const server = await start(['serve'], {
    OTPMINT_DATA_DIR: dataDir,
    OTPMINT_TRUSTED_PROXIES: '127.0.0.1',
  })
  const token = adminToken(dataDir)
  const policy = { return_urls: [`${urls.site}/done`] }
  const made = await createApp(server, token, { port: 25, policy })
  const body = { to: 'ada@example.com', return_url: `${urls.site}/done` }
  const begun = await call(`${server.base}/v1/verifications`, body, { token: made.testKey })
  const forwarded = { accept: 'text/html', 'x-forwarded-for': clientAddress }
  const shown = await call(server.dashboardUrl(), undefined, { headers: forwarded })

  expect(begun.status).toBeGreaterThanOrEqual(400)
  expect(begun.json).not.toHaveProperty('page_url')
  expect([shown.status, /<form|<input|<script/.test(shown.text)]).toEqual([421, false])
  await server.stop()
})
