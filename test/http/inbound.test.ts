import { expect, test } from 'bun:test'
import { traceOf } from '../../src/domain/delivery/trace.ts'
import { returnedMail } from '../support/bounces.ts'
import { tryOf } from '../support/commands.ts'
import { addApp, codeOf } from '../support/world.ts'
import { adminToken, type Site, site } from './fixture.ts'

async function inboundKey(at: Site, app = at.app.id): Promise<string> {
  const options = { token: adminToken, body: { mode: 'inbound' } }
  return (await at.call('POST', `/v1/apps/${app}/keys`, options)).json.key
}

/** Starts a verification whose mail the server accepts; its id and the trace of the mail. */
async function sent(at: Site, to = 'ada@example.com', token = at.liveKey) {
  const { json } = await at.call('POST', '/v1/verifications', { body: { to }, token })
  const { delivery } = at.sent.at(-1) ?? {}
  if (!delivery) throw new Error('nothing was handed over')
  await at.ports.deliveries.settle({
    ...{ delivery, made: tryOf({ endpointId: delivery.endpointId }), status: 'sent', detail: null },
    ...{ event: 'delivery.sent', now: at.clock.now(), counted: null, suppress: null },
    ...{ again: null, follow: null },
  })
  return { id: String(json.id), trace: traceOf(delivery.id) }
}

const headers = { 'content-type': 'message/rfc822' }
const report = (at: Site, token: string, raw: string) =>
  at.call('POST', '/v1/inbound/dsn', { token, raw, headers })
const shown = async (at: Site, id: string) => (await at.call('GET', `/v1/verifications/${id}`)).json

async function suppressed(at: Site, app = at.app.id) {
  const path = `/v1/apps/${app}/suppressions`
  return (await at.call('GET', path, { token: adminToken })).json.items
}

async function newestEvents(at: Site, limit: number) {
  const { json } = await at.call('GET', `/v1/events?limit=${limit}`, { token: adminToken })
  return json.items
}

test('a returned mail makes its delivery bounced and suppresses the address', async () => {
  const at = await site()
  const key = await inboundKey(at)
  const { id, trace } = await sent(at)

  const answer = await report(at, key, returnedMail({ trace }))

  expect([answer.status, answer.text]).toEqual([204, ''])
  const detail = '550 5.1.1 <<recipient>>: User unknown'
  const json = await shown(at, id)
  expect(json.delivery).toEqual({ status: 'bounced', detail })
  expect(json.deliveries).toMatchObject([
    { status: 'bounced', detail, tries: [{ status: 'sent' }] },
  ])
  expect(json.status).toBe('pending')
  expect(await suppressed(at)).toMatchObject([
    { to: 'a***@example.com', cause: 'bounced', code: '550 5.1.1' },
  ])
  expect(await newestEvents(at, 1)).toMatchObject([
    {
      ...{ type: 'delivery.bounced', verification: id, app: at.app.id },
      data: { detail, cause: 'recipient', code: '550 5.1.1' },
    },
  ])
  at.clock.advance(60_000)
  const stats = await at.call('GET', '/v1/stats', { token: adminToken })
  expect(stats.json.items).toMatchObject([{ sent: 1, bounced: 1 }])
  expect(at.ports.metrics.render()).toContain('otpmint_bounces_total{result="bounced"} 1')
})

test('a full mailbox or a policy is recorded and suppresses nobody', async () => {
  const at = await site()
  const key = await inboundKey(at)
  for (const status of ['5.2.2', '5.7.1', '4.4.7']) {
    at.clock.advance(60_000)
    const { id, trace } = await sent(at)
    await report(at, key, returnedMail({ trace, status }))
    expect((await shown(at, id)).delivery.status).toBe('bounced')
  }
  expect(await suppressed(at)).toEqual([])
})

test('a delay is an event, and nothing else', async () => {
  const at = await site()
  const { id, trace } = await sent(at)

  const mail = returnedMail({ trace, action: 'delayed', status: '4.4.1' })
  expect((await report(at, await inboundKey(at), mail)).status).toBe(204)

  expect((await shown(at, id)).delivery.status).toBe('sent')
  expect(await newestEvents(at, 1)).toMatchObject([{ type: 'delivery.delayed', verification: id }])
  expect(await suppressed(at)).toEqual([])
})

test('a code that a server quotes is in no answer and no event', async () => {
  const at = await site()
  const { id, trace } = await sent(at)
  const code = codeOf(at.sent.at(-1))

  const diagnostic = `smtp; 554 5.7.1 spam: "${code} is your Acme code"`
  await report(at, await inboundKey(at), returnedMail({ trace, diagnostic }))

  expect((await shown(at, id)).delivery.detail).toBe('554 5.7.1 spam: "<code> is your Acme code"')
  expect(JSON.stringify(await newestEvents(at, 9))).not.toContain(code)
})

