import { afterAll, afterEach, expect, setDefaultTimeout, test } from 'bun:test'
import { deflateSync } from 'node:zlib'
import { type ParsedMail, simpleParser } from 'mailparser'
import { eventually, executable, killAll, run, scratch, start } from '../support/executable.ts'
import { type MailServer, mailServer } from '../support/smtp.ts'
import { adminToken, call, createApp } from './client.ts'

setDefaultTimeout(60_000)
executable()
const { folder, remove } = scratch()
afterEach(killAll)
afterAll(remove)

const template = {
  subject: 'รหัส {{code}} ของคุณ',
  text: '{{code}} คือรหัสของ {{first_name}}\n\n{{valid}} {{reference}}\n',
  html:
    '{{#logo}}<img src="cid:logo" alt="{{app}}">{{/logo}}' +
    '<p>สวัสดี {{first_name}}</p><p>{{code}}</p><p>{{valid}}</p>',
  variables: ['first_name'],
}

async function install(name: string, port: number, env: Record<string, string> = {}) {
  const dataDir = `${folder}/${name}`
  const settings = { OTPMINT_DATA_DIR: dataDir, ...env }
  const server = await start(['serve'], settings)
  const token = adminToken(dataDir)
  const app = await createApp(server, token, { port })
  const admin = (base: string, method: string, path: string, body?: unknown) =>
    call(`${base}/v1/apps/${app.id}${path}`, body, { method, token })
  return { server, settings, app, admin }
}

async function arrived(mail: MailServer, count: number): Promise<ParsedMail> {
  await eventually(() => mail.arrived.length >= count, 30_000)
  return simpleParser(mail.arrived[count - 1]?.raw ?? '')
}

const codeIn = ({ text }: ParsedMail) => /^\d{6}/.exec(text)?.[0] ?? ''

test('a template with its logo and its variables arrives as it was written, and its code works', async () => {
  const mail = await mailServer()
  const { server, app, admin } = await install('story', mail.port)
  const { base } = server
  expect((await admin(base, 'PUT', '/templates/th', template)).status).toBe(200)
  const logo = png().toString('base64')
  expect((await admin(base, 'PATCH', '/brand', { logo, color: '#0a5c36' })).status).toBe(200)

  const body = { to: 'ada@example.com', locale: 'th-TH', variables: { first_name: 'Zoë &' } }
  const started = await call(`${base}/v1/verifications`, body, { token: app.liveKey })
  const read = await arrived(mail, 1)
  const code = codeIn(read)
  const url = `${base}/v1/verifications/${started.json.id}/check`
  const checked = await call(url, { code }, { token: app.liveKey })

  expect(started.status).toBe(201)
  expect(read.subject).toBe(`รหัส ${code} ของคุณ`)
  expect(read.text).toStartWith(`${code} คือรหัสของ Zoë &\n\n`)
  expect(read.text).toContain(String(started.json['reference']))
  expect(read.html).toContain('<p>สวัสดี Zoë &#38;</p>')
  const [picture] = read.attachments
  expect(picture).toMatchObject({ contentType: 'image/png', related: true })
  expect(picture?.content.toString('base64')).toBe(logo)
  expect(checked.json.valid).toBe(true)

  // Another language has the built-in words, with the brand.
  await call(`${base}/v1/verifications`, { to: 'bob@example.com' }, { token: app.liveKey })
  const plain = await arrived(mail, 2)
  expect(plain.subject).toMatch(/^\d{6} is your Acme code$/)
  expect(plain.html).toContain('background: #0a5c36; color: #ffffff;')
  expect(plain.attachments).toHaveLength(1)
  await mail.close()
})

test('a running server sends what the command line has edited, from the next mail on', async () => {
  const mail = await mailServer()
  const { server, settings, app } = await install('edited', mail.port)
  const file = (word: string) =>
    `subject: {{code}}\n--- text\n{{code}} ${word}\n--- html\n<p>{{code}} ${word}</p>\n`
  const edit = (word: string) =>
    run(['template', 'edit', app.id, 'en', '--file', '-'], settings, { stdin: file(word) })
  const words: string[] = []
  for (const [index, word] of ['one', 'two', 'three'].entries()) {
    const edited = await edit(word)
    expect([edited.exitCode, edited.stdout]).toEqual([0, `en version ${index + 1} is in force\n`])
    const to = `person${index}@example.com`
    await call(`${server.base}/v1/verifications`, { to }, { token: app.liveKey })
    words.push((await arrived(mail, index + 1)).text.replace(/^\d{6} /, '').trim())
  }
  await run(['template', 'reset', app.id, 'en'], settings)
  await call(`${server.base}/v1/verifications`, { to: 'last@a.test' }, { token: app.liveKey })
  const last = await arrived(mail, 4)

  expect(words).toEqual(['one', 'two', 'three'])
  expect(last.subject).toMatch(/^\d{6} is your Acme code$/)
  await mail.close()
})

