import { expect, test } from 'bun:test'
import { createLocalJWKSet, type JWK, jwtVerify } from 'jose'
import { firstKeyset } from '../../src/keys/keyset.ts'
import { createProofs } from '../../src/keys/proof.ts'
import { addApp, codeOf, wrongCode } from '../support/world.ts'
import { adminToken, site } from './fixture.ts'
import {
  base,
  browser,
  hostedSite,
  opened,
  resultOf,
  returnUrl,
  startPage,
  statusOf,
} from './hosted-fixture.ts'

test('a page is opened once, approves the right code, and its result is good once for its app', async () => {
  const at = await hostedSite()
  const { id, pageUrl, path, code } = await startPage(at)
  expect(pageUrl).toMatch(new RegExp(`^${base}/verify/${id}/[A-Za-z0-9_-]{32}$`))
  const one = browser(at)

  const first = await one.get(path)
  expect([first.status, first.headers.get('location')]).toEqual([303, `../${id}`])
  const cookie = first.headers.get('set-cookie') ?? ''
  expect(cookie).toStartWith(`__Host-otpmint-${id}=`)
  expect(cookie).toEndWith('; Path=/; Max-Age=4200; Secure; HttpOnly; SameSite=Lax')
  const page = await one.get(`/verify/${id}`)
  expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
  expect(page.text).toContain('<bdi>a***@example.com</bdi>')
  expect(page.text).not.toContain('ada@')
  expect(page.text).not.toContain(code)

  const done = await one.post(`/verify/${id}`, {
    action: 'check',
    code: ` ${code.slice(0, 3)}-${code.slice(3)} `,
  })
  expect(done.status).toBe(303)
  expect(done.headers.get('location')).toMatch(
    /^https:\/\/app\.example\.com\/done\?step=2&otpmint_result=[A-Za-z0-9_-]{32}$/,
  )
  const result = resultOf(done)
  const redeem = (token = at.liveKey) => at.call('POST', '/v1/results', { body: { result }, token })
  const other = await addApp(at, { name: 'Other' })
  expect((await redeem(other.liveKey)).json.code).toBe('result_not_found')
  expect((await redeem(at.testKey)).json.code).toBe('result_not_found')
  expect((await redeem()).json).toMatchObject({ id, status: 'approved' })
  expect([(await redeem()).status, (await redeem()).json.code]).toEqual([404, 'result_not_found'])
})

test('a result is refused after a minute, and the page gives another one until the app has one', async () => {
  const at = await hostedSite()
  const { id, path, code } = await startPage(at)
  const one = await opened(at, path)
  const late = resultOf(await one.post(`/verify/${id}`, { action: 'check', code }))
  at.clock.advance(60_000)
  const refused = await at.call('POST', '/v1/results', { body: { result: late } })
  expect(refused.json.code).toBe('result_not_found')

  // The browser lost the answer: its page leads back, also when the same code is sent again.
  expect((await one.get(`/verify/${id}`)).text).toContain('value="finish"')
  const replaced = resultOf(await one.post(`/verify/${id}`, { action: 'finish' }))
  const again = resultOf(await one.post(`/verify/${id}`, { action: 'check', code }))
  const old = await at.call('POST', '/v1/results', { body: { result: replaced } })
  expect(old.status).toBe(404)
  const told = await at.call('POST', '/v1/results', { body: { result: again } })
  expect(told.json).toMatchObject({ id, status: 'approved' })
  const after = await one.post(`/verify/${id}`, { action: 'finish' })
  expect(after.headers.get('location')).toBe(returnUrl)
})

test('nothing is approved and no attempt spent by GET, HEAD, or a POST without the cookie', async () => {
  const at = await hostedSite({ settings: { ipFailuresPerMinute: 100 } })
  const { id, path, code } = await startPage(at)
  const owner = await opened(at, path)
  const scanner = browser(at, '198.51.100.7')
  const fields = { action: 'check', code }

  for (const page of [path, `/verify/${id}`, `/verify/${id}?code=${code}&action=check`]) {
    for (let time = 0; time < 10; time++) {
      for (const answer of [await scanner.get(page), await scanner.head(page)]) {
        expect([200, 404]).toContain(answer.status)
        expect(answer.headers.get('set-cookie')).toBeNull()
      }
    }
  }
  // The owner's own GETs change nothing either.
  await owner.get(`/verify/${id}?code=${code}&action=check`)
  expect((await scanner.post(`/verify/${id}`, fields)).status).toBe(403)
  expect((await scanner.post(path, fields)).status).toBe(405)
  expect((await scanner.post(`/verify/${id}`, '')).status).toBe(422)
  scanner.take(`__Host-otpmint-${id}=${'A'.repeat(32)}`)
  for (const action of ['check', 'resend', 'cancel', 'finish', 'channel:email']) {
    expect((await scanner.post(`/verify/${id}`, { action, code })).status).toBe(403)
  }

  expect(await statusOf(at, id)).toEqual(['pending', 5])
  expect(at.sent).toHaveLength(1)
  expect((await owner.post(`/verify/${id}`, fields)).status).toBe(303)
})

