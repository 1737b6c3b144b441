import { expect, test } from 'bun:test'
import { addApp, codeOf, wrongCode } from '../support/world.ts'
import { adminToken, type Site, site } from './fixture.ts'

const settings = { recipientStartSpacingSeconds: 1, recipientStartsPerQuarterHour: 100 }

async function start(at: Site, to: string, token = at.liveKey) {
  at.clock.advance(1_000)
  const { status, json } = await at.call('POST', '/v1/verifications', { body: { to }, token })
  expect(status).toBe(201)
  return { id: String(json.id), code: codeOf(at.sent.at(-1)) }
}

const admin = (at: Site, method: string, path: string, body?: unknown) =>
  at.call(method, path, { token: adminToken, ...(body !== undefined && { body }) })

const idsOf = ({ json }: { json: { items: { id: string }[] } }) => json.items.map(({ id }) => id)

test('the admin lists the verifications of an app by mode and status, in pages', async () => {
  const at = await site({ settings })
  const [ada, bob] = [await start(at, 'ada@example.com'), await start(at, 'bob@example.com')]
  const tested = await start(at, 'ada@example.com', at.testKey)
  const path = `/v1/apps/${at.app.id}/verifications`
  await at.call('POST', `/v1/verifications/${ada.id}/check`, { body: { code: ada.code } })

  const all = await admin(at, 'GET', path)
  expect(idsOf(all)).toEqual([bob.id, ada.id])
  expect(all.text).not.toContain('bob@')
  expect(all.text).not.toContain(bob.code)
  expect(idsOf(await admin(at, 'GET', `${path}?mode=test`))).toEqual([tested.id])
  expect(idsOf(await admin(at, 'GET', `${path}?status=approved`))).toEqual([ada.id])
  const first = await admin(at, 'GET', `${path}?limit=1`)
  expect(first.json.next_cursor).toBe(bob.id)
  expect(idsOf(await admin(at, 'GET', `${path}?limit=1&cursor=${bob.id}`))).toEqual([ada.id])
  expect((await admin(at, 'GET', '/v1/apps/x/verifications')).json.code).toBe('app_not_found')
  const wrong = await admin(at, 'GET', `${path}?mode=both`)
  expect(wrong.json.errors).toEqual([{ field: 'mode', reason: 'must be one of live, test' }])
})

test('a search finds exactly one address, and the audit log has it without the address', async () => {
  const at = await site({ settings })
  const ada = await start(at, 'ada@example.com')
  await start(at, 'ada+1@example.com')
  const path = `/v1/apps/${at.app.id}/verifications/search`

  const found = await admin(at, 'POST', path, { to: 'ada@example.com' })

  expect(idsOf(found)).toEqual([ada.id])
  expect(found.text).not.toContain('ada@')
  const audit = await admin(at, 'GET', '/v1/audit?limit=1')
  const [{ at: _, id: __, request_id: ___, ...record }] = audit.json.items
  const detail = 'by address'
  expect(record).toEqual({ who: 'admin', action: 'verification.search', object: at.app.id, detail })
  expect(audit.text).not.toContain('ada')
  const none = await admin(at, 'POST', path, { to: 'ada@example.com', mode: 'test' })
  expect(idsOf(none)).toEqual([])
  const wrong = await admin(at, 'POST', path, { to: 'nobody' })
  expect([wrong.status, wrong.json.errors[0].field]).toEqual([422, 'to'])
  expect(at.logged()).not.toContain('ada')
})

test('one verification is shown with its steps, and never with its code', async () => {
  const at = await site({ settings })
  const { id, code } = await start(at, 'ada@example.com')
  const check = `/v1/verifications/${id}/check`
  await at.call('POST', check, { body: { code: wrongCode(code) } })
  const path = `/v1/apps/${at.app.id}/verifications/${id}`

  const shown = await admin(at, 'GET', path)

  expect(shown.json.steps.map(({ kind }: { kind: string }) => kind)).toEqual([
    ...['started', 'queued', 'wrong_code'],
  ])
  expect(shown.json).toMatchObject({ id, to: 'a***@example.com', attempts_left: 4 })
  expect(shown.json.deliveries).toHaveLength(1)
  for (const secret of [code, wrongCode(code), 'ada@']) expect(shown.text).not.toContain(secret)
  const hidden = await admin(at, 'GET', `${path}?mode=test`)
  expect(hidden.json.code).toBe('verification_not_found')
})

test('the admin cancels and sends again under the same rules as the app, in the audit log', async () => {
  const at = await site({ settings })
  const { id, code } = await start(at, 'ada@example.com')
  const path = `/v1/apps/${at.app.id}/verifications/${id}`

  expect((await admin(at, 'POST', `${path}/resend`)).json.code).toBe('resend_too_early')
  at.clock.advance(30_000)
  expect((await admin(at, 'POST', `${path}/resend`, { channel: 'email' })).status).toBe(200)
  expect(at.sent.at(-1)?.handover.code).toBe(code)
  const other = await admin(at, 'POST', `${path}/resend`, { channel: 'sms' })
  expect(other.json.errors[0].field).toBe('channel')
  expect((await admin(at, 'POST', `${path}/cancel`)).json.status).toBe('canceled')

  expect((await admin(at, 'POST', `${path}/cancel`)).json.code).toBe('verification_canceled')
  expect((await admin(at, 'POST', `${path}/resend`)).json.code).toBe('verification_canceled')
  const check = await at.call('POST', `/v1/verifications/${id}/check`, { body: { code } })
  expect(check.json.code).toBe('verification_canceled')
  expect(at.outboxState.withdrawn).toEqual([id])
  const audit = await admin(at, 'GET', '/v1/audit?limit=2')
  const detail = `verification ${id}`
  expect(audit.json.items).toMatchObject([
    { who: 'admin', action: 'verification.cancel', object: at.app.id, detail },
    { who: 'admin', action: 'verification.resend', object: at.app.id, detail },
  ])
})

test('a verification is unknown under another app', async () => {
  const at = await site({ settings })
  const { id } = await start(at, 'ada@example.com')
  const { app: other } = await addApp(at, { name: 'Other' })
  const path = `/v1/apps/${other.id}/verifications`

  const answers = [
    await admin(at, 'GET', `${path}/${id}`),
    await admin(at, 'POST', `${path}/${id}/cancel`),
    await admin(at, 'POST', `${path}/${id}/resend`),
  ]
  for (const { status, json } of answers) {
    expect([status, json.code]).toEqual([404, 'verification_not_found'])
  }
  expect(idsOf(await admin(at, 'GET', path))).toEqual([])
  const found = await admin(at, 'POST', `${path}/search`, { to: 'ada@example.com' })
  expect(idsOf(found)).toEqual([])
})
