import { expect, test } from 'bun:test'
import { policyFieldList } from '../../src/domain/app/policy.ts'
import { smtpFieldList } from '../../src/domain/app/smtp-fields.ts'
import { channelKinds } from '../../src/domain/delivery/channel.ts'
import { describeServer } from '../../src/http/server.ts'
import { defaultSettings } from '../support/world.ts'
import { differences } from './conforms.ts'
import { type OpenApi, openApi, operations, site } from './fixture.ts'

const { schemas } = openApi.components

test('every route is in the document, except assets of pages', async () => {
  const at = await site({ http: { developerMode: true } })
  const names = new Set(operations.map(([name]) => name))
  const parts = /\.(css|js|d\.ts)$|^\/ui\/:file$|^\/verify\//
  const shadows = [
    '/v1/verifications/search',
    '/v1/apps/:id/suppressions/remove',
    '/v1/apps/:id/verifications/search',
    '/v1/inbound/dsn',
  ]

  for (const { method, path } of at.server.routes) {
    if (parts.test(path) || (shadows.includes(path) && method !== 'POST')) continue
    expect(names).toContain(`${method} ${path.replace(/:([a-z_]+)/g, '{$1}')}`)
  }
  expect([...names].some((name) => name.includes('mirror'))).toBe(false)
})

test('operations and components have fixed names, which generated clients use', () => {
  const ids = operations.map(([, { operationId }]) => operationId)
  expect(new Set(ids).size).toBe(ids.length)
  expect(ids).toEqual(
    expect.arrayContaining([
      ...['startVerification', 'checkVerification', 'resendVerification', 'cancelVerification'],
      ...['listVerifications', 'searchVerifications', 'getVerification'],
      ...['createApp', 'listApps', 'getApp', 'updateApp', 'deleteApp', 'createKey', 'revokeKey'],
      ...['listEndpoints', 'addEndpoint', 'updateEndpoint', 'removeEndpoint', 'testDelivery'],
      ...['getStats', 'listEvents', 'listAlarms', 'listAudit', 'healthz', 'readyz'],
      ...['registerSecretKey', 'sendOtp', 'verifyOtp'],
    ]),
  )
  expect(Object.keys(schemas)).toEqual(
    expect.arrayContaining([
      ...['Verification', 'VerificationDetails', 'Check', 'StartRequest', 'App', 'AppWithKeys'],
      ...['Key', 'NewKey', 'Endpoint', 'EmailSettings', 'NewEmailSettings', 'Policy', 'Event'],
      ...['Alarm', 'AuditRecord', 'StatsRow', 'Problem', 'FieldError'],
    ]),
  )
})

test('every parameter, field and answer has a description', () => {
  for (const [name, operation] of operations) {
    expect([name, operation.summary?.length ?? 0]).not.toEqual([name, 0])
    for (const parameter of operation.parameters ?? []) {
      expect([name, parameter.name, parameter.description]).toEqual([
        ...[name, parameter.name, expect.stringMatching(/\w/)],
      ])
    }
    for (const [status, { description }] of Object.entries(operation.responses)) {
      expect([name, status, description]).toEqual([name, status, expect.stringMatching(/\w/)])
    }
  }
  for (const [name, { properties = {} }] of Object.entries(schemas)) {
    for (const [field, schema] of Object.entries(properties)) {
      const { $ref, description } = schema as { $ref?: string; description?: string }
      const isSaid = $ref !== undefined || /\w/.test(description ?? '') || field === 'items'
      expect([name, field, isSaid]).toEqual([name, field, true])
    }
  }
})

test('request bodies of /v1 allow no other fields; answers may gain some', () => {
  const inputs = new Set<string>()
  for (const [name, { requestBody }] of operations) {
    const ref = requestBody?.content['application/json']?.schema.$ref
    if (!ref || !name.includes('/v1/')) continue
    inputs.add(ref.replace('#/components/schemas/', ''))
  }
  for (const name of [...inputs, 'PolicyInput', 'NewEmailSettings', 'EmailSettingsChange']) {
    expect([name, schemas[name]?.additionalProperties]).toEqual([name, false])
  }
  for (const name of ['Verification', 'App', 'Policy', 'EmailSettings', 'Endpoint', 'Event']) {
    expect([name, schemas[name]?.additionalProperties]).toEqual([name, undefined])
  }
})

