import { describe, expect, test } from 'bun:test'
import { renderMessage, validUntil } from '../../src/messages/render.ts'
import { appWith, handoverOf, noon } from '../channels/mail-fixtures.ts'

describe('a message', () => {
  test('contains the code, the app, the expiry and what to do', () => {
    const message = renderMessage(handoverOf(appWith()))

    expect(message.subject).toBe('483920 is your Acme code')
    expect(message.text).toBe(
      [
        '483920 is your code for Acme.',
        '',
        'It is valid until 12:10 UTC. Reference: KX47',
        '',
        'Never share this code with anyone: nobody at Acme will ask you for it.',
        'If you did not ask for it, ignore this message.',
      ].join('\n'),
    )
    expect(message.html).toContain('Your code for Acme is')
    expect(message.otpToken).toBeNull()
  })

  test('of an app without a name contains no name', () => {
    const { subject, text, html } = renderMessage(handoverOf(appWith({ name: null })))

    expect(subject).toBe('Your code: 483920')
    expect(text).toStartWith('483920 is your code.\n')
    expect(text).toContain('anyone: nobody will ask')
    expect(html).toContain('<title>Your code</title>')
    expect(html).toContain('>Your code is<')
    for (const part of [subject, text, html]) expect(part).not.toMatch(/null|undefined| {2}code/)
  })

  test('keeps the code out of the subject where the app asks for it', () => {
    const policy = { codeInSubject: false }

    expect(renderMessage(handoverOf(appWith({ policy }))).subject).toBe('Your Acme code')
    expect(renderMessage(handoverOf(appWith({ name: null, policy }))).subject).toBe('Your code')
  })

  test('ends with the origin where the app has one', () => {
    const policy = { origin: 'https://login.acme.test:8443' }
    const { text, otpToken } = renderMessage(handoverOf(appWith({ policy })))

    expect(text.split('\n').at(-1)).toBe('@login.acme.test #483920')
    expect(otpToken).toEqual({ code: '483920', origin: 'https://login.acme.test:8443' })
  })

  test('shows a name as text, whatever stands in it', () => {
    const { html } = renderMessage(handoverOf(appWith({ name: `<b>&"'` })))

    expect(html).toContain('&#60;b&#62;&#38;&#34;&#39;')
    expect(html).not.toContain('<b>')
  })
})

test('of a code that is valid for more than twelve hours names the day', () => {
  expect(validUntil({ createdAt: noon, expiresAt: noon + 43_200_000 })).toBe('00:00 UTC')
  expect(validUntil({ createdAt: noon, expiresAt: noon + 43_260_000 })).toBe('00:01 UTC on 16 Jun')
})