test('a HEAD of the link leaves it to the browser, and a second browser does not get the page', async () => {
  const at = await hostedSite()
  const { id, path } = await startPage(at)
  const scanner = browser(at, '198.51.100.7')
  expect((await scanner.head(path)).headers.get('set-cookie')).toBeNull()
  const one = await opened(at, path)

  const second = await scanner.get(path)
  expect([second.status, second.headers.get('set-cookie')]).toEqual([404, null])
  expect((await scanner.get(`/verify/${id}`)).text).not.toContain('<form')
  const back = await one.get(path)
  expect([back.status, back.headers.get('location')]).toEqual([303, `../${id}`])
  expect(back.headers.get('set-cookie')).toBeNull()
  expect((await one.get(`/verify/${id}`)).text).toContain('<form')
})

test('of twenty browsers that follow a link at once, one gets the page', async () => {
  const at = await hostedSite()
  const { path } = await startPage(at)

  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) => browser(at, `192.0.2.${index}`).get(path)),
  )

  expect(answers.filter(({ status }) => status === 303)).toHaveLength(1)
})

test('a form of another site is refused, whatever its cookie', async () => {
  const at = await hostedSite()
  const { id, path, code } = await startPage(at)
  const { cookie } = await opened(at, path)
  for (const site of ['cross-site', 'same-site', 'none']) {
    const answer = await at.call('POST', `/verify/${id}`, {
      token: null,
      raw: `action=check&code=${code}`,
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        'sec-fetch-site': site,
        cookie: cookie(),
      },
    })
    expect(answer.status).toBe(403)
  }
  const types = ['application/json', 'text/plain', 'multipart/form-data; boundary=x']
  for (const type of types) {
    const answer = await at.call('POST', `/verify/${id}`, {
      ...{ token: null, raw: '{"action":"check"}' },
      headers: { 'content-type': type, cookie: cookie() },
    })
    expect(answer.status).toBe(415)
  }
  expect(await statusOf(at, id)).toEqual(['pending', 5])
})

test('a wrong code spends one attempt and says how many are left; what cannot be the code spends none', async () => {
  const at = await hostedSite()
  const { id, path, code } = await startPage(at)
  const one = await opened(at, path)
  const type = (text: string) => one.post(`/verify/${id}`, { action: 'check', code: text })

  for (const text of ['', '12345', 'abcdef', '１２３', '<script>', 'x'.repeat(5000)]) {
    const answer = await type(text)
    expect(answer.status).toBe(422)
    expect(answer.text).toContain('<p class="error" id="error" role="alert">')
    expect(answer.text).not.toContain('<script>')
  }
  expect(await statusOf(at, id)).toEqual(['pending', 5])
  const wrong = await type(wrongCode(code))
  expect([wrong.status, wrong.text]).toEqual([
    422,
    expect.stringContaining('Tries left: <bdi>4</bdi>'),
  ])
  expect(wrong.text).toContain('aria-invalid="true"')
  for (let left = 3; left >= 0; left--) await type(wrongCode(code))
  expect((await one.get(`/verify/${id}`)).text).toContain('Too many wrong codes')
  const right = await type(code)
  expect([right.status, await statusOf(at, id)]).toEqual([409, ['exhausted', 0]])
  const result = resultOf(await one.post(`/verify/${id}`, { action: 'finish' }))
  const told = await at.call('POST', '/v1/results', { body: { result } })
  expect(told.json).toMatchObject({ id, status: 'exhausted' })
})

