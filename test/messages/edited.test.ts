import { expect, test } from 'bun:test'
import { lifeLeft } from '../../src/domain/delivery/life.ts'
import type { Template } from '../../src/domain/template/template.ts'
import { chooseMessage } from '../../src/messages/languages.ts'
import { type MessageSource, renderMessage } from '../../src/messages/render.ts'
import { appWith, handoverOf } from '../channels/mail-fixtures.ts'

const all = [
  ...['code', 'valid', 'minutes', 'hours', 'reference', 'app', 'support', 'first_name'],
  ...['page_link', 'report_link'],
].map((name) => `${name}={{${name}}}`)
const template: Template = {
  subject: '{{code}} {{app}}',
  text: `${all.join('\n')}\n{{#logo}}never{{/logo}}\n\n`,
  html: `<p>${all.join('</p>\n<p>')}</p>{{#logo}}<img src="cid:logo">{{/logo}}`,
  variables: ['first_name'],
}
const brand = {
  color: null,
  support: 'help@acme.test',
  logo: { id: 'a', type: 'image/png', width: 10, height: 10 },
} as const

function render(parts: Partial<MessageSource> = {}, minutes = 9) {
  const source = handoverOf(appWith({ name: '<Acme>' }), { code: '568464', reference: 'KF42' })
  return renderMessage({
    ...source,
    life: lifeLeft(minutes * 60_000, 0),
    template: { locale: 'de-AT', content: template },
    ...parts,
  })
}

test('a template has every value, escaped in HTML only, in the language of its words', () => {
  const variables = { first_name: 'O’Neill & "Sons"' }
  const app = { ...appWith({ name: '<Acme>' }), brand }

  const { language, subject, text, html } = render({ app, variables })

  expect(language).toBe('de-AT')
  expect(subject).toBe('568464 <Acme>')
  expect(text.split('\n')).toEqual([
    'code=568464',
    'valid=Er ist noch 9 Minuten gültig.',
    'minutes=9',
    'hours=',
    'reference=KF42',
    'app=<Acme>',
    'support=help@acme.test',
    'first_name=O’Neill & "Sons"',
    'page_link=',
    'report_link=',
    'never',
  ])
  expect(html).toContain('<p>app=&#60;Acme&#62;</p>')
  expect(html).toContain('<p>first_name=O’Neill &#38; &#34;Sons&#34;</p>')
  expect(html).toContain('<img src="cid:logo">')
})

test('what is not there is empty', () => {
  const { text, html, subject } = render({ app: appWith({ name: null }) }, 0)

  const names = ['minutes', 'hours', 'app', 'support', 'first_name', 'page_link', 'report_link']
  for (const name of names) {
    expect(text).toContain(`\n${name}=\n`.trimEnd())
  }
  expect([subject, html.includes('<img'), text.includes('never')]).toEqual([
    '568464 ',
    false,
    false,
  ])
  expect(render({}, 150).text).toContain('minutes=\nhours=2')
})

test('a policy without the code in the subject holds for templates too', () => {
  const app = appWith({ name: 'Acme', policy: { codeInSubject: false } })

  expect(render({ app }).subject).toBe('Ihr Code für Acme')
  const content = { ...template, subject: 'Hallo {{app}}' }
  expect(render({ app, template: { locale: 'de', content } }).subject).toBe('Hallo Acme')
})

test('the last line of the text binds the code to the origin', () => {
  const app = appWith({ policy: { origin: 'https://login.acme.test' } })

  const { text, otpToken } = render({ app })

  expect(text).toEndWith('report_link=\n\n@login.acme.test #568464')
  expect(otpToken).toEqual({ code: '568464', origin: 'https://login.acme.test' })
})

test('a template has the links that the app wants', () => {
  const shown = (page: boolean, report: string | null) => {
    const { text, html } = render({
      links: { base: 'https://otp.acme.test', id: 'v1', page, report },
    })
    const [inText, inHtml] = [text, html].map((part) => part.match(/(page|report)_link=[^\n<]*/g))
    expect(inHtml).toEqual(inText ?? null)
    return inText
  }

  expect(shown(true, 'r2')).toEqual([
    'page_link=https://otp.acme.test/verify/v1#568464',
    'report_link=https://otp.acme.test/verify/v1/report/r2',
  ])
  expect(shown(false, 'r2')?.[0]).toBe('page_link=')
  expect(shown(true, null)?.[1]).toBe('report_link=')
})

test('a template is chosen by language as the built-in messages are', () => {
  const templates = ['de', 'en', 'sw'].map((locale) => ({ locale, version: 1, variables: [] }))
  const choose = (locale: string | null, app = appWith()) => {
    const { language, template: ref } = chooseMessage({ ...app, templates }, locale)
    return [language, ref?.locale]
  }

  expect(choose('de-AT')).toEqual(['de', 'de'])
  expect(choose('fr')).toEqual(['fr', undefined])
  expect(choose('sw-KE')).toEqual(['sw', 'sw'])
  expect(choose(null)).toEqual(['en', 'en'])
  expect(choose('tlh')).toEqual(['en', 'en'])
  expect(choose(null, appWith({ policy: { language: 'de' } }))).toEqual(['de', 'de'])
  expect(chooseMessage(appWith(), 'de-AT')).toEqual({ language: 'de', template: null })
})

test('the built-in message shows the brand of the app', () => {
  const app = { ...appWith({ name: 'Acme' }), brand: { ...brand, color: '#ffcc00' } }

  const { html, text } = render({ app, template: null, locale: 'en' })

  expect(html).toContain('background: #ffcc00; color: #000000;')
  expect(html).toContain('<img src="cid:logo" width="10" height="10" alt="Acme"')
  expect(html).toContain('<bdi dir="ltr">help@acme.test</bdi>')
  expect(text).toEndWith('\n\nhelp@acme.test')
  const dark = { ...app, brand: { ...app.brand, color: '#0a5c36', logo: null, support: null } }
  const other = render({ app: dark, template: null, locale: 'en' })
  expect(other.html).toContain('background: #0a5c36; color: #ffffff;')
  expect(other.html).not.toContain('<img')
  expect(other.html).not.toContain('<bdi dir')
})
