import { expect, test } from 'bun:test'
import { deflateSync } from 'node:zlib'
import { adminToken, type CallOptions, type Site, site } from './fixture.ts'

const template = {
  subject: '{{code}} is your code',
  text: 'Your code is {{code}}{{#first_name}}, {{first_name}}{{/first_name}}.\n',
  html: '<p>Your code is</p>\n<p>{{code}}</p>\n',
  variables: ['first_name'],
}

async function own() {
  const at = await site()
  const base = `/v1/apps/${at.app.id}`
  const admin = (method: string, path: string, options: CallOptions = {}) =>
    at.call(method, `${base}${path}`, { token: adminToken, ...options })
  const put = (locale: string, body: unknown = template) =>
    admin('PUT', `/templates/${locale}`, { body })
  return { at, admin, put }
}

const start = (at: Site, body: object, headers: Record<string, string> = {}) =>
  at.call('POST', '/v1/verifications', { body: { to: 'ada@example.com', ...body }, headers })

test('a template is stored under the canonical tag of its language and read back', async () => {
  const { admin, put } = await own()

  const stored = await put('DE-at')

  expect(stored).toMatchObject({ status: 200, json: { locale: 'de-AT', version: 1, ...template } })
  expect((await admin('GET', '/templates/de-AT')).json).toEqual(stored.json)
  const { json } = await admin('GET', '/templates')
  expect(json).toEqual({ items: [{ locale: 'de-AT', version: 1, variables: ['first_name'] }] })
})

test('the built-in message of a language is a template to begin with, which is stored as it is', async () => {
  const { admin, put } = await own()

  const { status, json } = await admin('GET', '/templates/de-at/starter')
  const { locale, ...starter } = json
  const before = await admin('GET', '/templates')
  const stored = await put('de-AT', starter)

  expect([status, locale]).toEqual([200, 'de-AT'])
  expect(starter.text).toContain('{{code}}')
  expect(starter.html).toContain('{{valid}}')
  expect(before.json.items).toEqual([])
  expect(stored).toMatchObject({ status: 200, json: starter })
})

test('earlier versions are listed and readable, also after a reset', async () => {
  const { admin, put } = await own()
  await put('en')
  await put('en', { ...template, subject: 'Second {{code}}' })

  expect((await admin('DELETE', '/templates/en')).status).toBe(204)

  expect((await admin('GET', '/templates/en')).json.code).toBe('template_not_found')
  expect((await admin('GET', '/templates/en?version=2')).json.subject).toBe('Second {{code}}')
  expect((await admin('GET', '/templates/en?version=3')).json.code).toBe('template_not_found')
  const { json } = await admin('GET', '/templates/en/versions')
  expect(
    json.items.map(({ version, edited }: { version: number; edited: boolean }) => [
      version,
      edited,
    ]),
  ).toEqual([
    [3, false],
    [2, true],
    [1, true],
  ])
  expect((await admin('DELETE', '/templates/en')).json.code).toBe('template_not_found')
  expect((await put('en')).json.version).toBe(4)
})

test('only the newest twenty versions of a language are kept', async () => {
  const { admin, put } = await own()
  for (let count = 0; count < 22; count++) await put('en')

  const { json } = await admin('GET', '/templates/en/versions')

  expect([json.items.length, json.items.at(-1).version]).toEqual([20, 3])
  expect((await admin('GET', '/templates/en?version=2')).status).toBe(404)
})

test('an app has templates in at most fifty languages', async () => {
  const { put } = await own()
  const letters = [...'abcdefghij']
  const tags = letters.flatMap((one) => [...'klmnop'].map((two) => `x${one}${two}`)).slice(0, 51)
  for (const tag of tags.slice(0, 50)) expect([tag, (await put(tag)).status]).toEqual([tag, 200])

  expect((await put(tags[50] ?? '')).json.code).toBe('too_many_templates')
  expect((await put(tags[0] ?? '')).status).toBe(200)
})