test('a report that must change nothing is answered like every other', async () => {
  const at = await site()
  const other = await addApp(at, { name: 'Other' })
  const [key, foreign] = [await inboundKey(at), await inboundKey(at, other.app.id)]
  const approved = await sent(at, 'bob@example.com')
  const code = codeOf(at.sent.at(-1))
  await at.call('POST', `/v1/verifications/${approved.id}/check`, { body: { code } })
  const { id, trace } = await sent(at)
  const tested = await sent(at, 'carl@example.com', at.testKey)
  const before = await newestEvents(at, 1)
  const mail = returnedMail({ trace })
  const mails: [string, string, string][] = [
    ['of another app', foreign, mail],
    ['forged', key, returnedMail({ trace: traceOf('0Uw3Xa8bForged') })],
    [
      'forged in its hash',
      key,
      returnedMail({ trace: trace.slice(0, -1) + (trace.endsWith('0') ? 1 : 0) }),
    ],
    ['of an approved verification', key, returnedMail({ trace: approved.trace })],
    ['of a test key', key, returnedMail({ trace: tested.trace })],
    ['of a success', key, returnedMail({ trace, action: 'delivered' })],
    ['without a trace', key, returnedMail({ trace, envid: null, headers: null })],
    ['no report', key, 'Subject: hi\r\n\r\nhello'],
  ]
  const answers = await Promise.all(mails.map(([, token, raw]) => report(at, token, raw)))
  for (const { status, text } of answers) expect([status, text]).toEqual([204, ''])

  expect((await shown(at, approved.id)).delivery.status).toBe('sent')
  expect((await shown(at, id)).delivery.status).toBe('sent')
  expect(await newestEvents(at, 1)).toEqual(before)
  expect([await suppressed(at), await suppressed(at, other.app.id)]).toEqual([[], []])

  await report(at, key, mail)
  const after = await newestEvents(at, 1)
  expect((await report(at, key, returnedMail({ trace, status: '5.7.1' }))).status).toBe(204)
  expect(await newestEvents(at, 1)).toEqual(after)
  expect((await shown(at, id)).delivery.detail).toContain('5.1.1')
})

test('a mail of 256 KiB is read and a longer one refused, and so is another type or none', async () => {
  const at = await site()
  const key = await inboundKey(at)
  const { id, trace } = await sent(at)
  const mail = returnedMail({ trace, headers: `Message-ID: <${trace}@acme.test>\r\n` })
  const padded = (bytes: number) => `${mail}${'x'.repeat(bytes - mail.length)}`

  const long = await report(at, key, padded(256 * 1024 + 1))
  expect([long.status, long.json.detail]).toEqual([413, 'The body may have at most 256 KiB'])
  expect((await report(at, key, padded(256 * 1024))).status).toBe(204)
  expect((await shown(at, id)).delivery.status).toBe('bounced')
  const path = '/v1/inbound/dsn'
  const typed = await at.call('POST', path, { token: key, body: { message: mail } })
  expect([typed.status, typed.json.detail]).toEqual([415, 'The body must be message/rfc822'])
  const empty = await at.call('POST', path, { token: key, headers })
  expect([empty.status, empty.json.errors]).toMatchObject([422, [{ field: 'body' }]])
})

test('an inbound key opens nothing else, and no other credential opens this route', async () => {
  const at = await site()
  const key = await inboundKey(at)
  expect(key).toMatch(/^otpm_inbound_[0-9A-Za-z]{36}$/)
  const { id, trace } = await sent(at)

  for (const path of ['/v1/verifications', `/v1/verifications/${id}`, '/v1/apps']) {
    expect((await at.call('GET', path, { token: key })).status).toBe(401)
  }
  for (const token of [at.liveKey, at.testKey, adminToken]) {
    expect((await report(at, token, returnedMail({ trace }))).status).toBe(401)
  }
  expect((await shown(at, id)).delivery.status).toBe('sent')
})

test('an app reports six hundred mails a minute', async () => {
  const at = await site()
  const key = await inboundKey(at)
  const statuses = new Map<number, number>()
  for (let count = 0; count < 602; count++) {
    const { status } = await report(at, key, 'Subject: hi\r\n\r\nhello')
    statuses.set(status, (statuses.get(status) ?? 0) + 1)
  }
  const limited = await report(at, key, 'Subject: hi\r\n\r\nhello')

  expect([...statuses]).toEqual([
    [204, 600],
    [429, 2],
  ])
  expect(limited.json.limit).toBe('app_bounces')
})
