import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { simpleParser } from 'mailparser'
import { type Composer, createComposer } from '../../../src/channels/email/compose.ts'
import { mailOf } from '../../../src/channels/email/email.ts'
import type { App } from '../../../src/domain/app/app.ts'
import type { Handover } from '../../../src/domain/delivery/delivery.ts'
import { lifeLeft } from '../../../src/domain/delivery/life.ts'
import { languages } from '../../../src/domain/language.ts'
import { renderMessage } from '../../../src/messages/render.ts'
import { smtpOf } from '../../support/commands.ts'
import { appWith, handoverOf, messageOf, noon } from '../mail-fixtures.ts'

const second: Parameters<typeof handoverOf>[1] = {
  to: 'grace.hopper+codes@navy.example',
  code: '907155',
  reference: 'QB02',
  createdAt: noon + 3_723_000,
  expiresAt: noon + 4_323_000,
}

const apps: [string, Parameters<typeof appWith>[0]][] = [
  ['a plain name', {}],
  ['an origin', { policy: { origin: 'https://acme.test' } }],
  ['no code in the subject', { policy: { codeInSubject: false } }],
  ['accents', { name: 'Café Zürich', policy: { origin: 'https://acme.test' } }],
  ['no Latin letter at all', { name: '株式会社日本郵便認証局' }],
  ['64 characters of four bytes', { name: '𝔄'.repeat(64) }],
  ['64 words', { name: 'a b '.repeat(16).trim() }],
  ['quotes and commas', { name: 'Acme, "The Best" (Ltd.) <x@y.test>; Bob' }],
  ['what looks like an encoded word', { name: '=?utf-8?q?=0D=0ABcc=3A?=' }],
  ['a dot', { name: '.' }],
  ['the first code', { name: 'Club 483920' }],
  ['the first reference', { name: 'KX47' }],
  ['no from name', { email: { fromName: null } }],
  ['no name at all', { name: null, policy: { origin: 'https://acme.test' } }],
  ['a long origin', { policy: { origin: `https://${'sub.'.repeat(40)}acme.test` } }],
]

describe('a message from the template', () => {
  test.each(apps)('equals one composed on its own, byte for byte: %s', async (_name, parts) => {
    const app = appWith(parts)
    const handover = handoverOf(app, second)
    const warm = createComposer()
    await compose(warm, handoverOf(app))

    expect(await compose(warm, handover)).toBe(await compose(createComposer(), handover))
  })

  test.each(apps)('reads as it was meant: %s', async (_name, parts) => {
    const app = appWith(parts)
    const handover = handoverOf(app, second)
    const warm = createComposer()
    await compose(warm, handoverOf(app))

    await expectReads(await compose(warm, handover), app, handover)
  })

  test('is valid for any name and any code', async () => {
    const names = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 64 })
    const codes = fc.tuple(fc.nat(9999), fc.nat(9999)).map((pair) => pair.map(fourDigits))
    await fc.assert(
      fc.asyncProperty(names, names, codes, async (name, fromName, [code = '', next = '']) => {
        const app = appWith({ name: readable(name), email: { fromName: readable(fromName) } })
        const handover = handoverOf(app, { ...second, code: next })
        const warm = createComposer()
        await compose(warm, handoverOf(app, { code }))
        const raw = await compose(warm, handover)

        expect(raw).toBe(await compose(createComposer(), handover))
        await expectReads(raw, app, handover)
      }),
      { numRuns: 60 },
    )
  })

  test('can have an address that needs folding or quoting', async () => {
    const app = appWith()
    const warm = createComposer()
    await compose(warm, handoverOf(app))
    const long = `${'a'.repeat(64)}@${'b'.repeat(63)}.${'c'.repeat(63)}.example`

    for (const recipient of [long, `{|}~'/=?@example.com`, '=?utf-8?q?x?=@example.com']) {
      const raw = await compose(warm, handoverOf(app, { to: recipient }))
      expect(/^To:\s+(.+)$/m.exec(raw)?.[1]?.trim()).toBe(recipient)
    }
  })

  test('follows the settings of its app', async () => {
    const warm = createComposer()
    const app = appWith()
    const renamed = { ...app, name: 'Apex', version: 2 }
    const moved = appWith({ version: 3, email: { from: 'otp@apex.test' } })
    await compose(warm, handoverOf(app))

    expect((await parsed(warm, renamed)).subject).toBe('483920 is your Apex code')
    expect((await parsed(warm, moved)).from.value[0]?.address).toBe('otp@apex.test')
  })

  test('is folded by its own length', async () => {
    const warm = createComposer()
    const app = appWith({ name: 'Zürich '.repeat(9).trim() })
    for (const code of ['0000', '0123456789', '1111', '9876543210']) {
      const handover = handoverOf(app, { code })
      expect(await compose(warm, handover)).toBe(await compose(createComposer(), handover))
    }
  })

  test('carries codes of every shape', async () => {
    const warm = createComposer()
    const app = appWith()
    for (const code of ['0000', '483920', '0123456789', 'HJKMNPQRST0Z9']) {
      const codeFormat = code.length === 13 ? 'crockford' : 'numeric'
      for (let round = 0; round < 2; round++) {
        const raw = await compose(warm, handoverOf(app, { code, codeFormat }))
        expect((await simpleParser(raw)).text).toStartWith(`${code} is your code for Acme.`)
      }
    }
  })
})

