import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { FieldError } from '../../src/domain/problem.ts'
import { readTemplate, type TemplateInput } from '../../src/domain/template/check.ts'
import { contrast, readableOn, readColor } from '../../src/domain/template/color.ts'
import { renderTokens } from '../../src/domain/template/token.ts'
import { parseTemplate } from '../../src/messages/mustache.ts'

const good = {
  subject: '{{code}} is your code',
  text: 'Your code is {{code}}.\n{{valid}}\n',
  html: '<p>Your code is</p>\n<p>{{code}}</p>\n',
}

function check(change: TemplateInput, hasWords = true) {
  const mistakes: FieldError[] = []
  const input = { ...good, ...change }
  const template = readTemplate({ parse: parseTemplate, input, hasWords, mistakes })
  return { template, mistakes, reasons: mistakes.map(({ field, reason }) => `${field}: ${reason}`) }
}

describe('an accepted template', () => {
  test.each<[string, TemplateInput]>([
    ['shows the code', {}],
    ['has Windows line ends', { text: 'Code\r\n{{code}}\r\n' }],
    ['has comments', { text: '{{! for ops }}\n{{code}}' }],
    ['has spaces in tags', { text: '{{ code }}{{# minutes }}{{ minutes }}{{/ minutes }}' }],
    ['declares variables', { text: 'Hi {{first_name}}, {{code}}', variables: ['first_name'] }],
    [
      'has the code in each branch',
      { text: '{{#app}}{{code}} for {{app}}{{/app}}{{^app}}{{code}}{{/app}}' },
    ],
    [
      'has sections four deep',
      { text: `${sections(4, '{{code}}') + sections(4, '', '^')}{{code}}` },
    ],
    ['has a logo', { html: '{{#logo}}<img src="cid:logo" alt="{{app}}">{{/logo}}{{code}}' }],
    [
      'has the links of OtpMint',
      {
        text: '{{code}}{{#page_link}}\n{{page_link}}{{/page_link}} {{report_link}}',
        html:
          '{{code}}{{#page_link}}<a class="x" href="{{page_link}}">Enter it</a>{{/page_link}}' +
          "{{#report_link}}<a href='{{ report_link }}' title='{{app}}'>Not me</a>{{/report_link}}",
      },
    ],
    [
      'has a link with a colour of mail programs',
      {
        html: `<p style="color:#fff;background:#000">{{code}}${linked('<a style="background:#fff" href="{{page_link}}">x</a>')}</p>`,
      },
    ],
    ['has styles', { html: '<style>p { color: red; }</style><p style="margin: 0">{{code}}</p>' }],
    [
      'has readable colours',
      { html: '<table bgcolor="#000"><tr><td style="color: #fff">{{code}}</td></tr></table>' },
    ],
    [
      'has parts for Outlook',
      { html: '<!--[if mso]><table width="600"><tr><td><![endif]--><p>{{code}}</p>' },
    ],
    ['is a whole document', { html: wholeDocument('<p>{{code}}</p>') }],
    ['has eight cases', { text: manyCases(8), variables: caseNames(8) }],
    ['has six cases in 10 kB', { text: manyCases(6).padEnd(10_000, 'x'), variables: caseNames(6) }],
    ['has 20 kB', { html: `{{code}}${'x'.repeat(19_992)}` }],
    ['has 100 tags', { text: '{{code}}'.repeat(100) }],
  ])('%s', (_, change) => {
    const { template, reasons } = check(change)

    expect(reasons).toEqual([])
    expect(template).not.toBeNull()
  })
})

/** Where there is a link to the page. */
const linked = (html: string) => `{{#page_link}}${html}{{/page_link}}`

