import { expect, test } from 'bun:test'
import { newTimedId } from '../../src/domain/id.ts'
import { dayMs } from '../../src/domain/verification/limits.ts'
import { systemRandom } from '../../src/system.ts'
import { tryOf } from '../support/commands.ts'
import { addApp } from '../support/world.ts'
import { adminToken, type Site, site } from './fixture.ts'

/** Starts a verification whose recipient the mail server then refuses for good. */
async function refused(at: Site, to: string): Promise<void> {
  await at.call('POST', '/v1/verifications', { body: { to } })
  const { delivery } = at.sent.at(-1) ?? {}
  if (!delivery) throw new Error('nothing was handed over')
  const now = at.clock.now()
  const { endpointId } = delivery
  const id = newTimedId(systemRandom, now)
  await at.ports.deliveries.settle({
    ...{ delivery, made: tryOf({ status: 'refused', cause: 'recipient', code: '550 5.1.1' }) },
    ...{ status: 'refused', detail: 'no such user', event: 'delivery.refused', now },
    ...{ counted: null, suppress: { id, endpointId, cause: 'refused', code: '550 5.1.1' } },
    ...{ again: null, follow: null },
  })
}

const admin = (at: Site, method: string, path: string, body?: unknown) =>
  at.call(method, path, { token: adminToken, ...(body !== undefined && { body }) })

test('suppressions are listed without the address, and removed by id or by exact address', async () => {
  const at = await site()
  const list = `/v1/apps/${at.app.id}/suppressions`
  await refused(at, 'ada@example.com')
  at.clock.advance(1)
  await refused(at, 'bob@example.com')
  const { json, text } = await admin(at, 'GET', list)
  const [bob, ada] = json.items

  expect(json.items).toHaveLength(2)
  expect(ada).toEqual({
    id: expect.any(String),
    ...{ to: 'a***@example.com', cause: 'refused', code: '550 5.1.1' },
    since: '2026-06-15T12:00:00.000Z',
    until: '2026-06-16T12:00:00.000Z',
  })
  expect(text).not.toContain('ada@')
  const page = await admin(at, 'GET', `${list}?limit=1`)
  expect(page.json).toMatchObject({ items: [{ id: bob.id }], next_cursor: bob.id })
  const next = await admin(at, 'GET', `${list}?limit=1&cursor=${bob.id}`)
  expect(next.json).toMatchObject({ items: [{ id: ada.id }], next_cursor: null })

  expect((await admin(at, 'DELETE', `${list}/${bob.id}`)).status).toBe(204)
  expect((await admin(at, 'DELETE', `${list}/${bob.id}`)).json.code).toBe('suppression_not_found')
  const remove = (to: unknown) => admin(at, 'POST', `${list}/remove`, { to })
  expect((await remove('ada+1@example.com')).json.code).toBe('suppression_not_found')
  expect((await remove('no address')).json.errors).toMatchObject([{ field: 'to' }])
  expect((await remove('ada@example.com')).status).toBe(204)
  expect((await admin(at, 'GET', list)).json.items).toEqual([])
  const audit = await admin(at, 'GET', '/v1/audit?limit=2')
  expect(audit.json.items).toMatchObject([
    { action: 'suppression.remove', object: at.app.id, detail: 'by address', who: 'admin' },
    { action: 'suppression.remove', object: at.app.id, detail: `suppression ${bob.id}` },
  ])
})

test('another app has no part in them, and one that has ended is not listed', async () => {
  const at = await site()
  const other = await addApp(at, { name: 'Other' })
  await refused(at, 'ada@example.com')
  const list = (app: string) => `/v1/apps/${app}/suppressions`
  const [{ id }] = (await admin(at, 'GET', list(at.app.id))).json.items

  expect((await admin(at, 'GET', list(other.app.id))).json.items).toEqual([])
  expect((await admin(at, 'DELETE', `${list(other.app.id)}/${id}`)).status).toBe(404)
  expect((await admin(at, 'GET', list('x'))).json.code).toBe('app_not_found')
  at.clock.advance(dayMs)
  expect((await admin(at, 'GET', list(at.app.id))).json.items).toEqual([])
})

test('a start to a suppressed address answers and counts like every other', async () => {
  const at = await site({ settings: { recipientStartSpacingSeconds: 1 } })
  await refused(at, 'ada@example.com')
  at.clock.advance(1_000)
  const start = (to: string) => at.call('POST', '/v1/verifications', { body: { to } })

  const [suppressed, usual] = [await start('ada@example.com'), await start('amy@example.com')]

  const { id: _, reference: __, ...rest } = suppressed.json
  expect([suppressed.status, rest]).toMatchObject([201, { delivery: { status: 'queued' } }])
  expect(rest).toEqual({ ...usual.json, id: undefined, reference: undefined })
  expect(at.sent).toHaveLength(3)
  const limited: number[] = []
  for (let count = 0; count < 4; count++) {
    at.clock.advance(1_000)
    limited.push((await start('ada@example.com')).status)
  }
  expect(limited).toEqual([201, 201, 201, 429])
})