describe('languages and minutes', () => {
  const fit = ['a plain name', 'an origin', 'no code in the subject', 'accents', 'no name at all']
  const named = apps.filter(([name]) => fit.includes(name))

  test.each(languages.map((language) => [language] as const))(
    'are filled into a template, with the message that composing gives: %s',
    async (locale) => {
      for (const [, parts] of named) {
        const app = appWith(parts)
        const warm = createComposer()
        for (let minutes = 0; minutes < 120; minutes++) {
          const handover = handoverOf(app, { ...second, locale, code: String(483_920 + minutes) })
          const raw = await compose(warm, handover, minutes * 60_000)
          if (minutes % 17 === 0) {
            expect(raw).toBe(await compose(createComposer(), handover, minutes * 60_000))
          }
        }
        // Less than a minute, and the plurals of one to three digits.
        expect(warm.counts().composed).toBeLessThanOrEqual(10)
      }
    },
    20_000,
  )

  test.each(languages.map((language) => [language] as const))(
    'never break a code, and reach the person as they were meant: %s',
    async (locale) => {
      for (const [, parts] of apps) {
        const app = appWith(parts)
        for (const code of ['0123456789', 'HJKMNPQRST0Z9']) {
          const handover = handoverOf(app, { ...second, locale, code })
          const raw = await compose(createComposer(), handover)
          await expectReads(raw, app, handover)
          const inSubject = app.policy.codeInSubject === false ? 0 : 1
          const withOrigin = app.policy.origin === undefined ? 0 : 2
          expect(raw.split(code).length - 1).toBe(2 + inSubject + withOrigin)
        }
      }
    },
  )

  test('are not mixed up with each other', async () => {
    const warm = createComposer()
    const app = appWith({ policy: { language: 'sv' } })
    const locales = [null, 'de', 'ru', 'ar', 'lt', 'de-AT']
    for (const round of [1, 2]) {
      for (const locale of locales) {
        const handover = handoverOf(app, { ...second, locale, reference: `KX4${round}` })
        const raw = await compose(warm, handover)
        expect(raw).toBe(await compose(createComposer(), handover))
      }
    }
    // Three of the six are Swedish or German twice.
    expect(warm.counts()).toEqual({ composed: 4, filled: 8 })
  })

  test('are named in a header, for mail programs that translate', async () => {
    const raw = await compose(createComposer(), handoverOf(appWith(), { locale: 'zh-TW' }))
    expect((await simpleParser(raw)).headers.get('content-language')).toBe('zh-Hant')
  })
})