test('digits of other scripts are read, and fifty submissions at once approve once', async () => {
  const at = await hostedSite({ settings: { pageChecksPerTenMinutes: 1000 } })
  const { id, path, code } = await startPage(at)
  const one = await opened(at, path)
  const arabic = [...code].map((digit) => String.fromCodePoint(0x0660 + Number(digit))).join(' ')

  const answers = await Promise.all(
    Array.from({ length: 50 }, () => one.post(`/verify/${id}`, { action: 'check', code: arabic })),
  )

  // The others find the code used, and lead back too; one result is valid in the end.
  expect(answers.every(({ status }) => status === 303)).toBe(true)
  const redeemed = await Promise.all(
    answers.map((answer) => at.call('POST', '/v1/results', { body: { result: resultOf(answer) } })),
  )
  expect(redeemed.filter(({ status }) => status === 200)).toHaveLength(1)
  const events = await at.events.list({
    appId: at.app.id,
    type: 'verification.approved',
    limit: 9,
    cursor: null,
  })
  expect(events.items).toHaveLength(1)
})

test('resends wait, are counted, and end; another channel of the route is offered', async () => {
  const at = await hostedSite()
  const secret = `whsec_${Buffer.alloc(32, 1).toString('base64')}`
  const webhook = { url: 'https://gateway.example.com/otp', secret }
  const added = await at.call('POST', `/v1/apps/${at.app.id}/endpoints`, {
    ...{ body: { channel: 'webhook', webhook }, token: adminToken },
  })
  expect(added.status).toBe(201)
  const { id, path } = await startPage(at, { channel: ['email', 'webhook'] })
  const one = await opened(at, path)
  const press = (action: string) => one.post(`/verify/${id}`, { action })

  const early = await press('resend')
  expect([early.status, early.headers.get('retry-after')]).toEqual([429, '30'])
  expect(early.text).toContain('You can have it sent again in <bdi>30 sec</bdi>')
  at.clock.advance(30_000)
  const other = await press('channel:webhook')
  expect([other.status, at.sent.at(-1)?.handover.channel]).toEqual([200, 'webhook'])
  expect(other.text).toContain('The code was sent again.')
  expect(other.text).toContain('value="channel:email"')
  expect((await press('channel:sms')).status).toBe(422)
  expect((await press('anything')).status).toBe(422)
  for (let time = 0; time < 2; time++) {
    at.clock.advance(30_000)
    expect((await press('resend')).status).toBe(200)
  }
  at.clock.advance(30_000)
  const last = await press('resend')
  expect([last.status, at.sent.length]).toEqual([409, 4])
  expect(last.text).toContain('cannot be sent again')
})

test('the wrong address ends the verification, and the app learns that', async () => {
  const at = await hostedSite()
  const { id, path, code } = await startPage(at)
  const one = await opened(at, path)

  const result = resultOf(await one.post(`/verify/${id}`, { action: 'cancel' }))

  const told = await at.call('POST', '/v1/results', { body: { result } })
  expect(told.json).toMatchObject({ id, status: 'canceled' })
  const late = await one.post(`/verify/${id}`, { action: 'check', code })
  expect([late.status, await statusOf(at, id)]).toEqual([409, ['canceled', 5]])
})

test('a page that was left open overnight says that it has expired, and later knows nothing', async () => {
  const at = await hostedSite()
  const { id, path, code } = await startPage(at)
  const one = await opened(at, path)
  at.clock.advance(601_000)

  const late = await one.post(`/verify/${id}`, { action: 'check', code })
  expect([late.status, late.text]).toEqual([409, expect.stringContaining('This code has expired.')])
  expect(resultOf(await one.post(`/verify/${id}`, { action: 'finish' }))).toHaveLength(32)
  at.clock.advance(3_600_000)
  expect((await one.get(`/verify/${id}`)).text).toContain('where you were asked for it')
  expect((await one.post(`/verify/${id}`, { action: 'finish' })).status).toBe(403)
  expect((await browser(at).get(path)).status).toBe(404)
})