test.each([['en_US'], ['e'], ['%20'], ['de-1996-1996'], ['x'.repeat(40)], ['..%2f..'], ['null']])(
  'a language that is none is refused by name: %s',
  async (locale) => {
    const { admin, put } = await own()

    for (const answer of [await put(locale), await admin('GET', `/templates/${locale}`)]) {
      expect(answer.status).toBe(422)
      expect(answer.json.errors).toEqual([
        { field: 'locale', reason: 'must be a language tag like de-AT' },
      ])
    }
  },
)

test('every mistake of a template is reported at once, by part and line', async () => {
  const { put, admin } = await own()
  const body = { subject: '', text: 'a\n{{who}}', html: '<script>', extra: 1 }

  const { status, json, text } = await put('en', body)

  expect(status).toBe(422)
  const fields = json.errors.map(({ field }: { field: string }) => field)
  expect(fields).toEqual(['extra', 'subject', 'text', 'html', 'html'])
  expect(json.errors[2].reason).toStartWith('line 2: this name is not known')
  expect(text).not.toContain('who')
  expect((await admin('GET', '/templates')).json.items).toEqual([])
})

test('templates and brands take bodies of 128 KiB', async () => {
  const { at, admin } = await own()
  const send = (method: string, path: string, length: number) =>
    admin(method, path, { raw: `{"x":"${'x'.repeat(length - 8)}"}` })

  for (const [method, path] of [
    ['PUT', '/templates/en'],
    ['PATCH', '/brand'],
  ] as const) {
    expect((await send(method, path, 128 * 1024)).status).toBe(422)
    expect((await send(method, path, 128 * 1024 + 1)).status).toBe(413)
  }
  const other = await at.call('PATCH', `/v1/apps/${at.app.id}`, {
    token: adminToken,
    raw: `{"x":"${'x'.repeat(16 * 1024)}"}`,
  })
  expect(other.status).toBe(413)
})

test('a change of a template or a brand is in the audit log without its words', async () => {
  const { at, admin, put } = await own()
  await put('en')
  await admin('DELETE', '/templates/en')
  await admin('PATCH', '/brand', { body: { support: 'help@acme.test' } })

  const { json } = await at.call('GET', '/v1/audit', { token: adminToken })

  const records = json.items.slice(0, 3)
  expect(records.map(({ action, detail }: Record<string, string>) => [action, detail])).toEqual([
    ['brand.update', 'support'],
    ['template.reset', 'locale en'],
    ['template.save', 'locale en'],
  ])
})

test('a start may give values for the variables that a template of its app declares', async () => {
  const { at, put } = await own()
  await put('en')

  const { status, text } = await start(at, { variables: { first_name: ' Zoë O’Neill-Smith ' } })

  expect(status).toBe(201)
  expect(at.sent.at(-1)?.handover.variables).toEqual({ first_name: 'Zoë O’Neill-Smith' })
  expect(text).not.toContain('Zoë')
})

test('a start without values, or with empty ones, has no variables', async () => {
  const { at, put } = await own()
  await put('en')

  await start(at, { variables: {} })
  await start(at, { to: 'bob@example.com', variables: { first_name: ' ' } })

  expect(at.sent.map(({ handover }) => handover.variables)).toEqual([null, null])
})

test('a variable that no template declares is refused by name', async () => {
  const { at } = await own()

  const { status, json } = await start(at, { variables: { first_name: 'Ada' } })

  expect(status).toBe(422)
  expect(json.errors).toEqual([
    { field: 'variables.first_name', reason: 'is in no template of this app' },
  ])
})