test('without a name of its own the sender has the app’s', async () => {
  const app = appWith({ name: 'Zürich', email: { fromName: null } })
  expect((await parsed(createComposer(), app)).from.value[0]?.name).toBe('Zürich')
})

describe('the headers', () => {
  test('tell autoresponders not to answer and mail programs not to thread', async () => {
    const warm = createComposer()
    const { headers, references } = await parsed(warm, appWith())
    const other = await parsed(warm, appWith())

    expect(headers.get('auto-submitted')).toBe('auto-generated')
    expect(headers.get('x-auto-response-suppress')).toBe('OOF, AutoReply, DR, RN, NRN')
    expect(headers.get('x-entity-ref-id')).not.toBe(other.headers.get('x-entity-ref-id'))
    expect(references).toBeUndefined()
    expect(headers.has('list-unsubscribe')).toBe(false)
    expect(headers.has('x-mailer')).toBe(false)
  })

  test('carry the same Message-ID for every try of a delivery, and not its id', async () => {
    const handover = handoverOf(appWith(), { deliveryId: '0Uw3Xa8bQ0pLmZ7aRt3sYw1CvB6nM9' })
    const once = await compose(createComposer(), handover)
    const again = await compose(createComposer(), handover)
    const { messageId } = await simpleParser(once)

    expect(again).toBe(once)
    expect(messageId).toMatch(/^<0Uw3Xa8b[0-9a-f]{32}@acme\.test>$/)
    expect(once).not.toContain('Q0pLmZ7aRt3sYw1CvB6nM9')
    expect((await parsed(createComposer(), handover.app)).messageId).not.toBe(messageId)
  })

  test('leave OTP-Token out where it cannot carry the origin', async () => {
    const app = appWith({ policy: { origin: 'http://plain.acme.test' } })
    const { headers, text } = await parsed(createComposer(), app)

    expect(headers.has('otp-token')).toBe(false)
    expect(text).toContain('483920 is your code')
  })
})

function compose(composer: Composer, handover: Handover, leftMs = 600_000) {
  return composer.compose(mailOf(handover), smtpOf(handover.endpoint), lifeLeft(leftMs, 0))
}

async function parsed(composer: Composer, app: App) {
  return simpleParser(await compose(composer, handoverOf(app)))
}

async function expectReads(raw: string, app: App, handover: Handover): Promise<void> {
  const mail = await simpleParser(raw)
  const message = renderMessage(messageOf(handover))
  const lines = (text: string) => text.replaceAll('\r\n', '\n').trimEnd()

  expect(mail.subject).toBe(message.subject.replaceAll('=?', '= ?'))
  expect(lines(mail.text)).toBe(message.text)
  expect(lines(mail.html)).toBe(message.html)
  expect(mail.to.value).toEqual([{ name: '', address: handover.recipient.address }])
  const { from, fromName } = smtpOf(app.endpoints[0])
  expect(mail.from.value).toEqual([
    { name: (fromName ?? app.name ?? '').replaceAll('=?', '= ?'), address: from },
  ])
  expect(mail.date.getTime()).toBe(handover.createdAt)
  const token = mail.headerLines.filter(({ key }) => key === 'otp-token')
  const origin = app.policy.origin
  expect(token.map(({ line }) => line.replace(/\s+/g, ' '))).toEqual(
    origin ? [`OTP-Token: "${handover.code}"; origin="${origin}"`] : [],
  )
  expect(raw).not.toContain('base64')
  // Printable ASCII in lines of legal length, each ended by CRLF.
  expect(raw).toMatch(/^[\x20-\x7e\t\r\n]*$/)
  expect(raw.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/)
  expect(Math.max(...raw.split('\r\n').map((line) => line.length))).toBeLessThan(999)
}

function fourDigits(n: number): string {
  return String(n).padStart(4, '0')
}

/** A name that readName accepts. */
function readable(name: string): string {
  const clean = name
    .normalize('NFC')
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, '')
    .trim()
  return clean === '' ? 'x' : [...clean].slice(0, 64).join('')
}
