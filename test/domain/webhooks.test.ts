import { describe, expect, test } from 'bun:test'
import { verifyAudit } from '../../src/domain/audit.ts'
import { Problem } from '../../src/domain/problem.ts'
import { newWebhookSecret, readWebhookSecret } from '../../src/domain/webhook/secret.ts'
import { readWebhookUrl, webhookTypes } from '../../src/domain/webhook/webhook.ts'
import {
  addWebhook,
  foundWebhook,
  listWebhooks,
  removeWebhook,
  rotateWebhookSecret,
  secretsOf,
  updateWebhook,
} from '../../src/domain/webhook/webhooks.ts'
import { systemRandom } from '../../src/system.ts'
import { noon, type World, world } from '../support/world.ts'

const actor = { who: 'admin', requestId: 'r' }
const url = 'https://app.example.com/events?of=otpmint'
const secretOf = (byte: number, length = 32) =>
  `whsec_${Buffer.alloc(length, byte).toString('base64')}`

async function refused(work: Promise<unknown>) {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof Problem)) throw error ?? new Error('nothing was refused')
  return [error.code, ...(error.extra.errors ?? []).map(({ field }) => field)]
}

async function added(w: World, input: Parameters<typeof addWebhook>[2] | object = {}) {
  return addWebhook(w, actor, { appId: w.app.id, url, ...input })
}

async function secrets(w: World, id: string, now = noon) {
  const app = await w.apps.get(w.app.id)
  if (!app) throw new Error('the app is gone')
  return secretsOf(w, app, foundWebhook(app, id), now)
}

describe('a new webhook', () => {
  test('gets a secret that is shown once, and is told of everything in live mode', async () => {
    const w = await world()
    const { webhook, secret } = await added(w)

    expect(webhook).toMatchObject({
      ...{ url, types: [...webhookTypes], testEvents: false, offSince: null, createdAt: noon },
    })
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/)
    expect(await secrets(w, webhook.id)).toEqual([secret ?? ''])
    expect(await listWebhooks(w, w.app.id)).toEqual([
      { webhook, state: { id: webhook.id, waiting: 0, failingSince: null } },
    ])
  })

  test('takes a secret, types and switches, and shows no secret that was given', async () => {
    const w = await world()
    const types = ['app.alarm', 'delivery.sent']
    const given = { types, testEvents: true, enabled: false, secret: secretOf(7) }
    const { webhook, secret } = await added(w, given)

    expect(webhook).toMatchObject({
      ...{ types: ['delivery.sent', 'app.alarm'], testEvents: true },
      ...{ offSince: noon, offCause: 'admin' },
    })
    expect(secret).toBeNull()
    expect(await secrets(w, webhook.id)).toEqual([secretOf(7)])
  })

  test('is refused with every mistake by name, and beyond ten', async () => {
    const w = await world()
    const wrong = {
      url: 'ftp://a.example',
      types: ['x'],
      testEvents: 1,
      enabled: 'yes',
      secret: 'x',
    }
    expect(await refused(added(w, wrong))).toEqual([
      'invalid_request',
      'url',
      'types',
      'test_events',
      'enabled',
      'secret',
    ])
    expect(await refused(added(w, { url: undefined }))).toEqual(['invalid_request', 'url'])
    for (const types of [[], 'app.alarm', Array(2).fill('app.alarm')]) {
      expect(await refused(added(w, { types }))).toEqual(['invalid_request', 'types'])
    }
    expect(await refused(addWebhook(w, actor, { appId: 'none', url }))).toEqual(['app_not_found'])
    for (let count = 0; count < 10; count++) await added(w)
    expect(await refused(added(w))).toEqual(['too_many_webhooks'])
  })
})