describe('a refused template', () => {
  test.each<[string, TemplateInput, string]>([
    ['is missing', { html: undefined }, 'html: is missing'],
    ['is no text', { text: 7 }, 'text: must be 1 to 20,000 bytes'],
    ['is empty', { text: ' \n' }, 'text: must be 1 to 20,000 bytes'],
    ['is too long', { html: `{{code}}${'x'.repeat(19_993)}` }, 'html: must be 1 to 20,000 bytes'],
    [
      'is too long in bytes',
      { text: `{{code}}${'é'.repeat(10_000)}` },
      'text: must be 1 to 20,000',
    ],
    ['has two lines of subject', { subject: 'a\nb' }, 'subject: must be one line'],
    ['has an empty subject', { subject: '  ' }, 'subject: must be one line of 1 to 150'],
    ['has a long subject', { subject: 'x'.repeat(151) }, 'subject: must be one line of 1 to 150'],
    ['has a subject that may be empty', { subject: '{{app}}' }, 'subject: may not be empty'],
    ['has a link in its subject', { subject: 'www.acme.test' }, 'subject: may hold no link'],
    ['has control characters', { text: 'a\n\u0007{{code}}' }, 'text: line 2: holds a character'],
    ['has a lone surrogate', { text: '\ud800{{code}}' }, 'text: line 1: holds a character'],
    ['has a private mark', { html: '\ue001' }, 'html: line 1: holds a character'],

    ['has a name without end', { text: 'a\n{{code' }, 'text: line 2: a tag does not end'],
    ['has an endless tag', { text: `{{${' '.repeat(19_000)}` }, 'text: line 1: a tag may be 200'],
    ['opens a section only', { text: '{{#app}}{{code}}' }, 'text: line 1: a section is not closed'],
    ['closes a section only', { text: '{{code}}\n{{/app}}' }, 'text: line 2: no section of this'],
    [
      'crosses sections',
      { text: '{{#app}}{{/minutes}}{{code}}' },
      'text: line 1: a section is not',
    ],
    ['has three braces', { html: '{{{code}}}' }, 'html: line 1: values are always escaped'],
    ['has an ampersand', { html: '{{&code}}' }, 'html: line 1: values are always escaped'],
    ['has a partial', { text: '{{code}}\n{{> other}}' }, 'text: line 2: templates include no'],
    ['changes the braces', { text: '{{=<% %>=}}<%code%>' }, 'text: line 1: the braces cannot'],
    ['breaks the braces', { text: '{{= x =}}{{code}}' }, 'text: line 1: the tags cannot be read'],
    ['has a path', { text: '{{code}}{{code.constructor}}' }, 'text: line 1: names have no dots'],
    ['has a dot', { text: '{{code}}{{#app}}{{.}}{{/app}}' }, 'text: line 1: names have no dots'],
    ['has an unknown name', { text: '{{code}}{{constructor}}' }, 'text: line 1: this name is not'],
    ['has an unknown section', { text: '{{code}}{{#__proto__}}{{/__proto__}}' }, 'is not known'],
    ['has no name', { text: '{{code}}{{}}' }, 'text: line 1: this name is not known'],
    [
      'uses {{valid}} in vain',
      { text: '{{code}} {{valid}}' },
      'text: line 1: this language has no',
    ],
    ['shows the logo as text', { text: '{{code}}{{logo}}' }, 'text: line 1: logo is a section'],
    ['has sections five deep', { text: `{{code}}${sections(5, '')}` }, 'nested 4 deep'],
    ['has 101 tags', { text: '{{code}}'.repeat(101) }, 'text: line 1: there may be 100 tags'],
    ['has too many cases', { text: manyCases(9), variables: caseNames(9) }, 'sections may use 8'],
    [
      'has too many cases for its length',
      { text: manyCases(6).padEnd(10_001, 'x'), variables: caseNames(6) },
      'sections may use 5 names that can be empty in a part of this length',
    ],

    ['has no code', { text: 'hello' }, 'text: line 1: must show {{code}}'],
    ['has the code at times', { text: '{{#app}}{{code}}{{/app}}' }, 'also where app is empty'],
    [
      'has the code never',
      { html: '{{^code}}{{code}}{{/code}}' },
      'html: line 1: must show {{code}}',
    ],
    ['hides the code', { html: '<p style="display:none">{{code}}</p>' }, 'must show {{code}}'],
    ['has it in a comment', { html: '<!-- {{code}} -->' }, 'html: line 1: a comment may not hold'],
    ['has it in the head', { html: '<head><title>{{code}}</title></head>' }, 'must show {{code}}'],
    [
      'has it for Outlook only',
      { html: '<!--[if mso]>{{code}}<![endif]-->' },
      'must show {{code}}',
    ],

    ['runs a script', { html: '<script>1</script>{{code}}' }, 'html: line 1: <script> may not be'],
    ['has a form', { html: '{{code}}\n<form>' }, 'html: line 2: <form> may not be in a mail'],
    [
      'has a link',
      { html: '{{code}}<a href="x">y</a>' },
      'a link may only be <a href="{{page_link',
    ],
    ['has a link to nowhere', { html: '{{code}}<a>y</a>' }, 'html: line 1: a link may only be <a'],
    [
      'has a link that can be empty',
      { html: '{{code}}\n<a href="{{page_link}}">y</a>' },
      'html: line 2: a link may only be <a href="{{page_link}}"> or',
    ],
    [
      'adds to a link',
      { html: `{{code}}${linked('<a href="{{page_link}}?next=x">y</a>')}` },
      'html: line 1: a link may only be',
    ],
    [
      'has two addresses in one link',
      { html: `{{code}}${linked('<a href="https://a.test" href="{{page_link}}">y</a>')}` },
      'html: line 1: an attribute may be given once in a tag',
    ],
    [
      'has two sources of one image',
      { html: '{{code}}{{#logo}}<img src="https://a.test/x" src="cid:logo">{{/logo}}' },
      'html: line 1: an attribute may be given once in a tag',
    ],
    [
      'links by a name of its own',
      { html: '{{code}}{{#x}}<a href="{{x}}">y</a>{{/x}}', variables: ['x'] },
      'html: line 1: a link may only be',
    ],
    ['shows an address', { html: `{{code}}${linked('{{page_link}}')}` }, 'a link may only be'],
    [
      'has an address in words that are read aloud',
      { html: `<p title="{{report_link}}">{{code}}</p>` },
      'html: line 1: a link may only be',
    ],
    [
      'has an address in its title',
      { html: `<title>{{page_link}}</title><p>{{code}}</p>` },
      'html: line 1: a link may only be',
    ],
    [
      'links from another element',
      { html: `{{code}}${linked('<p href="{{page_link}}">y</p>')}` },
      'html: line 1: a link may only be',
    ],
    [
      'has a link of OtpMint in its subject',
      { subject: '{{code}} {{page_link}}' },
      'subject: a subject may hold no link',
    ],
    ['has a frame', { html: '{{code}}<iframe></iframe>' }, 'html: line 1: <iframe> may not be'],
    ['has an svg', { html: '{{code}}<svg></svg>' }, 'html: line 1: <svg> may not be in a mail'],
    ['has an unknown element', { html: '{{code}}<blink>' }, 'html: line 1: this element may not'],
    ['reacts to events', { html: '<p onclick="1">{{code}}</p>' }, 'html: line 1: onclick may not'],
    [
      'loads an image',
      { html: '{{code}}<img src="https://a.test/x">' },
      'src may only be cid:logo',
    ],
    ['loads by data', { html: '{{code}}<img src="data:image/png;base64,x">' }, 'src may only be'],
    ['loads by srcset', { html: '{{code}}<img srcset="a">' }, 'html: line 1: srcset may not be'],
    [
      'loads by style',
      { html: '<p style="background:url(x)">{{code}}</p>' },
      'CSS may load nothing',
    ],
    [
      'hides a url',
      { html: '<p style="background:u\\72l(x)">{{code}}</p>' },
      'CSS may load nothing',
    ],
    ['encodes a url', { html: '<p style="background:&#117;rl(x)">{{code}}</p>' }, 'CSS may load'],
    [
      'imports',
      { html: '<style>@import "x";</style>{{code}}' },
      'html: line 1: CSS may load nothing',
    ],
    ['loads a font', { html: '<style>@font-face{}</style>{{code}}' }, 'CSS may load nothing'],
    [
      'refreshes',
      { html: '<meta http-equiv="refresh" content="0">{{code}}' },
      'http-equiv may only',
    ],
    [
      'has another charset',
      { html: '<meta charset="utf-7">{{code}}' },
      'charset may only be utf-8',
    ],
    ['shows a link', { html: '<p>{{code}} https://acme.test</p>' }, 'html: line 1: links are not'],
    ['writes a link', { text: '{{code}}\n\nwww.acme.test' }, 'text: line 3: links are not sent'],
    ['has a bare <', { html: '{{code}}\n1 < 2' }, 'html: line 2: this < begins no well-formed tag'],
    ['has a broken tag', { html: '<p style="x>{{code}}</p>' }, 'html: line 1: this < begins no'],
    ['puts a name into a tag', { html: '<{{app}}>{{code}}' }, 'html: line 1: this < begins no'],
    ['puts a name beside a tag', { html: '<p {{app}}>{{code}}</p>' }, 'begins no well-formed tag'],
    ['quotes no name', { html: '<p title={{app}}>{{code}}</p>' }, 'needs quotes'],
    ['puts a name into CSS', { html: '<style>{{app}}</style>{{code}}' }, 'CSS may not hold names'],
    [
      'puts a name into a style',
      { html: '<p style="{{app}}">{{code}}</p>' },
      'names may stand in alt',
    ],
    ['opens a comment only', { html: '{{code}}<!-- x' }, 'html: line 1: this comment does not end'],
    [
      'opens a style only',
      { html: '{{code}}<style>p{' },
      'html: line 1: this <style> does not end',
    ],
    ['nests too deep', { html: `${'<b>'.repeat(61)}{{code}}` }, 'elements may be nested 60 deep'],
    [
      'opens a comment at times',
      { html: '{{code}}{{#app}}<!-- {{/app}}<script>1</script>{{#app}} -->{{/app}}' },
      'html: line 1: <script> may not be in a mail',
    ],
    ['shows a logo always', { html: '<img src="cid:logo">{{code}}' }, 'only between {{#logo}}'],
    [
      'shows a logo where there is none',
      { html: '{{^logo}}<img src="cid:logo">{{/logo}}{{code}}' },
      'only between {{#logo}}',
    ],
    [
      'is hard to read',
      { html: '<p style="color: #777; background: white">\n{{code}}</p>' },
      'html: line 2: this text has a contrast of 4.4:1',
    ],
    [
      'is hard to read in parts',
      { html: '<body bgcolor="#fff">\n<p>\n<b style="color: yellow">{{code}}</b></p></body>' },
      'html: line 3: this text has a contrast of 1:1',
    ],
    ['has bad names', { variables: ['First'] }, 'variables: must be a list of names'],
    ['has no names', { variables: 'first' }, 'variables: must be a list of names'],
    ['has too many names', { variables: caseNames(11) }, 'variables: may be 10 names'],
    [
      'takes names away',
      { variables: ['code'] },
      'variables: may not be names that every template',
    ],
  ])('%s', (_, change, reason) => {
    const { template, reasons } = check(change, !reason.includes('this language'))

    expect(template).toBeNull()
    expect(reasons.join('\n')).toContain(reason)
  })

  test('is refused in words that repeat nothing of it', () => {
    const secret = 'Zx9Secret'
    const html = `<${secret} ${secret}="${secret}">{{${secret}}}{{code}}<p ${secret}>${secret}</p>`

    for (const change of [{ html }, { text: `{{${secret}}}` }, { variables: [secret] }]) {
      expect(JSON.stringify(check(change).mistakes)).not.toContain(secret)
    }
  })

  test('is judged in the time of a test, however it is made', () => {
    const parts = ['{{#app}}', '{{/app}}', '<b>', '<!--', '<style>', '<p style="', '{{', ' ', '\n']
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...parts), { minLength: 1, maxLength: 6 }), (some) => {
        const html = some.join('').repeat(20_000 / some.join('').length)
        expect(check({ html }).mistakes.length).toBeLessThanOrEqual(20)
      }),
      { numRuns: 60 },
    )
  })

  test('of 20,000 nested sections does not exhaust the stack', () => {
    const deep = sections(20_000, '{{code}}')

    expect(check({ text: deep }).template).toBeNull()
    expect(() => parseTemplate(deep)).not.toThrow()
  })
})

