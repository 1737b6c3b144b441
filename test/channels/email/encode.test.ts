import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { simpleParser } from 'mailparser'
import { encodeSubject, textPart } from '../../../src/channels/email/encode.ts'

const code = '0123456789'
const words = fc.constantFrom(
  'a',
  '=',
  '.',
  ' ',
  '\t',
  'é',
  '日本',
  '🙂',
  'รหัส',
  code,
  'KF42',
  '<b>',
)
const line = fc.array(words, { maxLength: 60 }).map((parts) => parts.join(''))
const text = fc.array(line, { maxLength: 8 }).map((lines) => lines.join('\n'))
const whole = [code, 'KF42', '9']

const pieces = (encoded: string) => encoded.split(/=\r\n|\r\n/).join('\n')

describe('a text part', () => {
  test('reads back as it was, in short lines of ASCII that break no whole text', async () => {
    await fc.assert(
      fc.asyncProperty(text, async (original) => {
        const part = textPart('text/plain', original, whole)
        const mail = await simpleParser(part)

        expect(mail.text.replaceAll('\r\n', '\n').trimEnd()).toBe(original.trimEnd())
        expect(part).toMatch(/^[\x20-\x7e\r\n]*$/)
        expect(Math.max(...part.split('\r\n').map((each) => each.length))).toBeLessThanOrEqual(76)
        for (const each of [code, 'KF42']) {
          expect(pieces(part).split(each).length).toBe(original.split(each).length)
        }
      }),
      { numRuns: 300 },
    )
  })

  test('keeps a space at the end of a line of any length', async () => {
    for (let length = 70; length < 82; length++) {
      const original = `${'x'.repeat(length)} \n${'x'.repeat(length)}é \n.`
      const part = textPart('text/plain', original, whole)

      expect((await simpleParser(part)).text.replaceAll('\r\n', '\n').trimEnd()).toBe(original)
      expect(Math.max(...part.split('\r\n').map((each) => each.length))).toBeLessThanOrEqual(76)
      expect(part).not.toMatch(/ \r\n/)
    }
  })

  test('of short lines of ASCII stays as it is', () => {
    expect(textPart('text/html', '<p style="a">\n1 = 1', [])).toEndWith(
      'Content-Transfer-Encoding: 7bit\r\n\r\n<p style="a">\r\n1 = 1\r\n',
    )
    for (const other of ['x'.repeat(77), 'é', 'a ', '\t']) {
      expect(textPart('text/plain', other, [])).toContain('quoted-printable')
    }
  })
})

describe('a subject', () => {
  test('reads back as it was, with every whole text in it as it is', async () => {
    await fc.assert(
      fc.asyncProperty(line, async (original) => {
        const subject = original.replaceAll('\t', '').replace(/ +/g, ' ').trim()
        if (subject === '') return
        const encoded = encodeSubject(subject, whole)
        const mail = await simpleParser(`Subject: ${encoded}\r\n\r\n`)

        expect(mail.subject).toBe(subject)
        expect(encoded.split(code).length).toBe(subject.split(code).length)
        expect(encoded).toMatch(/^[\x20-\x7e\r\n]*$/)
      }),
      { numRuns: 500 },
    )
  })

  test('has encoded words of legal length, and a code in front of them as it is', () => {
    const encoded = encodeSubject(`${code} คือรหัสของคุณสำหรับ Acme ${'ที่'.repeat(40)}`, whole)

    expect(encoded).toStartWith(`${code}\r\n =?utf-8?B?`)
    for (const word of encoded.split(/\s+/)) expect(word.length).toBeLessThanOrEqual(75)
  })
})