test('one address may try 30 codes in 10 minutes and ask for 10 messages in an hour, over all pages', async () => {
  const at = await hostedSite({
    settings: {
      recipientStartSpacingSeconds: 1,
      recipientStartsPerQuarterHour: 100,
      resendsMax: 10,
    },
  })
  const pages = []
  for (let index = 0; index < 7; index++) {
    const page = await startPage(at, { to: `person${index}@example.com` })
    pages.push({ ...page, at: await opened(at, page.path, '2001:db8:1:2::1') })
  }
  const [last] = pages.slice(-1)
  if (!last) throw new Error('there is a page')
  for (const page of pages.slice(0, 6)) {
    for (let time = 0; time < 5; time++) {
      const answer = await page.at.post(`/verify/${page.id}`, {
        action: 'check',
        code: wrongCode(page.code),
      })
      expect([422, 409]).toContain(answer.status)
    }
  }
  const refused = await last.at.post(`/verify/${last.id}`, { action: 'check', code: last.code })
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '20'])
  expect(refused.text).toContain('Too many tries')
  expect(await statusOf(at, last.id)).toEqual(['pending', 5])
  expect(at.logged()).toContain('"problem":"rate_limited"')
  expect(at.ports.metrics.render()).toContain('otpmint_limited_total{limit="page_checks"} 1')
  const elsewhere = browser(at, '2001:db8:1:3::1')
  elsewhere.take(last.at.cookie())
  expect(
    (await elsewhere.post(`/verify/${last.id}`, { action: 'check', code: last.code })).status,
  ).toBe(303)

  const page = await startPage(at, { to: 'other@example.com', ttl_seconds: 3600 })
  const one = await opened(at, page.path, '192.0.2.77')
  for (let time = 0; time < 10; time++) {
    at.clock.advance(30_000)
    expect((await one.post(`/verify/${page.id}`, { action: 'resend' })).status).toBe(200)
  }
  at.clock.advance(30_000)
  expect((await one.post(`/verify/${page.id}`, { action: 'resend' })).status).toBe(429)
})

test('who tries links or cookies is refused after ten in a minute', async () => {
  const at = await hostedSite()
  const { id } = await startPage(at)
  const guesser = browser(at, '198.51.100.9')
  const statuses = []
  for (let index = 0; index < 11; index++) {
    const secret = String(index).padStart(32, 'A')
    statuses.push((await guesser.get(`/verify/${id}/${secret}`)).status)
  }
  expect(statuses).toEqual([...Array(10).fill(404), 429])
  guesser.take(`__Host-otpmint-${id}=${'B'.repeat(32)}`)
  const refused = await guesser.post(`/verify/${id}`, { action: 'check', code: '123456' })
  expect([refused.status, refused.text]).toEqual([429, expect.stringContaining('Too many tries')])
})

test('a repeated start gets the same page, also when the page was not stored before', async () => {
  const at = await hostedSite()
  const headers = { 'idempotency-key': 'once' }
  const first = await startPage(at, {}, headers)
  const again = await startPage(at, {}, headers)
  expect([again.pageUrl, at.sent.length]).toEqual([first.pageUrl, 1])
  const other = await at.call('POST', '/v1/verifications', {
    body: { to: 'ada@example.com' },
    headers,
  })
  expect(other.json.code).toBe('idempotency_key_reused')

  let isBroken = true
  const add: typeof at.pages.add = (page) => {
    if (isBroken) return Promise.reject(new Error('lost'))
    return at.pages.add(page)
  }
  const fragile = await hostedSite({ ports: { pages: { ...at.pages, add } } })
  const body = { to: 'ada@example.com', return_url: returnUrl }
  const lost = await fragile.call('POST', '/v1/verifications', { body, headers })
  expect(lost.status).toBe(500)
  isBroken = false
  const kept = await fragile.call('POST', '/v1/verifications', { body, headers })
  expect(kept.status).toBe(201)
  expect(fragile.sent).toHaveLength(1)
})

test.each([
  'https://app.example.com/done',
  'https://app.example.com/done?step=2#x',
  'https://app.example.com/done?step=2&x=1',
  '//app.example.com/done?step=2',
  'https://app.example.com@evil.example/done?step=2',
  'https:\\\\app.example.com\\done?step=2',
  'https://app.example.com/x/../done?step=2',
  'HTTPS://app.example.com/done?step=2',
  '',
])(
  'a return URL that is not listed exactly is refused by name, and nothing is sent: %s',
  async (url) => {
    const at = await hostedSite()

    const answer = await at.call('POST', '/v1/verifications', {
      body: { to: 'ada@example.com', return_url: url },
    })

    expect([answer.status, answer.json.errors?.[0]?.field]).toEqual([422, 'return_url'])
    expect(at.sent).toEqual([])
  },
)