describe('any accepted template', () => {
  const word = fc.constantFrom('Hello', ' ', '\n', '1 &lt; 2', 'é', '日本')
  const name = fc.constantFrom('code', 'valid', 'minutes', 'reference', 'app', 'first_name')
  const piece: fc.Arbitrary<string> = fc.letrec<{ piece: string }>((tie) => ({
    piece: fc.oneof(
      { depthSize: 'small' },
      word,
      name.map((it) => `{{${it}}}`),
      fc
        .tuple(name, fc.constantFrom('#', '^'), fc.array(tie('piece'), { maxLength: 3 }))
        .map(([it, sign, inside]) => `{{${sign}${it}}}${inside.join('')}{{/${it}}}`),
      fc
        .tuple(fc.constantFrom('p', 'b', 'td'), fc.array(tie('piece'), { maxLength: 3 }))
        .map(([element, inside]) => `<${element}>${inside.join('')}</${element}>`),
    ),
  })).piece
  const value = fc.oneof(
    fc.constantFrom('', '<b>', '"><script>', "' onx='", '{{code}}', '&amp;', '-->', '$&', '\u0000'),
    fc.string({ unit: 'grapheme', maxLength: 64 }),
  )
  const values = fc.record({ app: value, minutes: value, first_name: value })

  test('renders with any values, with the code in it and no markup of a value', () => {
    let accepted = 0
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), values, (some, given) => {
        const body = some.join('')
        const { template } = check({ text: body, html: body, variables: ['first_name'] })
        if (!template) return
        accepted++
        const all = { ...given, code: '568464', valid: 'Valid.', reference: 'KF42' }
        const rendered = renderTokens(tokensOf(template.html), all, escaped)
        const plain = renderTokens(tokensOf(template.text), all)
        const blank = Object.fromEntries(
          Object.entries(all).map(([each, text]) => [each, text === '' ? '' : 'x']),
        )

        expect(rendered).toContain('568464')
        expect(plain).toContain('568464')
        const tags = (html: string) => html.match(/<[^>]*>/g) ?? []
        expect(tags(rendered)).toEqual(tags(renderTokens(tokensOf(template.html), blank, escaped)))
      }),
      { numRuns: 2_000 },
    )
    expect(accepted).toBeGreaterThan(100)
  })

  test('reads nothing but its own values', () => {
    const tokens = tokensOf(
      '{{constructor}}{{#toString}}x{{/toString}}{{__proto__}}{{hasOwnProperty}}',
    )

    expect(renderTokens(tokens, {})).toBe('')
    const own = JSON.parse('{"__proto__": "a", "constructor": "b"}')
    expect(renderTokens(tokens, own)).toBe('ba')
  })
})

