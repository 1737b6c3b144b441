import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { problemTitles } from '../../src/domain/problem.ts'
import { openApiDocument } from '../../src/http/openapi-document.ts'
import { problemStatuses } from '../../src/http/problems.ts'
import { differences } from './conforms.ts'
import { type Json, site } from './fixture.ts'

const apiDocs = await Bun.file(join(import.meta.dir, '../../docs/api.md')).text()

type Operation = {
  summary?: string
  parameters?: { name: string; description?: string }[]
  requestBody?: { content: Record<string, Media> }
  responses: Record<string, { description: string; content?: Record<string, Media> }>
}
type Media = { schema: Json; example: Json }

async function described(): Promise<[string, Operation][]> {
  const at = await site({ http: { developerMode: true } })
  const document = (await openApiDocument(at.server, null)) as Json
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods as Record<string, Operation>).map(
      ([method, operation]): [string, Operation] => [`${method.toUpperCase()} ${path}`, operation],
    ),
  )
}

test('every route is in the document, but for the parts of pages', async () => {
  const at = await site({ http: { developerMode: true } })
  const operations = new Set((await described()).map(([name]) => name))

  for (const { method, path } of at.server.routes) {
    if (/\.(css|js)$/.test(path)) continue
    expect(operations).toContain(`${method} ${path.replace(/:([a-z_]+)/g, '{$1}')}`)
  }
  expect([...operations].some((name) => name.includes('mirror'))).toBe(false)
})

test('every parameter, field and answer of every route has words of its own', async () => {
  for (const [name, operation] of await described()) {
    expect([name, operation.summary?.length ?? 0]).not.toEqual([name, 0])
    for (const parameter of operation.parameters ?? []) {
      expect([name, parameter.name, parameter.description]).toEqual([
        ...[name, parameter.name, expect.stringMatching(/\w/)],
      ])
    }
    const body = operation.requestBody?.content['application/json']
    for (const [field, schema] of Object.entries(body?.schema.properties ?? {})) {
      const { description } = schema as { description?: string }
      if (field !== 'email')
        expect([name, field, description]).toEqual([name, field, expect.any(String)])
    }
    for (const [status, { description }] of Object.entries(operation.responses)) {
      expect([name, status, description]).toEqual([name, status, expect.stringMatching(/\w/)])
    }
  }
})

test('bodies of /v1 say that they take no other fields, and whole numbers', async () => {
  for (const [name, { requestBody }] of await described()) {
    const schema = requestBody?.content['application/json']?.schema
    if (!schema || !name.includes('/v1/')) continue
    expect([name, schema.additionalProperties]).toEqual([name, false])
    expect(JSON.stringify(schema)).not.toContain('"type":"number"')
  }
})

test('every example is what its schema says', async () => {
  let seen = 0
  for (const [name, operation] of await described()) {
    const media = [
      ...Object.values(operation.requestBody?.content ?? {}),
      ...Object.entries(operation.responses)
        .filter(([status]) => Number(status) < 300)
        .flatMap(([, { content }]) => Object.values(content ?? {})),
    ]
    for (const { schema, example } of media) {
      seen++
      expect([name, example]).not.toEqual([name, undefined])
      expect([name, differences(schema, example)]).toEqual([name, []])
    }
  }
  expect(seen).toBeGreaterThan(30)
})

test('a body to copy is accepted as it stands', async () => {
  const at = await site()
  const operation = (await described()).find(([name]) => name === 'POST /v1/verifications')?.[1]
  const body = operation?.requestBody?.content['application/json']?.example

  expect((await at.call('POST', '/v1/verifications', { body })).status).toBe(201)
})

test('docs/api.md has a section for every problem, with its status', () => {
  for (const [code, status] of Object.entries(problemStatuses)) {
    expect(apiDocs).toContain(`### \`${code}\` · ${status}\n`)
  }
  const sections = [...apiDocs.matchAll(/^### `([a-z_]+)` · \d+$/gm)].map(([, code]) => code)
  expect(sections.sort()).toEqual(Object.keys(problemTitles).sort())
})

test('docs/api.md names every route and every limit', async () => {
  for (const [name] of await described()) {
    if (!name.includes('/dev/')) expect(apiDocs).toContain(`\`${name}\``)
  }
  const limits = ['recipient_spacing', 'recipient_quarter_hour', 'recipient_day']
  for (const limit of [...limits, 'recipient_day_all_apps', 'app_minute', 'ip_failures']) {
    expect(apiDocs).toContain(`\`${limit}\``)
  }
})

test('the document names the public URL after the server that it came from', async () => {
  const at = await site()
  const document = (await openApiDocument(at.server, 'https://otp.example.com')) as Json

  expect(document.servers).toEqual([{ url: '/' }, { url: 'https://otp.example.com' }])
})

test('the document is OpenAPI 3.0 and speaks of no other server', async () => {
  const at = await site()
  const { json, text } = await at.call('GET', '/swagger/json')

  expect(json.openapi).toStartWith('3.0')
  expect(json.servers).toEqual([{ url: '/' }])
  expect(text).not.toMatch(/"(const|patternProperties)"|"type":"null"/)
  const ids = Object.values(json.paths).flatMap((methods) =>
    Object.values(methods as Record<string, { operationId: string }>).map((one) => one.operationId),
  )
  expect(new Set(ids).size).toBe(ids.length)
})
