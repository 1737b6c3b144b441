import { expect, setDefaultTimeout, test } from 'bun:test'
import { codeAt, readSecret } from '../../../src/domain/account/second-step.ts'
import { type Board, type Browser, board, password } from './fixture.ts'

setDefaultTimeout(60_000)

const minuteMs = 60_000
const wrong = 'another long pass phrase'

const signIn = (browser: Browser, more: Record<string, string> = {}, from = '192.0.2.1') =>
  browser.call('POST', '/session', { body: { name: 'admin', password, ...more }, from })

const codeNow = ({ clock }: Board, secret: string, steps = 0) =>
  codeAt(readSecret(secret), Math.floor(clock.now() / 30_000) + steps)

async function withSecondStep(at: Board) {
  const ada = await at.signedIn()
  const { secret } = (await ada.call('POST', '/session/second-step')).json
  const body = { secret, code: codeNow(at, secret) }
  expect((await ada.call('PUT', '/session/second-step', { body })).status).toBe(204)
  return { ada, secret }
}

test('a person signs in by name and password, whatever the case of the name', async () => {
  const at = await board()
  await at.signedIn()
  const other = at.browser()

  const answer = await signIn(other, { name: 'ADMIN' })

  expect(answer.status).toBe(201)
  expect(answer.json).toMatchObject({ account: { name: 'admin', role: 'admin' } })
  expect((await other.call('GET', '/session')).status).toBe(200)
})

test('an unknown name, a wrong password and an invited person answer the same', async () => {
  const at = await board()
  const ada = await at.signedIn()
  await ada.call('POST', '/v1/accounts', { body: { name: 'Grace', role: 'viewer' } })

  const answers = await Promise.all([
    signIn(at.browser(), { name: 'nobody' }),
    signIn(at.browser(), { password: wrong }),
    signIn(at.browser(), { name: 'Grace', password: '' }),
  ])

  const shown = answers.map(({ status, json }) => {
    const { request_id: _, instance: __, ...rest } = json
    return [status, JSON.stringify(rest)]
  })
  expect(new Set(shown.map(String)).size).toBe(1)
  expect(answers[0]).toMatchObject({ status: 401, json: { code: 'sign_in_refused' } })
})

test('wrong passwords wait longer and longer, and elsewhere the right one lets in at once', async () => {
  const at = await board()
  await at.signedIn()
  const thief = at.browser()

  const statuses: number[] = []
  for (let count = 0; count < 6; count++) {
    statuses.push((await signIn(thief, { password: wrong })).status)
  }
  const right = await signIn(thief)
  const elsewhere = await signIn(at.browser(), {}, '198.51.100.7')
  at.clock.advance(2000)
  const later = await signIn(thief)

  expect(statuses).toEqual([401, 401, 401, 429, 429, 429])
  expect(right).toMatchObject({ status: 429, json: { code: 'rate_limited', limit: 'sign_in' } })
  expect(right.headers.get('retry-after')).toBe('2')
  expect(elsewhere.status).toBe(201)
  expect(later.status).toBe(201)
})

test('a thousand failures from many addresses lock nobody out who has not failed', async () => {
  const at = await board()
  await at.signedIn()
  const key = at.keyring.limitIndex('sign_in_name', 'admin')
  for (let count = 0; count < 1000; count++) {
    const own = [{ key: at.keyring.limitIndex('x', `${count}`), free: 3, pauseMaxMs: minuteMs }]
    const shared = [{ key, free: 20, pauseMaxMs: 5 * minuteMs }]
    await at.accounts.beginTry({ own, shared, now: at.clock.now() })
  }

  expect((await signIn(at.browser(), { password: wrong }, '203.0.113.5')).status).toBe(401)
  expect((await signIn(at.browser(), {}, '203.0.113.5')).status).toBe(429)
  expect((await signIn(at.browser(), {}, '203.0.113.6')).status).toBe(201)
})

test('an address that tries many names is slowed down', async () => {
  const at = await board()
  const statuses: number[] = []
  for (let count = 0; count < 12; count++) {
    statuses.push((await signIn(at.browser(), { name: `person ${count}` })).status)
  }

  expect(statuses).toEqual([...Array(10).fill(401), 429, 429])
})

test('of parallel guesses at one name from one address three are judged', async () => {
  const at = await board()
  await at.signedIn()

  const answers = await Promise.all(
    Array.from({ length: 30 }, () => signIn(at.browser(), { password: wrong })),
  )

  expect(answers.filter(({ status }) => status === 401)).toHaveLength(3)
  expect(answers.filter(({ status }) => status === 429)).toHaveLength(27)
})