describe('a changed webhook', () => {
  test('keeps its secret unless its URL changes, and then has another one or the given one', async () => {
    const w = await world()
    const { webhook, secret } = await added(w)
    const change = (input: object) =>
      updateWebhook(w, actor, { appId: w.app.id, id: webhook.id, ...input })

    const same = await change({ testEvents: true, url })
    expect(same.secret).toBeNull()
    expect(await secrets(w, webhook.id)).toEqual([secret ?? ''])

    const moved = await change({ url: 'https://b.example.com/' })
    expect(moved.secret).toStartWith('whsec_')
    expect(moved.secret).not.toBe(secret)
    expect(await secrets(w, webhook.id)).toEqual([moved.secret ?? ''])
    expect(moved.webhook).toMatchObject({ url: 'https://b.example.com/', testEvents: true })

    const given = await change({ url: 'https://c.example.com/', secret: secretOf(9) })
    expect(given.secret).toBeNull()
    expect(await secrets(w, webhook.id)).toEqual([secretOf(9)])
  })

  test('cannot have its secret opened with another URL in the database', async () => {
    const w = await world()
    const { webhook } = await added(w)
    const forged = { ...webhook, url: 'https://thief.example.com/' }

    expect(() => secretsOf(w, w.app, forged, noon)).toThrow()
  })

  test('loses the former secret with its URL', async () => {
    const w = await world()
    const { webhook } = await added(w)
    const which = { appId: w.app.id, id: webhook.id }
    await rotateWebhookSecret(w, actor, which)
    const moved = await updateWebhook(w, actor, { ...which, url: 'https://b.example.com/' })

    expect(await secrets(w, webhook.id)).toEqual([moved.secret ?? ''])
  })

  test('is switched off and on, which clears its alarm', async () => {
    const w = await world()
    const { webhook } = await added(w)
    const which = { appId: w.app.id, id: webhook.id }
    const off = await updateWebhook(w, actor, { ...which, enabled: false })
    expect(off.webhook).toMatchObject({ offSince: noon, offCause: 'admin' })
    const place = { kind: 'webhook_off', appId: w.app.id, endpointId: webhook.id } as const
    await w.alarms.raise({ ...place, now: noon, event: 'alarm.raised', data: {} })
    const alarms = async () =>
      (await w.alarms.list({ appId: w.app.id, open: true, limit: 9, cursor: null })).items
    await updateWebhook(w, actor, { ...which, testEvents: true })
    expect(await alarms()).toHaveLength(1)
    w.clock.advance(1000)
    await updateWebhook(w, actor, { ...which, enabled: false })
    expect(off.webhook.offSince).toBe(noon)

    const on = await updateWebhook(w, actor, { ...which, enabled: true })
    expect(on.webhook).toMatchObject({ offSince: null, offCause: null })
    expect(await alarms()).toEqual([])
  })

  test('is unknown to other apps, and refuses what is wrong', async () => {
    const w = await world()
    const { webhook } = await added(w)
    const which = { appId: w.app.id, id: webhook.id }
    const unknown = { appId: w.app.id, id: 'none' }
    expect(await refused(updateWebhook(w, actor, unknown))).toEqual(['webhook_not_found'])
    expect(await refused(rotateWebhookSecret(w, actor, unknown))).toEqual(['webhook_not_found'])
    expect(await refused(removeWebhook(w, actor, unknown))).toEqual(['webhook_not_found'])
    const wrong = { url: 'x', secret: secretOf(1, 23) }
    expect(await refused(updateWebhook(w, actor, { ...which, ...wrong }))).toEqual([
      'invalid_request',
      'url',
      'secret',
    ])
    const past = { secret: 5, keepFormerSeconds: 604_801 }
    expect(await refused(rotateWebhookSecret(w, actor, { ...which, ...past }))).toEqual([
      'invalid_request',
      'secret',
      'keep_former_seconds',
    ])
  })
})