test.each([
  'http://app.example.com/done',
  'https://user:secret@app.example.com/',
  'https://good@evil.example/',
  'https://app.example.com/#done',
  'https://app.example.com/a/../b',
  'https://app.example.com',
  'https://app.example.com/\\evil.example',
  'https://app.example.com/?otpmint_result=1',
  '//evil.example/',
  'javascript:alert(1)',
  'https://app.example.com;script-src/',
  'https://*.example.com/',
  'data:text/html,x',
  '/done',
  `https://app.example.com/${'x'.repeat(500)}`,
])('an app cannot list the return URL %s', async (url) => {
  const at = await site()

  const answer = await at.call('PATCH', `/v1/apps/${at.app.id}`, {
    ...{ body: { policy: { return_urls: ['https://app.example.com/', url] } }, token: adminToken },
  })

  expect([answer.status, answer.json.errors?.[0]?.field]).toEqual([422, 'policy.return_urls'])
  expect(answer.text).not.toContain('secret@')
})

test('a list of return URLs has 1 to 20 different ones, and http is for this machine', async () => {
  const at = await site()
  const list = (urls: unknown) =>
    at.call('PATCH', `/v1/apps/${at.app.id}`, {
      ...{ body: { policy: { return_urls: urls } }, token: adminToken },
    })
  const many = (count: number) =>
    Array.from({ length: count }, (_, index) => `https://app.example.com/${index}`)

  expect((await list(many(20))).status).toBe(200)
  expect(
    (await list(['http://localhost:3000/done', 'http://127.0.0.1/', 'http://[::1]/'])).status,
  ).toBe(200)
  for (const wrong of [
    many(21),
    [],
    ['https://a.example/', 'https://a.example/'],
    'https://a.example/',
    [7],
  ]) {
    expect((await list(wrong)).status).toBe(422)
  }
})

test.each([
  ['no public URL', { publicUrl: null }],
  ['one without https', { publicUrl: 'http://otp.example.com' }],
])('with %s a page is refused by the name of the setting, and nothing is sent', async (_, http) => {
  const at = await site({ policy: { returnUrls: [returnUrl] }, http })

  const answer = await at.call('POST', '/v1/verifications', {
    body: { to: 'ada@example.com', return_url: returnUrl },
  })

  expect([answer.status, answer.json.code]).toEqual([409, 'page_unavailable'])
  expect(answer.json.detail).toContain('OTPMINT_PUBLIC_URL')
  expect(at.sent).toEqual([])
})

test('links come from the public URL, whatever the request names as host', async () => {
  const at = await hostedSite()
  const { pageUrl } = await startPage(
    at,
    {},
    { host: 'evil.example', 'x-forwarded-host': 'evil.example' },
  )

  expect(pageUrl).toStartWith(`${base}/verify/`)
  const { path } = await startPage(at, { to: 'two@example.com' })
  const answer = await at.call('GET', path, { token: null, headers: { host: 'evil.example' } })
  expect(answer.headers.get('location')).toMatch(/^\.\.\/[0-9A-Za-z]{30}$/)
})

test('the page is in the person’s language, else the browser’s, else the app’s', async () => {
  const at = await hostedSite({ policy: { language: 'fr' } })
  const see = async (body: object, language: string | null) => {
    const { id, path } = await startPage(at, { to: `${crypto.randomUUID()}@example.com`, ...body })
    const cookie = (await opened(at, path)).cookie()
    const headers = { cookie, ...(language !== null && { 'accept-language': language }) }
    return (await at.call('GET', `/verify/${id}`, { token: null, headers })).text
  }

  expect(await see({ locale: 'ar-EG' }, 'de')).toContain('<html lang="ar" dir="rtl">')
  expect(await see({}, 'de-AT,de;q=0.9,en;q=0.8')).toContain('<html lang="de" dir="ltr">')
  expect(await see({}, 'xx-12, qaa;q=0.5')).toContain('<html lang="fr" dir="ltr">')
  expect(await see({}, null)).toContain('<html lang="fr" dir="ltr">')
  expect(codeOf(at.sent[0])).toMatch(/^[0-9]{6}$/)
})