test.each([
  ['a link', 'see https://evil.test'],
  ['a www name', 'www.evil'],
  ['a domain', 'evil.com'],
  ['a domain in full width', 'ｅｖｉｌ．ｃｏｍ'],
  ['a Japanese domain', '例え。テスト'],
  ['an IP address', '10.0.0.1'],
  ['an address', 'ada@evil'],
  ['markup', '<b>Ada'],
  ['markup in full width', '＜b＞'],
  ['a code', 'Ada 123456'],
  ['a spaced code', '1 2 3-4'],
  ['a dotted code', '12.34.56'],
  ['an Arabic code', '١٢٣٤٥٦'],
  ['a circled code', '①②③④'],
  ['a line break', 'Ada\nBob'],
  ['a bidi mark', 'Ada\u202e'],
  ['an invisible mark', 'Ada\u200b'],
  ['65 characters', 'x'.repeat(65)],
  ['a number', 7],
  ['a list', ['Ada']],
  ['nothing', null],
])('a variable with %s is refused by name and not repeated', async (_, value) => {
  const { at, put } = await own()
  await put('en')

  const { status, json, text } = await start(at, { variables: { first_name: value } })

  expect([status, json.errors[0].field]).toEqual([422, 'variables.first_name'])
  if (typeof value === 'string') expect(text).not.toContain(value.slice(0, 12))
  expect(at.sent).toEqual([])
})

test.each([
  'Ada',
  'Dr. Ada Lovelace',
  'Smith & Sons',
  'Room 12',
  '日本太郎',
  'محمد',
  '64'.padEnd(64, 'x'),
])('a variable may be %s', async (value) => {
  const { at, put } = await own()
  await put('en')

  expect((await start(at, { variables: { first_name: value } })).status).toBe(201)
})

test('a start takes ten variables of the names that templates can have', async () => {
  const { at, put } = await own()
  const names = Array.from({ length: 10 }, (_, index) => `v_${'abcdefghij'[index]}`)
  await put('en', { ...template, text: '{{code}}', variables: names })
  const ten = Object.fromEntries(names.map((name) => [name, 'x']))

  expect((await start(at, { variables: ten })).status).toBe(201)
  const eleven = await start(at, { to: 'b@example.com', variables: { ...ten, other: 'x' } })
  expect([eleven.status, eleven.json.errors[0].field]).toEqual([422, 'variables'])
  const odd = await start(at, { to: 'b@example.com', variables: { 'First Name': 'x' } })
  expect([odd.status, odd.json.errors[0].reason]).toEqual([422, 'is not a known field'])
})

test('one Idempotency-Key with other variables is another request', async () => {
  const { at, put } = await own()
  await put('en')
  const key = { 'idempotency-key': 'k1' }
  const first = await start(at, { variables: { first_name: 'Ada' } }, key)

  const other = await start(at, { variables: { first_name: 'Bob' } }, key)
  const again = await start(at, { variables: { first_name: 'Ada' } }, key)

  expect([first.status, other.json.code, again.status]).toEqual([
    201,
    'idempotency_key_reused',
    201,
  ])
  expect(again.text).toBe(first.text)
})

test('a brand keeps what a change does not name, and null unsets', async () => {
  const { admin } = await own()
  const nothing = { color: null, support: null, logo: null }
  expect((await admin('GET', '/brand')).json).toEqual(nothing)
  const logo = png(240, 80).toString('base64')
  await admin('PATCH', '/brand', { body: { color: '#0A5', support: 'help@acme.test', logo } })

  const shown = {
    color: '#00aa55',
    support: 'help@acme.test',
    logo: { type: 'image/png', width: 240, height: 80 },
  }
  expect((await admin('GET', '/brand')).json).toEqual(shown)
  const { json } = await admin('PATCH', '/brand', { body: { support: null } })
  expect(json).toEqual({ ...shown, support: null })
  const cleared = await admin('PATCH', '/brand', { body: { color: null, logo: null } })
  expect(cleared.json).toEqual(nothing)
})

