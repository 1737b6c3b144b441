import { afterAll, expect, test } from 'bun:test'
import { Webhook as Verifier } from 'standardwebhooks'
import { createPostMessage } from '../../src/channels/event-post.ts'
import { addWebhook, rotateWebhookSecret } from '../../src/domain/webhook/webhooks.ts'
import { loopbackHttpOut } from '../support/http.ts'
import { type World, world } from '../support/world.ts'

const actor = { who: 'cli', requestId: null }
const received: { headers: Record<string, string>; text: string }[] = []
let answer = (_request: Request): Response | Promise<Response> =>
  new Response(null, { status: 204 })
const receiver = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  async fetch(request) {
    received.push({ headers: Object.fromEntries(request.headers), text: await request.text() })
    return answer(request)
  },
})
afterAll(() => receiver.stop(true))

const message = { id: 'msg_0Uw3Xa8b0000002a', body: '{"type":"app.alarm","data":{"é":"✓"}}' }
const httpOut = loopbackHttpOut()

async function hooked(url = receiver.url.href) {
  const w = await world()
  // The verifier reads the real clock.
  w.clock.advance(Date.now() - w.clock.now())
  const { webhook, secret } = await addWebhook(w, actor, { appId: w.app.id, url })
  return { w, id: webhook.id, secret: secret ?? '' }
}

async function post(w: World, id: string, signal = new AbortController().signal) {
  const app = await w.apps.get(w.app.id)
  const webhook = app?.webhooks.find((each) => each.id === id)
  if (!app || !webhook) throw new Error('the webhook is gone')
  return createPostMessage({ ...w, httpOut })(app, webhook, message, signal)
}

function last() {
  const request = received.at(-1)
  if (!request) throw new Error('nothing was received')
  return request
}

test('a message verifies with the secret, and with no other', async () => {
  const { w, id, secret } = await hooked()
  expect(await post(w, id)).toEqual({ code: 204, retryAfterMs: null, detail: null })

  const { headers, text } = last()
  expect(headers['content-type']).toBe('application/json')
  expect(headers['webhook-id']).toBe(message.id)
  expect(text).toBe(message.body)
  expect(new Verifier(secret).verify(text, headers)).toEqual(JSON.parse(message.body))
  const other = new Verifier(`whsec_${Buffer.alloc(32, 1).toString('base64')}`)
  expect(() => other.verify(text, headers)).toThrow('No matching signature')
  expect(() => new Verifier(secret).verify(`${text} `, headers)).toThrow('No matching signature')
})

test('while a secret rotates a message verifies with either', async () => {
  const { w, id, secret: former } = await hooked()
  const { secret } = await rotateWebhookSecret(w, actor, { appId: w.app.id, id })
  await post(w, id)

  const { headers, text } = last()
  for (const each of [former, secret ?? '']) {
    expect(new Verifier(each).verify(text, headers)).toBeDefined()
  }
  expect(headers['webhook-signature']?.split(' ')).toHaveLength(2)
})

test('the status and the wait of an answer come back, and nothing of its body', async () => {
  const { w, id } = await hooked()
  answer = () => new Response('secret words', { status: 503, headers: { 'retry-after': '120' } })
  expect(await post(w, id)).toEqual({ code: 503, retryAfterMs: 120_000, detail: null })
  answer = () => Response.redirect(`${receiver.url}elsewhere`, 307)
  const before = received.length
  expect(await post(w, id)).toMatchObject({ code: 307 })
  expect(received).toHaveLength(before + 1)
})

test('a receiver that is too long, stopped or not there is no answer, in words', async () => {
  const { w, id } = await hooked()
  answer = () => new Response(new Uint8Array(100_000))
  expect(await post(w, id)).toEqual({
    ...{ code: null, retryAfterMs: null, detail: 'the receiver gave an answer that is too long' },
  })
  answer = () => new Promise(() => {})
  expect(await post(w, id, AbortSignal.timeout(100))).toMatchObject({
    detail: 'the receiver did not answer in time',
  })
  const gone = await hooked('http://127.0.0.1:1/')
  expect(await post(gone.w, gone.id)).toMatchObject({
    detail: 'the receiver could not be reached',
  })
})

test('a webhook to an address that is not public is told nothing', async () => {
  const { w, id } = await hooked('http://192.0.2.1/')
  expect(await post(w, id)).toMatchObject({
    code: null,
    detail: expect.stringContaining('not public'),
  })
})
