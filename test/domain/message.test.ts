import { describe, expect, test } from 'bun:test'
import { renderMessage } from '../../src/domain/message.ts'
import { appWith, handoverOf, noon } from '../channels/mail-fixtures.ts'

const plain = renderMessage(handoverOf(appWith()))

describe('the message', () => {
  test('names code and app in the subject, and only the app where the app wants it so', () => {
    const discreet = appWith({ policy: { codeInSubject: false } })

    expect(plain.subject).toBe('483920 is your Acme code')
    expect(renderMessage(handoverOf(discreet)).subject).toBe('Your Acme code')
  })

  test('starts with the code in one piece and the word code beside it', () => {
    const [first] = plain.text.split('\n')

    expect(first).toStartWith('483920 is your code')
    expect(plain.html.split('\n')).toContain('483920')
  })

  test('says until when the code is valid, in UTC, and never later than it is', () => {
    const late = noon + 12 * 60_000 + 59_999
    const { text, html } = renderMessage(handoverOf(appWith(), { expiresAt: late }))

    expect(text).toContain('valid until 12:12 UTC.')
    expect(html).toContain('until 12:12 UTC.')
  })

  test('names the day as well where the time alone could be another day', () => {
    const { text } = renderMessage(handoverOf(appWith(), { expiresAt: noon + 86_400_000 }))

    expect(text).toContain('12:00 UTC on 16 Jun.')
  })

  test('names app and reference and warns of sharing', () => {
    for (const body of [plain.text, plain.html]) {
      expect(body).toContain('Acme')
      expect(body).toContain('KX47')
      expect(body).toContain('Never share this code')
      expect(body).toContain('If you did not ask for it, ignore this message.')
    }
  })

  test('ends with the origin-bound code only for an app with an origin', () => {
    const bound = appWith({ policy: { origin: 'https://login.acme.test' } })
    const { text, otpToken } = renderMessage(handoverOf(bound))

    expect(text.split('\n').at(-1)).toBe('@login.acme.test #483920')
    expect(otpToken).toEqual({ code: '483920', origin: 'https://login.acme.test' })
    expect(plain.text).not.toContain('#')
    expect(plain.otpToken).toBeNull()
  })

  test('is the same every time it is rendered', () => {
    const handover = handoverOf(appWith())

    expect(renderMessage(handover)).toEqual(renderMessage({ ...handover }))
  })
})

describe('the HTML', () => {
  test('escapes a name that would be markup', () => {
    const app = appWith({ name: `<img src=x onerror="a('b')">&amp;` })
    const { html } = renderMessage(handoverOf(app))

    expect(html).not.toContain('<img')
    expect(html).not.toContain('&amp;')
    expect(html).toContain('&#60;img src=x onerror=&#34;a(&#39;b&#39;)&#34;&#62;&#38;amp;')
  })

  test('links to nothing, loads nothing and runs nothing', () => {
    expect(plain.html).not.toMatch(/https?:|href|src=|url\(|<script|<a |<img|<link|@import/)
    expect(plain.html.length).toBeLessThan(20_000)
  })

  test('can be read by a screen reader, in the dark and from afar', () => {
    expect(plain.html).toContain('<html lang="en">')
    expect(plain.html.match(/<table/g)).toEqual(plain.html.match(/<table(?= role="presentation")/g))
    expect(plain.html).toContain('color-scheme: light dark')
    expect(Number(/font-size: (\d+)px; font-weight: bold/.exec(plain.html)?.[1])).toBeGreaterThan(
      23,
    )
  })

  test('keeps a contrast of 4.5 to 1 in light and dark', () => {
    const light = ['#16181c', '#50545b'].map((ink) => contrast(ink, '#ffffff'))
    const dark = ['#f4f4f5', '#c9ccd1'].map((ink) => contrast(ink, '#16181c'))
    const inks = [...plain.html.matchAll(/color: (#\w+)/g)].map(([, ink]) => ink)

    expect(new Set(inks)).toEqual(new Set(['#f4f4f5', '#c9ccd1', '#16181c', '#50545b']))
    expect(Math.min(...light, ...dark)).toBeGreaterThan(4.5)
  })
})

/** WCAG 2.2, contrast ratio. */
function contrast(a: string, b: string): number {
  const [light = 0, dark = 0] = [luminance(a), luminance(b)].sort((x, y) => y - x)
  return (light + 0.05) / (dark + 0.05)
}

function luminance(color: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(color.slice(at, at + 2), 16) / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}