describe('a rotated secret', () => {
  test('signs beside the former one, which ends after a day', async () => {
    const w = await world()
    const { webhook, secret: first } = await added(w)
    const { secret: second } = await rotateWebhookSecret(w, actor, {
      appId: w.app.id,
      id: webhook.id,
    })

    const day = 86_400_000
    expect(await secrets(w, webhook.id, noon + day - 1)).toEqual([second ?? '', first ?? ''])
    expect(await secrets(w, webhook.id, noon + day)).toEqual([second ?? ''])
  })

  test('ends the former one at once where that is asked, and is taken as given', async () => {
    const w = await world()
    const { webhook } = await added(w)
    const which = { appId: w.app.id, id: webhook.id, secret: secretOf(3), keepFormerSeconds: 0 }
    const { secret } = await rotateWebhookSecret(w, actor, which)

    expect(secret).toBeNull()
    expect(await secrets(w, webhook.id)).toEqual([secretOf(3)])
  })
})

test('every change of a webhook is in the audit log, without its secret or URL', async () => {
  const w = await world()
  const { webhook } = await added(w, { secret: secretOf(4) })
  const which = { appId: w.app.id, id: webhook.id }
  await updateWebhook(w, actor, { ...which, testEvents: true, enabled: false })
  await rotateWebhookSecret(w, actor, which)
  await removeWebhook(w, actor, which)

  const { items } = await w.audit.list({ limit: 4, cursor: null })
  expect(items.map(({ action, detail }) => [action, detail]).reverse()).toEqual([
    ['webhook.add', `webhook ${webhook.id}`],
    ['webhook.update', `webhook ${webhook.id} testEvents enabled`],
    ['webhook.rotate', `webhook ${webhook.id}`],
    ['webhook.remove', `webhook ${webhook.id}`],
  ])
  expect(await listWebhooks(w, w.app.id)).toEqual([])
  expect(await verifyAudit(w, { now: noon, keptMs: 1 })).toMatchObject({ ok: true })
})

test('a removed webhook takes its messages and alarms along', async () => {
  const w = await world()
  const { webhook } = await added(w)
  for (const kind of ['webhook_off', 'webhook_backlog'] as const) {
    const place = { kind, appId: w.app.id, endpointId: webhook.id }
    await w.alarms.raise({ ...place, now: noon, event: 'alarm.raised', data: {} })
  }
  const query = { appId: w.app.id, webhookId: webhook.id, status: null, limit: 9, cursor: null }
  expect((await w.webhooks.list(query)).items).toHaveLength(2)
  await removeWebhook(w, actor, { appId: w.app.id, id: webhook.id })

  expect((await w.webhooks.list(query)).items).toEqual([])
  const open = { appId: w.app.id, open: true, limit: 9, cursor: null }
  expect((await w.alarms.list(open)).items).toEqual([])
})

test.each([
  ['https://app.example.com', 'https://app.example.com/'],
  ['https://app.example.com:8443/a?b=c', 'https://app.example.com:8443/a?b=c'],
  ['http://10.0.0.1/events', 'http://10.0.0.1/events'],
  ['HTTPS://App.Example.com/', 'https://app.example.com/'],
  ['https://user@app.example.com/', undefined],
  ['https://:secret@app.example.com/', undefined],
  ['https://app.example.com/#part', undefined],
  ['ftp://app.example.com/', undefined],
  ['javascript:alert(1)', undefined],
  ['file:///etc/passwd', undefined],
  ['app.example.com', undefined],
  ['https://', undefined],
  [`https://a.example/${'a'.repeat(2031)}`, undefined],
  [`https://a.example/${'é'.repeat(600)}`, undefined],
  [5, undefined],
  [null, undefined],
])('the URL %p is read as %p', (given, read) => {
  expect(readWebhookUrl(given)).toBe(read as never)
})

test('a secret is base64 of 24 to 64 bytes, written in one way only', () => {
  const made = newWebhookSecret(systemRandom)
  expect(readWebhookSecret(made)).toBe(made)
  for (const length of [24, 32, 64]) expect(readWebhookSecret(secretOf(1, length))).toBeDefined()
  const wrong = [secretOf(1, 23), secretOf(1, 65), made.slice(6), made.slice(0, -1), `${made} `]
  for (const text of [...wrong, `whsec_${'!'.repeat(44)}`, '', 5, null]) {
    expect(readWebhookSecret(text)).toBeUndefined()
  }
})
