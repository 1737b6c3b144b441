import { expect, test } from 'bun:test'
import { simpleParser } from 'mailparser'
import { createInboxChannel } from '../../src/channels/inbox.ts'
import { presentInboxMessage, type Shown } from '../../src/present/inbox.ts'
import { addApp, codeOf, noon } from '../support/world.ts'
import { adminToken, type Site, site } from './fixture.ts'

/** A site whose messages of test keys go to the inbox. */
async function testing() {
  const at = await site()
  const channel = createInboxChannel(at)
  const other = await addApp(at, { name: 'Other shop', policy: { codeInSubject: false } })
  const start = async (to: string, token = at.testKey) => {
    const { json } = await at.call('POST', '/v1/verifications', { body: { to }, token })
    const handover = at.sent.at(-1)?.handover
    if (handover) await channel.deliver(handover, new AbortController().signal)
    at.clock.advance(1)
    return { id: String(json.id), code: codeOf(at.sent.at(-1)) }
  }
  return { at, other, start }
}

const admin = (at: Site, method: string, path: string) =>
  at.call(method, path, { token: adminToken })

async function found(at: Site, query = ''): Promise<string[]> {
  const { json } = await admin(at, 'GET', `/v1/inbox${query}`)
  return json.items.map(({ to }: { to: string }) => to)
}

test('the admin sees what test keys sent, with codes and what became of them', async () => {
  const { at, start } = await testing()
  const used = await start('used@example.com')
  const { id } = await start('live@example.com')
  const check = { body: { code: used.code }, token: at.testKey }
  await at.call('POST', `/v1/verifications/${used.id}/check`, check)

  const { json } = await admin(at, 'GET', '/v1/inbox')

  expect(json.items).toMatchObject([
    { to: 'live@example.com', verification: id, app: at.app.id, app_name: 'Acme', state: 'live' },
    { to: 'used@example.com', code: used.code, state: 'used' },
  ])
  expect(json.items[0]).not.toHaveProperty('html')
})

test('messages are found by recipient, code, subject and app, and come in pages', async () => {
  const { at, other, start } = await testing()
  const ada = await start('ada@example.com')
  const bob = await start('bob@example.com', other.testKey)
  await start('eve@example.com')

  expect(await found(at, '?search=ADA@')).toEqual(['ada@example.com'])
  expect(await found(at, `?search=${ada.code}`)).toEqual(['ada@example.com'])
  // Its subject does not have the code.
  expect(await found(at, `?search=${bob.code}`)).toEqual(['bob@example.com'])
  expect(await found(at, '?search=other%20shop')).toEqual(['bob@example.com'])
  expect(await found(at, `?app=${other.app.id}`)).toEqual(['bob@example.com'])
  expect(await found(at, '?search=nothing-of-it')).toEqual([])
  const first = await admin(at, 'GET', '/v1/inbox?limit=2')
  expect(first.json.items).toHaveLength(2)
  const rest = `?limit=2&cursor=${first.json.next_cursor}`
  expect(await found(at, rest)).toEqual(['ada@example.com'])
  expect((await admin(at, 'GET', `/v1/inbox${rest}`)).json.next_cursor).toBeNull()
})

test('one message is shown with its source, which is a mail as the server would get it', async () => {
  const { at, start } = await testing()
  const { code } = await start('ada@example.com')
  const [{ id }] = (await admin(at, 'GET', '/v1/inbox')).json.items

  const { json } = await admin(at, 'GET', `/v1/inbox/${id}`)

  const mail = await simpleParser(json.source)
  expect(mail.subject).toBe(json.subject)
  expect(mail.text?.trim()).toBe(json.text.trim())
  expect([mail.from?.text, mail.to]).toMatchObject([
    '"Acme" <codes@example.com>',
    { text: 'ada@example.com' },
  ])
  expect(json.html).toContain(code)
  const names = json.headers.map(({ name }: { name: string }) => name.toLowerCase())
  expect(names).toEqual(expect.arrayContaining(['from', 'to', 'subject', 'message-id', 'date']))
  const { value } = json.headers.find(({ name }: { name: string }) => name === 'Subject')
  expect(value).toBe(json.subject)
  const unknown = await admin(at, 'GET', `/v1/inbox/${'x'.repeat(30)}`)
  expect([unknown.status, unknown.json.code]).toEqual([404, 'message_not_found'])
})

test('the messages of one app or of all are deleted, in the audit log', async () => {
  const { at, other, start } = await testing()
  await start('ada@example.com')
  await start('bob@example.com', other.testKey)

  expect((await admin(at, 'DELETE', '/v1/inbox?app=7hQm2VtY4cRkBz0LxPwE1s')).status).toBe(404)
  expect((await admin(at, 'DELETE', `/v1/inbox?app=${other.app.id}`)).status).toBe(204)
  expect(await found(at)).toEqual(['ada@example.com'])
  expect((await admin(at, 'DELETE', '/v1/inbox')).status).toBe(204)
  expect(await found(at)).toEqual([])
  expect((await admin(at, 'GET', '/v1/audit?limit=2')).json.items).toMatchObject([
    { action: 'inbox.clear', object: 'inbox', who: 'admin' },
    { action: 'inbox.clear', object: other.app.id },
  ])
})

test('a header field that was folded is shown in one line, and the text below has none', () => {
  const source = 'From: a@example.com\r\nSubject: one\r\n two\r\n\r\nNo: header\r\n'
  const message = { status: 'pending', expiresAt: noon, at: noon } as Shown

  expect(presentInboxMessage(message, source, noon).headers).toEqual([
    { name: 'From', value: 'a@example.com' },
    { name: 'Subject', value: 'one two' },
  ])
  expect(presentInboxMessage(message, null, noon)).toMatchObject({ headers: [], state: 'expired' })
})
