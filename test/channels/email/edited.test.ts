import { describe, expect, test } from 'bun:test'
import { simpleParser } from 'mailparser'
import { createComposer } from '../../../src/channels/email/compose.ts'
import { mailOf } from '../../../src/channels/email/email.ts'
import { plainWording, type Wording } from '../../../src/channels/wording.ts'
import type { Handover } from '../../../src/domain/delivery/delivery.ts'
import { lifeLeft } from '../../../src/domain/delivery/life.ts'
import type { Template } from '../../../src/domain/template/template.ts'
import { appWith, handoverOf } from '../mail-fixtures.ts'

const app = appWith({ policy: { origin: 'https://acme.test' } })

const template: Template = {
  subject: 'รหัส {{code}} ของคุณ{{#first_name}} {{first_name}}{{/first_name}}',
  text: 'สวัสดี{{#first_name}} {{first_name}}{{/first_name}}: {{code}}\n{{valid}} ({{minutes}})\n{{reference}}',
  // One long line without a space near its values.
  html: `<div>${'<b>x</b>'.repeat(30)}<td>{{code}}</td>${'é'.repeat(50)}{{reference}},{{minutes}}</div>`,
  variables: ['first_name'],
}

function edited(content = template, version = 1): Wording {
  return { ...plainWording, template: { key: `app-1 th ${version}`, locale: 'th', content } }
}

function compose(
  composer: ReturnType<typeof createComposer>,
  wording: Wording,
  parts: Partial<Handover> = {},
  leftMs = 540_000,
) {
  const handover = { ...handoverOf(app), ...parts }
  const sender = { from: 'codes@acme.test', fromName: null }
  return composer.compose(mailOf({ ...handover, wording }), sender, lifeLeft(leftMs, 0))
}

describe('an edited message', () => {
  test('is filled in like any other, with the message that composing gives', async () => {
    const warm = createComposer()
    for (let count = 0; count < 60; count++) {
      const parts = {
        deliveryId: `delivery${count}`,
        code: String(100_000 + count * 7919),
        reference: `KF${10 + count}`,
      }
      const leftMs = 540_000 + count * 60_000

      const raw = await compose(warm, edited(), parts, leftMs)

      expect(raw).toBe(await compose(createComposer(), edited(), parts, leftMs))
      const mail = await simpleParser(raw)
      expect(mail.subject).toBe(`รหัส ${parts.code} ของคุณ`)
      expect(mail.text.split('\n').slice(0, 1)).toEqual([`สวัสดี: ${parts.code}`])
      expect(mail.text.trimEnd()).toEndWith(`\n@acme.test #${parts.code}`)
      expect(mail.html).toContain(`<td>${parts.code}</td>`)
      expect(mail.headers.get('content-language')).toBe('th')
    }
    // One for each number of digits of the minutes.
    expect(warm.counts()).toEqual({ filled: 58, composed: 2 })
  })

  test('has the values of its own start, which go into no other message', async () => {
    const warm = createComposer()
    const named = await compose(warm, edited(), { variables: { first_name: 'Zoë <3' } })
    const plain = await compose(warm, edited())
    const again = await compose(warm, edited(), { variables: { first_name: 'Bob' } })

    const [first, second, third] = await Promise.all(
      [named, plain, again].map((raw) => simpleParser(raw)),
    )
    expect(first?.subject).toEndWith('ของคุณ Zoë <3')
    expect(second?.subject).toEndWith('ของคุณ')
    expect(third?.text).toStartWith('สวัสดี Bob: ')
  })

  test('changes with the version of its template and with the template itself', async () => {
    const warm = createComposer()
    const other = { ...template, text: 'second {{code}}' }
    await compose(warm, edited())
    await compose(warm, edited())

    const changed = await simpleParser(await compose(warm, edited(other, 2)))
    const builtIn = await simpleParser(await compose(warm, plainWording, { locale: 'th' }))

    expect(changed.text).toStartWith('second ')
    expect(builtIn.text).not.toContain('สวัสดี')
  })

  test('does not decode what a value has encoded, and no value adds a header', async () => {
    const variables = { first_name: '=?utf-8?q?=0ABcc:a@b.test?=' }
    const raw = await compose(createComposer(), edited(), { variables })

    const mail = await simpleParser(raw)
    expect(mail.subject).toEndWith('= ?utf-8?q?=0ABcc:a@b.test?=')
    expect(mail.headers.has('bcc')).toBe(false)
  })
})

describe('a logo', () => {
  const base64 = Buffer.from('not really a picture'.repeat(900)).toString('base64')
  const logo = { key: 'app-1 abc', content: { type: 'image/png', base64 } } as const
  const brand = {
    color: '#0a5c36',
    support: 'help@acme.test',
    logo: { id: 'abc', type: 'image/png', width: 480, height: 80 },
  } as const

  test('comes with the mail, beside the HTML that shows it', async () => {
    const warm = createComposer()
    await compose(warm, { template: null, brand, logo })
    const mail = await simpleParser(await compose(warm, { template: null, brand, logo }))

    const [picture, ...others] = mail.attachments
    expect(others).toEqual([])
    expect(picture).toMatchObject({ contentType: 'image/png', related: true, cid: 'logo@otpmint' })
    expect(picture?.content.toString('base64')).toBe(base64)
    // mailparser puts the picture where its Content-ID is named.
    expect(mail.html).toContain('<img src="data:image/png;base64,')
    expect(mail.html).toContain('width="240" height="40" alt="Acme"')
    expect(mail.text).toContain('\n\nhelp@acme.test\n\n@acme.test #')
    expect(warm.counts()).toEqual({ filled: 1, composed: 1 })
  })

  test('is left out where the message does not show it', async () => {
    const mail = await simpleParser(await compose(createComposer(), { ...edited(), brand, logo }))
    expect(mail.attachments).toEqual([])

    const html = '{{code}}{{#logo}}<img src="cid:logo">{{/logo}}'
    const shows = { ...edited({ ...template, html }), brand, logo }
    const shown = await simpleParser(await compose(createComposer(), shows))
    expect(shown.attachments.map(({ cid }) => cid)).toEqual(['logo@otpmint'])
    const gone = { ...shows, brand: { ...brand, logo: null }, logo: null }
    const without = await simpleParser(await compose(createComposer(), gone))
    expect(without.html).not.toContain('<img')
  })
})