test('policy and SMTP fields, bounds and channels are those of the domain', () => {
  const policy = schemas['PolicyInput']?.properties ?? {}
  const settings = schemas['NewEmailSettings']?.properties ?? {}

  expect(Object.keys(policy)).toEqual(policyFieldList.map(([, { wire }]) => wire))
  expect(Object.keys(settings)).toEqual(smtpFieldList.map(([, { wire }]) => wire))
  expect(policy['code_length']).toMatchObject({ type: 'integer', minimum: 6, maximum: 10 })
  const channel = schemas['StartRequest']?.properties?.['channel']
  expect(channel).toMatchObject({
    anyOf: [{ enum: channelKinds }, { items: { enum: channelKinds } }],
  })
})

test('a policy field that can only be stricter has the server’s setting as its maximum', async () => {
  const ceilings = { ...defaultSettings, attemptsMax: 4 }
  const document = (await describeServer({
    ...{ developerMode: false, publicUrl: null, ceilings },
  })) as OpenApi

  const input = document.components.schemas['PolicyInput']?.properties?.['attempts_max']
  const shown = document.components.schemas['Policy']?.properties?.['attempts_max']
  expect([input, shown]).toMatchObject([{ maximum: 4 }, { maximum: 10 }])
})

test('null is accepted exactly where the document says so', async () => {
  const at = await site()
  const nullable = (name: string) =>
    Object.entries(schemas[name]?.properties ?? {})
      .filter(([, schema]) => schema.nullable)
      .map(([field]) => field)

  expect(nullable('PolicyInput')).toEqual(policyFieldList.map(([, { wire }]) => wire))
  expect(nullable('NewEmailSettings')).toEqual([
    ...[
      'user',
      'tenant',
      'client_id',
      'from_name',
      'ca',
      'connections_max',
      'rate_per_minute',
      'cost',
    ],
  ])
  expect(nullable('StartRequest')).toEqual([])
  const body = { to: 'ada@example.com' }
  for (const field of Object.keys(schemas['StartRequest']?.properties ?? {})) {
    const answer = await at.call('POST', '/v1/verifications', { body: { ...body, [field]: null } })
    expect([field, answer.status]).toEqual([field, 422])
  }
})

test('every example conforms to its schema', () => {
  let seen = 0
  for (const [name, operation] of operations) {
    const media = [
      ...Object.values(operation.requestBody?.content ?? {}),
      ...Object.values(operation.responses).flatMap(({ content }) => Object.values(content ?? {})),
    ]
    for (const { schema, example } of media) {
      seen++
      expect([name, example]).not.toEqual([name, undefined])
      expect([name, differences(schemas, schema, example)]).toEqual([name, []])
    }
  }
  expect(seen).toBeGreaterThan(100)
})

test('every example body is accepted unchanged', async () => {
  const at = await site()
  const operation = operations.find(([name]) => name === 'POST /v1/verifications')?.[1]
  const body = operation?.requestBody?.content['application/json']?.example

  expect((await at.call('POST', '/v1/verifications', { body })).status).toBe(201)
})

test('the document lists its own server first, then the public URL', async () => {
  const document = (await describeServer({
    ...{ developerMode: false, publicUrl: 'https://otp.example.com', ceilings: defaultSettings },
  })) as OpenApi

  expect(document.servers).toEqual([{ url: '/' }, { url: 'https://otp.example.com' }])
})

test('the document is OpenAPI 3.0, lists /v1 first and names no other server', async () => {
  const at = await site()
  const { json, text } = await at.call('GET', '/swagger/json')

  expect(json.openapi).toStartWith('3.0')
  expect(json.servers).toEqual([{ url: '/' }])
  expect(text).not.toMatch(/"(const|patternProperties|component|shown|ceiling)":/)
  expect(text).not.toContain('"type":"null"')
  const tags = json.tags.map(({ name }: { name: string }) => name)
  expect(tags.indexOf('Verifications')).toBeLessThan(tags.indexOf('Original API'))
})

test('the executable’s document has the version, the server’s has not', async () => {
  const at = await site()
  const { json } = await at.call('GET', '/swagger/json', { token: null })

  expect(openApi.info.version).toMatch(/^\d+\.\d+\.\d+/)
  expect(json.info.version).not.toContain('.')
})
