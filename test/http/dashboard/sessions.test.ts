import { expect, setDefaultTimeout, test } from 'bun:test'
import { board, password } from './fixture.ts'

setDefaultTimeout(60_000)

const minuteMs = 60_000

test('a link makes an account and signs its person in, once', async () => {
  const at = await board()
  const token = await at.link()
  const ada = at.browser()

  const read = await ada.call('POST', '/session/link', { body: { token } })
  const again = await ada.call('POST', '/session/link', { body: { token } })
  const body = { token, name: 'Ada Lovelace', password }
  const accepted = await ada.call('POST', '/session/accept', { body })
  const second = await at.browser().call('POST', '/session/accept', {
    body: { ...body, name: 'Eve' },
  })

  expect(read.json).toMatchObject({ purpose: 'create', name: null, role: 'admin' })
  expect(again.status).toBe(200)
  expect(accepted.status).toBe(201)
  const account = { name: 'Ada Lovelace', role: 'admin', has_second_step: false }
  expect(accepted.json.account).toMatchObject(account)
  expect((await ada.call('GET', '/session')).json.account).toMatchObject(account)
  expect(second).toMatchObject({ status: 404, json: { code: 'link_not_found' } })
  expect((await at.accounts.list()).map(({ name }) => name)).toEqual(['Ada Lovelace'])
})

test('a link ends after fifteen minutes', async () => {
  const at = await board()
  const token = await at.link()
  const read = () => at.browser().call('POST', '/session/link', { body: { token } })

  at.clock.advance(15 * minuteMs - 1)
  expect((await read()).status).toBe(200)
  at.clock.advance(1)
  expect((await read()).json.code).toBe('link_not_found')
})

test('a session opens the routes of the admin, and no token does on this listener', async () => {
  const at = await board()
  const ada = await at.signedIn()

  expect((await ada.call('GET', '/v1/apps')).json.items).toHaveLength(1)
  const stranger = at.browser()
  expect((await stranger.call('GET', '/v1/apps')).json.code).toBe('unauthorized')
  const headers = { authorization: `Bearer otpm_admin_${'a'.repeat(36)}` }
  expect((await stranger.call('GET', '/v1/apps', { headers })).status).toBe(401)
  expect((await ada.call('GET', '/v1/verifications')).status).toBe(404)
  expect((await ada.call('GET', '/healthz')).status).toBe(404)
})