test('with a second step the password alone does not let in, and a code does once', async () => {
  const at = await board()
  const { ada, secret } = await withSecondStep(at)
  expect((await ada.call('GET', '/session')).json.account.has_second_step).toBe(true)
  at.clock.advance(minuteMs)
  const code = codeNow(at, secret)

  const without = await signIn(at.browser())
  const guess = await signIn(at.browser(), { code: code === '000000' ? '000001' : '000000' })
  const right = await signIn(at.browser(), { code })
  const replayed = await signIn(at.browser(), { code })

  expect(without).toMatchObject({ status: 401, json: { code: 'second_step_required' } })
  expect(guess).toMatchObject({ status: 401, json: { code: 'sign_in_refused' } })
  expect(right.status).toBe(201)
  expect(replayed).toMatchObject({ status: 401, json: { code: 'sign_in_refused' } })
})

test('of two sign-ins at once with one code one is let in', async () => {
  const at = await board()
  const { secret } = await withSecondStep(at)
  at.clock.advance(minuteMs)
  const code = codeNow(at, secret)

  const answers = await Promise.all([
    signIn(at.browser(), { code }),
    signIn(at.browser(), { code }),
  ])

  expect(answers.map(({ status }) => status).sort()).toEqual([201, 401])
})

test('codes are slowed down from every address, for one who knows the password', async () => {
  const at = await board()
  const { secret } = await withSecondStep(at)
  at.clock.advance(minuteMs)
  const right = codeNow(at, secret)
  const guess = right === '111111' ? '222222' : '111111'

  const statuses: number[] = []
  for (let count = 0; count < 12; count++) {
    const from = `203.0.113.${count}`
    statuses.push((await signIn(at.browser(), { code: guess }, from)).status)
  }

  expect(statuses).toEqual([...Array(10).fill(401), 429, 429])
})

test('a short password needs the second step, which cannot be removed then', async () => {
  const at = await board()
  const token = await at.link()
  const ada = at.browser()
  const { second_step } = (await ada.call('POST', '/session/link', { body: { token } })).json
  const body = { token, name: 'Ada', password: 'zebra!9x' }
  const { secret } = second_step

  const alone = await ada.call('POST', '/session/accept', { body })
  const code = codeNow(at, secret)
  const both = await ada.call('POST', '/session/accept', { body: { ...body, secret, code } })
  const removed = await ada.call('DELETE', '/session/second-step')
  await ada.call('PUT', '/session/password', { body: { password: 'a quite long pass phrase' } })

  expect(alone).toMatchObject({ status: 422, json: { errors: [{ field: 'password' }] } })
  expect(both).toMatchObject({ status: 201, json: { account: { has_second_step: true } } })
  expect(removed).toMatchObject({ status: 422, json: { errors: [{ field: 'password' }] } })
  expect((await ada.call('DELETE', '/session/second-step')).status).toBe(204)
  const again = await ada.call('PUT', '/session/password', { body: { password: 'zebra!9x' } })
  expect(again.status).toBe(422)
})

test('before secrets change the password is asked for again after ten minutes', async () => {
  const at = await board()
  const ada = await at.signedIn()
  const make = () => ada.call('POST', `/v1/apps/${at.app.id}/keys`, { body: { mode: 'inbound' } })
  const confirm = (text: string) =>
    ada.call('POST', '/session/confirm', { body: { password: text } })

  expect((await make()).status).toBe(201)
  at.clock.advance(10 * minuteMs)
  const late = await make()
  expect(late).toMatchObject({ status: 403, json: { code: 'confirmation_required' } })
  expect((await ada.call('GET', '/session')).json.confirmed_until).toBe(null)
  expect((await ada.call('GET', '/v1/apps')).status).toBe(200)
  expect((await confirm(wrong)).json.code).toBe('sign_in_refused')
  expect((await make()).json.code).toBe('confirmation_required')
  expect((await confirm(password)).status).toBe(200)
  expect((await make()).status).toBe(201)
})

test('a session ends half an hour after its last use, and after twelve hours in any case', async () => {
  const at = await board()
  const ada = await at.signedIn()
  const look = () => ada.call('GET', '/v1/apps')

  for (let minutes = 0; minutes < 12 * 60 - 29; minutes += 29) {
    expect((await look()).status).toBe(200)
    at.clock.advance(29 * minuteMs)
  }
  expect((await look()).status).toBe(200)
  at.clock.advance(29 * minuteMs)
  expect((await look()).json.code).toBe('unauthorized')

  const other = at.browser()
  await signIn(other)
  at.clock.advance(30 * minuteMs)
  expect((await other.call('GET', '/session')).status).toBe(401)
})

test('requests that a page makes by itself do not keep a session alive', async () => {
  const at = await board()
  const ada = await at.signedIn()
  const headers = { 'x-otpmint-background': '1' }
  const stream = { accept: 'text/event-stream' }

  for (let minutes = 0; minutes < 30; minutes += 5) {
    expect((await ada.call('GET', '/v1/apps', { headers })).status).toBe(200)
    expect((await ada.call('GET', '/v1/apps', { headers: stream })).status).toBe(200)
    at.clock.advance(5 * minuteMs)
  }

  expect((await ada.call('GET', '/v1/apps', { headers })).status).toBe(401)
})

