import { expect, test } from 'bun:test'
import { type Answer, adminToken, type Site } from './fixture.ts'
import { hostedSite, returnUrl, startPage } from './hosted-fixture.ts'

const shop = 'https://shop.example.com'
const framed = { 'sec-fetch-dest': 'iframe', 'accept-language': 'en' }

const policyOf = (answer: Answer) => answer.headers.get('content-security-policy') ?? ''

async function openIn(at: Site, headers: Record<string, string>) {
  const { id, path, code } = await startPage(at)
  const opening = await at.call('GET', path, { token: null, headers })
  const set = opening.headers.get('set-cookie') ?? ''
  const cookie = set.split(';')[0] ?? ''
  const ask = (method: string, raw?: string) =>
    at.call(method, `/verify/${id}`, {
      token: null,
      headers: {
        ...headers,
        cookie,
        ...(raw !== undefined && { 'content-type': 'application/x-www-form-urlencoded' }),
      },
      ...(raw !== undefined && { raw }),
    })
  return { id, code, set, ask }
}

test('without listed origins no page is shown in a frame, and its cookie is not for frames', async () => {
  const at = await hostedSite()
  const { set, ask } = await openIn(at, framed)

  expect(set).toEndWith('SameSite=Lax')
  const page = await ask('GET')
  expect(policyOf(page)).toEndWith("frame-ancestors 'none'")
  expect(page.headers.get('cross-origin-resource-policy')).toBe('same-origin')
  expect(page.text).not.toContain('data-origins')
})

test('in a frame of a listed origin the cookie is kept apart for the site, and the end is told to it', async () => {
  const at = await hostedSite({ policy: { embedOrigins: [shop, 'https://other.example.com'] } })
  const { id, code, set, ask } = await openIn(at, framed)
  expect(set).toEndWith('; Secure; HttpOnly; SameSite=None; Partitioned')
  const page = await ask('GET')
  expect(policyOf(page)).toEndWith(`frame-ancestors ${shop} https://other.example.com`)
  expect(page.text).toContain(`data-origins="${shop} https://other.example.com"`)

  const done = await ask('POST', `action=check&code=${code}`)
  expect([done.status, done.headers.get('location')]).toEqual([200, null])
  const result = /data-result="([A-Za-z0-9_-]{32})"/.exec(done.text)?.[1]
  expect(done.text).toContain(`data-id="${id}"`)
  // Without a script a link leads on, out of the frame.
  const link = `${returnUrl}&otpmint_result=${result}`.replaceAll('&', '&#38;')
  expect(done.text).toContain(`<a class="button" href="${link}" target="_top">`)
  const told = await at.call('POST', '/v1/results', { body: { result } })
  expect(told.json).toMatchObject({ id, status: 'approved' })
  const after = await ask('POST', 'action=finish')
  expect(after.text).not.toContain('data-result')
})

test('outside of a frame the page of such an app works as any other', async () => {
  const at = await hostedSite({ policy: { embedOrigins: [shop] } })
  const { code, set, ask } = await openIn(at, { 'sec-fetch-dest': 'document' })

  expect(set).toEndWith('SameSite=Lax')
  expect((await ask('POST', `action=check&code=${code}`)).status).toBe(303)
})

test.each([
  'https://shop.example.com/',
  'http://shop.example.com',
  'https://*.example.com',
  'https://shop.example.com;script-src',
  "https://shop'.example.com",
  "'self'",
  '*',
  'https://shop.example.com; script-src *',
])('an app cannot list the origin %s', async (origin) => {
  const at = await hostedSite()

  const answer = await at.call('PATCH', `/v1/apps/${at.app.id}`, {
    ...{ body: { policy: { embed_origins: [shop, origin] } }, token: adminToken },
  })

  expect([answer.status, answer.json.errors?.[0]?.field]).toEqual([422, 'policy.embed_origins'])
})