test.each<[string, Record<string, unknown>]>([
  ['a word for a colour', { color: 'red' }],
  ['no colour', { color: '#12345' }],
  ['a number for a colour', { color: 7 }],
  ['no address', { support: 'help' }],
  ['two addresses', { support: 'a@a.test, b@b.test' }],
  ['no base64', { logo: '<svg>' }],
  ['an svg', { logo: Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>').toString('base64') }],
  ['a gif', { logo: Buffer.from('GIF89a\u0001\u0000\u0001\u0000').toString('base64') }],
  ['the start of a png', { logo: png(9, 9).subarray(0, 40).toString('base64') }],
  ['a png with more behind it', { logo: Buffer.concat([png(9, 9), png(9, 9)]).toString('base64') }],
  ['a picture without width', { logo: png(0, 9).toString('base64') }],
  ['a wide picture', { logo: png(1001, 9).toString('base64') }],
  ['a large picture', { logo: png(9, 9, 20_000).toString('base64') }],
  ['a list', { logo: [1] }],
])('a brand with %s is refused by name', async (_, body) => {
  const { admin } = await own()

  const { status, json } = await admin('PATCH', '/brand', { body })

  expect([status, json.errors.length]).toEqual([422, 1])
  expect(json.errors[0].field).toBe(Object.keys(body)[0])
  expect((await admin('GET', '/brand')).json).toEqual({ color: null, support: null, logo: null })
})

test('a logo may be a JPEG', async () => {
  const { admin } = await own()
  const jpeg = Buffer.from(
    'ffd8ffe000104a46494600010100000100010000ffc0000b0800400080010111 00ffd9'.replaceAll(' ', ''),
    'hex',
  )

  const { json } = await admin('PATCH', '/brand', { body: { logo: jpeg.toString('base64') } })

  expect(json.logo).toEqual({ type: 'image/jpeg', width: 128, height: 64 })
})

/** A PNG in one colour, with `extra` bytes of text in it. */
function png(width: number, height: number, extra = 0): Buffer {
  const size = Buffer.alloc(13)
  size.writeUInt32BE(width, 0)
  size.writeUInt32BE(height, 4)
  size.set([8, 0, 0, 0, 0], 8)
  const rows = Buffer.alloc((width + 1) * height)
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', size),
    ...(extra > 0 ? [chunk('tEXt', Buffer.alloc(extra, 'x'))] : []),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

function chunk(name: string, data: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(data.length)
  const body = Buffer.concat([Buffer.from(name), data])
  const checksum = Buffer.alloc(4)
  checksum.writeUInt32BE(Bun.hash.crc32(body))
  return Buffer.concat([length, body, checksum])
}

const preview = (body: object = {}, locale = 'en') =>
  ({ body, path: `/templates/${locale}/preview` }) as const

test('a preview shows the built-in words, the template in force, an older one or a new one', async () => {
  const { admin, put } = await own()
  const show = async (body?: object, locale?: string) => {
    const { path, ...options } = preview(body, locale)
    return (await admin('POST', path, options)).json
  }

  expect(await show({}, 'de')).toMatchObject({
    language: 'de',
    subject: '123456 ist Ihr Code für Acme',
    advice: [],
  })
  await put('en')
  await put('en', { ...template, subject: 'Second {{code}}' })
  expect(await show()).toMatchObject({
    language: 'en',
    subject: 'Second 123456',
    text: 'Your code is 123456, first name.',
  })
  expect((await show({}, 'en-GB')).subject).toBe('Second 123456')
  expect((await show({ version: 1 })).subject).toBe('123456 is your code')
  expect((await show({ version: 9 })).code).toBe('template_not_found')
  const { subject, text, html } = template
  const draft = { subject, text: `{{app}} ${text}`, html, variables: ['first_name'] }
  const shown = await show({ ...draft, values: { first_name: 'Ada' } })
  expect(shown.text).toBe('Acme Your code is 123456, Ada.')
  expect((await admin('GET', '/templates/en/versions')).json.items).toHaveLength(2)
})

test('a preview is refused as the template would be, and its values as those of a start', async () => {
  const { admin } = await own()
  const fieldsOf = async (body: object) => {
    const { path, ...options } = preview(body)
    const { status, json } = await admin('POST', path, options)
    return [status, json.errors.map(({ field }: { field: string }) => field)]
  }

  expect(await fieldsOf({ subject: 'x' })).toEqual([422, ['text', 'html']])
  expect(await fieldsOf({ ...template, html: '<script>' })).toEqual([422, ['html', 'html']])
  expect(await fieldsOf({ ...template, values: { first_name: 'www.evil' } })).toEqual([
    422,
    ['values.first_name'],
  ])
  expect(await fieldsOf({ ...template, values: { other: 'x' } })).toEqual([422, ['values.other']])
  expect(await fieldsOf({ extra: 1 })).toEqual([422, ['extra']])
})

test('a preview shows the logo and gives advice that a good template does not need', async () => {
  const { admin } = await own()
  await admin('PATCH', '/brand', { body: { logo: png(24, 8).toString('base64') } })
  const poor = {
    subject: 'Hello',
    text: 'Hello\n\n{{code}}',
    html: '<table width="600"><tr><td style="color: #333">{{code}}</td></tr></table>',
  }
  const good = {
    subject: '{{code}} is your code',
    text: '{{code}} is your code.\n{{valid}}',
    html:
      '<html lang="en"><head><meta name="viewport" content="width=device-width">' +
      '<meta name="color-scheme" content="light dark"></head><body>' +
      '<p style="color: #000; background: #fff; max-width: 600px">{{code}} {{valid}}</p>' +
      '{{#logo}}<img src="cid:logo" width="240">{{/logo}}</body></html>',
  }
  const advice = async (body: object) => {
    const { path, ...options } = preview(body)
    return (await admin('POST', path, options)).json
  }

  expect((await advice(poor)).advice).toHaveLength(9)
  const shown = await advice(good)
  expect(shown.advice).toEqual([])
  expect(shown.html).toContain('<img src="data:image/png;base64,iVBOR')
  expect((await advice({})).html).toContain('<img src="data:image/png;base64,iVBOR')
})

test('a preview has the links that the app wants, and says where a template lacks them', async () => {
  const { admin } = await own()
  const show = async (text: string, html: string) => {
    const { path, ...options } = preview({ subject: '{{code}}', text, html })
    return (await admin('POST', path, options)).json
  }
  const text = '{{code}} {{valid}}{{#page_link}} {{page_link}}{{/page_link}}'
  const html = '{{code}} {{valid}}{{#page_link}}<a href="{{page_link}}">Enter it</a>{{/page_link}}'
  const lacks = (name: string, advice: string[]) => advice.some((each) => each.includes(name))

  expect((await show(text, html)).html).not.toContain('<a')
  await admin('PATCH', '', { body: { policy: { page_link: true, report_link: true } } })
  const shown = await show(text, html)
  expect(shown.text).toEndWith(' https://otp.example.com/verify/sample#123456')
  expect(shown.html).toContain(
    '<a href="https://otp.example.com/verify/sample#123456">Enter it</a>',
  )
  expect([lacks('page_link', shown.advice), lacks('report_link', shown.advice)]).toEqual([
    false,
    true,
  ])
  expect(lacks('page_link', (await show('{{code}}', html)).advice)).toBe(true)
})

test('a test delivery takes the language and the variables of a start', async () => {
  const messages: unknown[] = []
  const at = await site({
    ports: {
      testDelivery: async (_app, _endpoint, message) => {
        messages.push(message)
        return { status: 'sent', detail: null, steps: [] }
      },
    },
  })
  const admin = { token: adminToken }
  const base = `/v1/apps/${at.app.id}`
  await at.call('PUT', `${base}/templates/de`, { ...admin, body: template })
  const send = (body: object) =>
    at.call('POST', `${base}/test-delivery`, { ...admin, body: { to: 'me@acme.test', ...body } })

  await send({ locale: 'DE', variables: { first_name: 'Ada' } })
  await send({})

  const recipient = { kind: 'email', address: 'me@acme.test' }
  expect(messages).toEqual([
    { recipient, locale: 'de', variables: { first_name: 'Ada' } },
    { recipient, locale: null, variables: null },
  ])
  expect((await send({ variables: { other: 'x' } })).json.errors[0].field).toBe('variables.other')
  expect((await send({ locale: 'x' })).json.errors[0].field).toBe('locale')
})
