import { describe, expect, test } from 'bun:test'
import { isolated, renderMessage } from '../../src/messages/render.ts'
import { appWith, handoverOf, messageOf } from '../channels/mail-fixtures.ts'

const rendered = (app = appWith(), locale: string | null = null) =>
  renderMessage(messageOf(handoverOf(app, { locale })))

describe('a message', () => {
  test('contains the code, the app, the life that is left and what to do', () => {
    const message = rendered()

    expect(message.subject).toBe('483920 is your Acme code')
    expect(message.text).toBe(
      [
        '483920 is your code for Acme.',
        '',
        'It is valid for 10 minutes.',
        'Reference: KX47',
        '',
        'Never share this code with anyone: nobody at Acme will ask you for it.',
        'If you did not ask for it, ignore this message.',
      ].join('\n'),
    )
    expect(message.html).toContain('Your code for <bdi>Acme</bdi></h1>')
    expect(message.otpToken).toBeNull()
  })

  test('of an app without a name contains no name', () => {
    const { subject, text, html } = rendered(appWith({ name: null }))

    expect(subject).toBe('483920 is your code')
    expect(text).toStartWith('483920 is your code.\n')
    expect(text).toContain('anyone: nobody will ask')
    expect(html).toContain('<title>Your code</title>')
    expect(html).toContain('>\nYour code</h1>')
    for (const part of [subject, text, html]) expect(part).not.toMatch(/null|undefined| {2}code/)
  })

  test('keeps the code out of the subject where the app asks for it', () => {
    const policy = { codeInSubject: false }

    expect(rendered(appWith({ policy })).subject).toBe('Your Acme code')
    expect(rendered(appWith({ name: null, policy })).subject).toBe('Your code')
  })

  test('ends with the origin where the app has one', () => {
    const policy = { origin: 'https://login.acme.test:8443' }
    const { text, otpToken } = rendered(appWith({ policy }))

    expect(text.split('\n').at(-1)).toBe('@login.acme.test #483920')
    expect(otpToken).toEqual({ code: '483920', origin: 'https://login.acme.test:8443' })
  })

  test('shows a name as text, whatever stands in it', () => {
    const { html } = rendered(appWith({ name: `<b>&"'{code}` }))

    expect(html).toContain('<bdi>&#60;b&#62;&#38;&#34;&#39;{code}</bdi>')
    expect(html).not.toContain('<b>')
  })

  test('is in the language that was asked for, else in the app’s, else in English', () => {
    const app = appWith({ policy: { language: 'fi' } })

    expect(rendered(app, 'pt-AO').language).toBe('pt-PT')
    expect(rendered(app, 'tlh-u-nu-latn').language).toBe('en')
    expect(rendered(app, 'lt').language).toBe('fi')
    expect(rendered(app).language).toBe('fi')
    expect(rendered(appWith(), 'lt').language).toBe('en')
  })

  test('says its language and direction where mail programs look for them', () => {
    const { html } = rendered(appWith(), 'ar-EG')

    expect(html).toContain('<html lang="ar" dir="rtl">')
    expect(html).toContain('<div role="main" lang="ar" dir="rtl">')
    expect(html).toContain('<p dir="ltr"')
  })
})

describe('a name in plain text', () => {
  test.each([
    ['متجر (UK)', 'ltr'],
    ['متجر 24', 'ltr'],
    ['Acme متجر', 'rtl'],
    ['Acme Inc.', 'rtl'],
    ['C++', 'rtl'],
  ] as const)('is isolated where the text around would change its order: %s', (name, direction) => {
    expect(isolated(name, direction)).toBe(`\u2068${name}\u2069`)
  })

  test.each([
    ['Acme', 'ltr'],
    ['Acme Inc.', 'ltr'],
    ['متجر', 'ltr'],
    ['متجر', 'rtl'],
    ['Acme Bank', 'rtl'],
    ['株式会社', 'rtl'],
    ['2026', 'rtl'],
  ] as const)('stands as it is where it reads right: %s', (name, direction) => {
    expect(isolated(name, direction)).toBe(name)
  })
})