test('who signs out, or whose session is ended, has to sign in again', async () => {
  const at = await board()
  const ada = await at.signedIn()
  const other = at.browser()
  at.clock.advance(1000)
  await signIn(other)
  const { id } = (await ada.call('GET', '/session')).json.account
  const { items } = (await ada.call('GET', `/v1/accounts/${id}/sessions`)).json
  expect(items).toHaveLength(2)
  expect(items[0]).toMatchObject({ browser: 'Firefox on Linux', client: '192.0.2.1' })

  expect((await ada.call('DELETE', `/v1/accounts/${id}/sessions/${items[0].id}`)).status).toBe(204)
  expect((await other.call('GET', '/session')).status).toBe(401)
  const again = await ada.call('DELETE', `/v1/accounts/${id}/sessions/${items[0].id}`)
  expect(again.json.code).toBe('session_not_found')
  const kept = new Map(ada.cookies)
  expect((await ada.call('DELETE', '/session')).status).toBe(204)
  expect(ada.cookies.size).toBe(0)
  for (const [name, value] of kept) ada.cookies.set(name, value)
  expect((await ada.call('GET', '/session')).status).toBe(401)
})

test('a person of either role can end all other sessions of their own', async () => {
  const at = await board()
  const grace = await at.signedIn('viewer', 'Grace')
  const other = at.browser()
  await signIn(other, { name: 'Grace' })

  expect((await grace.call('DELETE', '/session/others')).status).toBe(204)

  expect((await other.call('GET', '/session')).status).toBe(401)
  expect((await grace.call('GET', '/session')).status).toBe(200)
})

test('a new password, a recovery and a removal end the other sessions', async () => {
  const at = await board()
  const ada = await at.signedIn()
  const { id } = (await ada.call('GET', '/session')).json.account
  const others = [at.browser(), at.browser(), at.browser()]
  const [first, second, third] = others
  if (!first || !second || !third) throw new Error('no browsers')
  const next = 'yet another pass phrase'

  await signIn(first)
  await ada.call('PUT', '/session/password', { body: { password: next } })
  expect((await first.call('GET', '/session')).status).toBe(401)
  expect((await ada.call('GET', '/session')).status).toBe(200)
  expect((await signIn(first)).status).toBe(401)

  await signIn(second, { password: next })
  const made = await ada.call('POST', `/v1/accounts/${id}/link`)
  const token = String(made.json.link).split('#/link/')[1] ?? ''
  const read = await third.call('POST', '/session/link', { body: { token } })
  expect(read.json).toMatchObject({ purpose: 'recover', name: 'admin' })
  const accepted = await third.call('POST', '/session/accept', { body: { token, password } })
  expect(accepted.status).toBe(201)
  expect((await second.call('GET', '/session')).status).toBe(401)
  expect((await ada.call('GET', '/session')).status).toBe(401)

  const spare = await at.signedIn('admin', 'spare')
  expect((await spare.call('DELETE', `/v1/accounts/${id}`)).status).toBe(204)
  expect((await third.call('GET', '/session')).status).toBe(401)
})

test('what people do is in the audit log under their name, also after they are gone', async () => {
  const at = await board()
  const ada = await at.signedIn('admin', 'Ada')
  await ada.call('POST', '/v1/accounts', { body: { name: 'Grace', role: 'viewer' } })
  const spare = await at.signedIn('admin', 'spare')
  const { id } = (await ada.call('GET', '/session')).json.account
  await spare.call('DELETE', `/v1/accounts/${id}`)

  const { items } = (await spare.call('GET', '/v1/audit')).json

  const shown = items.map((item: Record<string, string>) => [item['who_name'], item['action']])
  expect(shown).toContainEqual(['Ada', 'account.invite'])
  expect(shown).toContainEqual(['Ada', 'account.create'])
  expect(shown).toContainEqual(['spare', 'account.remove'])
  const invite = items.find(({ action }: { action: string }) => action === 'account.invite')
  expect(invite).toMatchObject({ who: `account:${id}`, detail: 'viewer Grace' })
})

test('nothing that was typed is answered or logged', async () => {
  const at = await board()
  const secret = 'canary pass phrase 4711'
  await at.signedIn()
  const browser = at.browser()
  await browser.call('POST', '/session', { body: { name: secret, password: secret } })
  const bad = { name: secret, password: secret, code: secret, more: secret }
  const answers = [
    await browser.call('POST', '/session', { body: bad }),
    await browser.call('POST', '/session/accept', { body: { token: secret, password: secret } }),
    await browser.call('POST', '/session/link', { body: { token: secret } }),
  ]

  for (const { text, status } of answers) {
    expect(status).toBeGreaterThanOrEqual(400)
    expect(text).not.toContain('canary')
  }
  expect(at.logged()).not.toContain('canary')
})