test('the links of a template lead to the pages of its verification, once the app wants them', async () => {
  const mail = await mailServer()
  const publicUrl = 'https://otp.example.com'
  const { server, app, admin } = await install('links', mail.port, {
    OTPMINT_PUBLIC_URL: publicUrl,
  })
  const { base } = server
  const linked = {
    subject: '{{code}}',
    text: '{{code}}{{#page_link}}\n{{page_link}}{{/page_link}}{{#report_link}}\n{{report_link}}{{/report_link}}\n',
    html: '<p>{{code}}</p>{{#page_link}}<a href="{{page_link}}">Enter it</a>{{/page_link}}',
    variables: [],
  }
  expect((await admin(base, 'PUT', '/templates/en', linked)).status).toBe(200)
  const begin = async (to: string) =>
    String((await call(`${base}/v1/verifications`, { to }, { token: app.liveKey })).json.id)
  await begin('ada@example.com')
  const bare = await arrived(mail, 1)

  await admin(base, 'PATCH', '', { policy: { page_link: true, report_link: true } })
  const id = await begin('bob@example.com')
  const read = await arrived(mail, 2)

  expect([bare.text.trim(), String(bare.html).trim()]).toEqual([
    codeIn(bare),
    `<p>${codeIn(bare)}</p>`,
  ])
  const page = `${publicUrl}/verify/${id}#${codeIn(read)}`
  const [code, first, report = ''] = read.text.trim().split('\n')
  expect([code, first]).toEqual([codeIn(read), page])
  expect(report).toStartWith(`${publicUrl}/verify/${id}/report/`)
  expect(String(read.html).trim()).toBe(`<p>${code}</p><a href="${page}">Enter it</a>`)
  const form = await call(`${base}${new URL(report).pathname}`, undefined, {
    headers: { host: 'otp.example.com' },
  })
  expect([form.status, form.text.includes('<form')]).toEqual([200, true])
  await mail.close()
})

test('variables survive a crash between the start and the mail', async () => {
  const dead = await mailServer()
  await dead.close()
  const { server, settings, app, admin } = await install('crash', dead.port)
  await admin(server.base, 'PUT', '/templates/en', template)
  const started = await call(
    `${server.base}/v1/verifications`,
    { to: 'ada@example.com', variables: { first_name: 'Grace' } },
    { token: app.liveKey, headers: { prefer: 'wait=5' } },
  )
  expect(started.json.delivery?.status).toBe('deferred')
  await server.kill()

  const mail = await mailServer({ port: dead.port })
  await start(['serve'], settings)
  const read = await arrived(mail, 1)

  expect(read.text).toContain('คือรหัสของ Grace\n')
  await mail.close()
})

test('the inbox of a test key shows the template with its values and its logo', async () => {
  const mail = await mailServer()
  const env = { OTPMINT_DEVELOPER_MODE: 'true' }
  const { server, app, admin } = await install('inbox', mail.port, env)
  const { base } = server
  await admin(base, 'PUT', '/templates/en', template)
  await admin(base, 'PATCH', '/brand', { logo: png().toString('base64') })
  const body = { to: 'ada@example.com', variables: { first_name: 'Grace' } }
  const headers = { prefer: 'wait=5' }
  await call(`${base}/v1/verifications`, body, { token: app.testKey, headers })

  const { json } = await call(`${base}/dev/inbox.json`)

  const [item] = json.items as unknown as { text: string; html: string; code: string }[]
  expect(item?.text).toStartWith(`${item?.code} คือรหัสของ Grace\n`)
  expect(item?.html).toContain('<img src="data:image/png;base64,iVBOR')
  expect(mail.arrived).toEqual([])
  await mail.close()
})

/** A PNG of 48 by 16 pixels in one colour. */
function png(): Buffer {
  const size = Buffer.from('000000300000001008000000 00'.replace(' ', ''), 'hex')
  return Buffer.concat([
    Buffer.from('89504e470d0a1a0a', 'hex'),
    chunk('IHDR', size),
    chunk('IDAT', deflateSync(Buffer.alloc(49 * 16))),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

function chunk(name: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(name), data])
  const [length, checksum] = [Buffer.alloc(4), Buffer.alloc(4)]
  length.writeUInt32BE(data.length)
  checksum.writeUInt32BE(Bun.hash.crc32(body))
  return Buffer.concat([length, body, checksum])
}