describe('colours', () => {
  test('are read as CSS and HTML write them', () => {
    expect(readColor('#fff')).toEqual([255, 255, 255])
    expect(readColor(' #0A5c36 ')).toEqual([10, 92, 54])
    expect(readColor('rgb(10, 92, 54)')).toEqual([10, 92, 54])
    expect(readColor('Navy')).toEqual([0, 0, 128])
    for (const other of ['rgba(0,0,0,.5)', 'transparent', 'constructor', '#12', '#0a5c3', '']) {
      expect(readColor(other)).toBeNull()
    }
  })

  test('have the contrasts that WCAG defines, and text on any of them is readable', () => {
    expect(contrast([0, 0, 0], [255, 255, 255])).toBeCloseTo(21, 5)
    expect(contrast([119, 119, 119], [255, 255, 255])).toBeCloseTo(4.48, 2)
    const part = fc.integer({ min: 0, max: 255 })
    fc.assert(
      fc.property(fc.tuple(part, part, part), (color) => {
        expect(contrast(readableOn(color), color)).toBeGreaterThanOrEqual(4.5)
      }),
    )
  })
})

function tokensOf(text: string) {
  const parsed = parseTemplate(text)
  if ('fault' in parsed) throw new Error(parsed.fault)
  return parsed.tokens
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

function sections(depth: number, inside: string, sign = '#'): string {
  return `{{${sign}app}}`.repeat(depth) + inside + '{{/app}}'.repeat(depth)
}

function caseNames(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `v_${'abcdefghijklmn'[index]}`)
}

function manyCases(count: number): string {
  return `{{code}}${caseNames(count)
    .map((name) => `{{#${name}}}x{{/${name}}}`)
    .join('')}`
}

function wholeDocument(body: string): string {
  return `<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/x.dtd">
<html lang="en" xmlns="http://www.w3.org/1999/xhtml"><head>
<meta http-equiv="Content-Type" content="text/html; charset=utf-8" />
<title>Your code</title>
<style type="text/css">@media (prefers-color-scheme: dark) { p { color: #fff !important; } }</style>
</head><body>${body}</body></html>`
}
