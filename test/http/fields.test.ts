import { expect, test } from 'bun:test'
import { endpointKindList } from '../../src/domain/app/endpoint.ts'
import { policyFieldList } from '../../src/domain/app/policy.ts'
import { adminToken, type Json, type Site, site } from './fixture.ts'

const admin = (at: Site, method: string, path: string, body?: Json) =>
  at.call(method, path, { token: adminToken, ...(body !== undefined && { body }) })

test('every field of a policy and of every kind of endpoint is described, no more than the server allows', async () => {
  const at = await site({ settings: { attemptsMax: 4 } })

  const { status, json } = await admin(at, 'GET', '/v1/fields')
  const named = (fields: Json) => fields.map(({ name }: Json) => name).sort()

  expect(status).toBe(200)
  expect(named(json.policy)).toEqual(policyFieldList.map(([, { wire }]) => wire).sort())
  expect(json.policy.find(({ name }: Json) => name === 'attempts_max')).toMatchObject({
    ...{ type: 'integer', min: 1, max: 4, usual: 4 },
  })
  const kinds: Json = Object.fromEntries(json.endpoints.map((each: Json) => [each.kind, each]))
  expect(Object.keys(kinds)).toEqual(endpointKindList.map(([kind]) => kind))
  for (const [kind, { fields }] of endpointKindList) {
    expect(named(kinds[kind].fields)).toEqual(
      Object.values(fields)
        .map(({ wire }) => wire)
        .sort(),
    )
  }
  expect(kinds.email.fields.find(({ name }: Json) => name === 'password')).toMatchObject({
    ...{ secret: true, destination: false, required: false },
  })
})

test('two digits more make guessing a hundred times less likely, and nothing is stored', async () => {
  const at = await site()
  const judge = (policy: Json) => admin(at, 'POST', '/v1/policy-effect', { policy })

  const usual = await judge({})
  const longer = await judge({ code_length: 8, paused: true })
  const wrong = await judge({ code_length: 3, attempts_max: 99 })

  expect([usual.status, usual.json.policy.code_length]).toEqual([200, 6])
  expect([longer.json.policy.code_length, longer.json.policy.paused]).toEqual([8, true])
  const share = usual.json.guess_bound_per_year / longer.json.guess_bound_per_year
  expect(share).toBeGreaterThan(99)
  expect(share).toBeLessThan(101)
  expect(usual.json.guess_bound_per_year).toBeLessThan(0.001)
  expect(wrong.status).toBe(422)
  expect(wrong.json.errors.map(({ field }: Json) => field)).toEqual([
    'policy.code_length',
    'policy.attempts_max',
  ])
  expect((await admin(at, 'GET', `/v1/apps/${at.app.id}`)).json.policy).toEqual({})
})

test('a mail server is tested with settings that are not stored', async () => {
  const tested: Json[] = []
  const at: Site = await site({
    ports: {
      testDelivery: async (app, endpoint, message) => {
        tested.push({ app, endpoint, message })
        return { status: 'sent', detail: '250 ok', steps: [] }
      },
    },
  })
  const apps = async () => (await admin(at, 'GET', '/v1/apps')).json.items.length
  const before = await apps()
  const email = { host: 'smtp.example.com', port: 465, from: 'codes@example.com', password: 'pw' }

  const sent = await admin(at, 'POST', '/v1/test-delivery', { email, to: 'ada@example.com' })
  const wrong = await admin(at, 'POST', '/v1/test-delivery', {
    email: { ...email, port: 0 },
    to: 'no address',
    extra: 1,
  })

  expect([sent.status, sent.json.status]).toEqual([200, 'sent'])
  const [{ app, endpoint, message }] = tested as [Json]
  expect([app.name, message.recipient.address]).toEqual(['OtpMint', 'ada@example.com'])
  expect(endpoint.settings).toMatchObject({ host: 'smtp.example.com', security: 'tls' })
  expect(endpoint.secretSealed).toBeInstanceOf(Uint8Array)
  expect(tested).toHaveLength(1)
  expect(wrong.status).toBe(422)
  expect(wrong.json.errors.map(({ field }: Json) => field).sort()).toEqual([
    'email.port',
    'extra',
    'to',
  ])
  expect(await apps()).toBe(before)
})