test('a proof is verified by its public key, names the app, and hides the address under its secret', async () => {
  const at = await hostedSite({ policy: { proofVersion: 1 } })
  const redeemed = async (to: string) => {
    const { id, path, code } = await startPage(at, { to, purpose: 'sign-in' })
    const one = await opened(at, path)
    const result = resultOf(await one.post(`/verify/${id}`, { action: 'check', code }))
    const { json } = await at.call('POST', '/v1/results', { body: { result } })
    return { id, proof: String(json.proof) }
  }
  const { id, proof } = await redeemed('Ada@EXAMPLE.com')
  const keys = await at.call('GET', '/.well-known/jwks.json', { token: null })
  expect(keys.headers.get('cache-control')).toBe('public, max-age=300')
  expect(keys.text).not.toContain('"d"')
  const verify = (text: string, audience: string, seconds = 0) =>
    jwtVerify(text, createLocalJWKSet(keys.json), {
      ...{ issuer: base, audience, algorithms: ['EdDSA'] },
      currentDate: new Date(at.clock.now() + seconds * 1000),
    })

  const { payload } = await verify(proof, at.app.id)
  const asked = await at.call('POST', `/v1/apps/${at.app.id}/proof-secret`, { token: adminToken })
  const { secret } = asked.json as { secret: string }
  const hash = new Bun.CryptoHasher('sha256', secret).update('Ada@example.com').digest('base64url')
  expect(payload).toMatchObject({
    ...{ aud: at.app.id, jti: id, sub: hash, mode: 'live', purpose: 'sign-in', channel: 'email' },
  })
  expect(Number(payload.exp) - Number(payload.iat)).toBe(300)
  expect(proof).not.toContain(Buffer.from('example').toString('base64url').slice(0, 8))
  expect(verify(proof, 'another app')).rejects.toThrow()
  expect(verify(proof, at.app.id, 301)).rejects.toThrow()
  expect(verify(`${proof.slice(0, -8)}AAAAAAAA`, at.app.id)).rejects.toThrow()
  const { records } = { records: (await at.audit.list({ limit: 1, cursor: null })).items }
  expect(records[0]).toMatchObject({ action: 'proof.secret', who: 'admin', object: at.app.id })

  // Another number makes another secret; without one there is none, and no proof.
  const set = (version: number | null) =>
    at.call('PATCH', `/v1/apps/${at.app.id}`, {
      ...{ body: { policy: { proof_version: version } }, token: adminToken },
    })
  await set(2)
  const next = await at.call('POST', `/v1/apps/${at.app.id}/proof-secret`, { token: adminToken })
  expect(next.json.secret).not.toBe(secret)
  await set(null)
  const none = await at.call('POST', `/v1/apps/${at.app.id}/proof-secret`, { token: adminToken })
  expect([none.status, none.json.code]).toEqual([409, 'proof_off'])
  expect((await redeemed('grace@example.com')).proof).toBe('undefined')
})

test('a proof of a key before the rotation still verifies, and new ones have the new key', async () => {
  const keyset = firstKeyset(new Uint8Array(32).fill(7))
  const proofs = createProofs({ keyset: () => keyset })
  const before = await proofs.sign({ aud: 'app' })
  const next = firstKeyset(new Uint8Array(32).fill(8))
  const retired = keyset.codeKeys[keyset.currentId]
  if (!retired) throw new Error('a keyset has a code key')
  const codeKeys = { ...next.codeKeys, [keyset.currentId]: { ...retired, retiredAt: 1 } }
  const rotated = createProofs({ keyset: () => ({ ...next, codeKeys }) })

  const keys = createLocalJWKSet({ keys: (await rotated.publicKeys()) as JWK[] })
  expect((await jwtVerify(before, keys)).payload.aud).toBe('app')
  const after = await rotated.sign({ aud: 'app' })
  expect((await jwtVerify(after, keys)).payload.aud).toBe('app')
  const [one, two] = [before, after].map((text) => text.split('.')[0])
  expect(one).not.toBe(two as string)
})

test('a result of what was not approved has no proof', async () => {
  const at = await hostedSite({ policy: { proofVersion: 1 } })
  const { id, path } = await startPage(at)
  const one = await opened(at, path)
  const result = resultOf(await one.post(`/verify/${id}`, { action: 'cancel' }))
  const { json } = await at.call('POST', '/v1/results', { body: { result } })
  expect([json.status, json.proof]).toEqual(['canceled', undefined])
})

test('what an app calls itself is shown as text, in the title and on the page', async () => {
  const at = await hostedSite()
  const name = '<img src=x onerror=alert(1)>"\'&amp;'
  const renamed = await at.call('PATCH', `/v1/apps/${at.app.id}`, {
    ...{ body: { name }, token: adminToken },
  })
  expect(renamed.status).toBe(200)
  const { id, path } = await startPage(at)
  const { text } = await (await opened(at, path)).get(`/verify/${id}`)

  expect(text).not.toContain('<img')
  const shown = '&#60;img src=x onerror=alert(1)&#62;&#34;&#39;&#38;amp;'
  expect(text.split(shown)).toHaveLength(3)
})
