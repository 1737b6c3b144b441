import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { Problem } from '../../src/domain/problem.ts'
import {
  foldRecipient,
  maskRecipient,
  readRecipient,
} from '../../src/domain/verification/recipient.ts'

const readAddress = (input: unknown) => readRecipient(['email'], input).address
const fold = (address: string) => foldRecipient({ kind: 'email', address })

describe('a recipient', () => {
  test('is one address: the local part as typed, the domain in lower-case A-labels', () => {
    expect(readAddress('Ada.Lovelace+x@Example.COM')).toBe('Ada.Lovelace+x@example.com')
    expect(readAddress("o'neil#$&*/=?^_`{|}~-@a.example")).toContain('@a.example')
    expect(readAddress('ada@müller.example')).toBe('ada@xn--mller-kva.example')
    expect(readAddress('ada@ＥＸＡＭＰＬＥ.com')).toBe('ada@example.com')
  })

  test('with a look-alike domain is another recipient', () => {
    expect(readAddress('user@еxample.com')).toBe('user@xn--xample-2of.com')
  })

  test('that could be read as another or as several addresses is refused', () => {
    const refused = [
      'u@b.test, evil@x.test',
      'u@b.test\r\nBcc: evil@x.test',
      'u@b.test>\r\nRCPT TO:<e@x.test>',
      '"u@b.test, evil"@x.test',
      '"a@x"@b.test',
      'x <u@b.test>',
      '<u@b.test>',
      'grp:u@b.test;',
      'u@[127.0.0.1]',
      'u@127.0.0.1',
      'u@2130706433',
      'u@0x7f.1',
      'u@①②⑦.⓪.⓪.①',
      'u@b.test\0',
      'u@b.test\u2028',
      'u@b.test\n',
      ' u@b.test',
      'u@b.test ',
      'u@@b.test',
      'a@b@c.test',
      '.u@b.test',
      'u.@b.test',
      'u..v@b.test',
      'u@localhost',
      'u@localhost.',
      'u@b.test.',
      'u@-b.test',
      'u@b_c.test',
      'u@b.test/x',
      'u@b.test?x',
      'u@b.test#x',
      'u@x:y@b.test',
      'u@b.test:25',
      'u@%62.test',
      'u@b\u00adc.test',
      'u@b\u200dc.test',
      'ü@b.test',
      '\u202eu@b.test',
      'u(comment)@b.test',
      'u%relay@b.test',
      'relay!u@b.test',
      '@b.test',
      'u@',
      '',
      `${'a'.repeat(65)}@b.test`,
      `a@${'b'.repeat(64)}.test`,
      `a@${'b.'.repeat(125)}test`,
      'a'.repeat(100_000),
    ]
    for (const input of refused) {
      expect([input.slice(0, 40), refusalOf(input)]).toEqual([input.slice(0, 40), 'to'])
    }
    for (const input of [null, undefined, 1, true, ['u@b.test'], { to: 'u@b.test' }]) {
      expect(refusalOf(input)).toBe('to')
    }
  })

  test('is accepted as exactly one mailbox or refused, whatever the input', () => {
    const address = fc.tuple(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }))
    fc.assert(
      fc.property(address, ([name, domain]) => {
        const input = `${name}@${domain}`
        if (refusalOf(input)) return
        expect(readAddress(input)).toMatch(/^[!-?A-~]+@([a-z0-9-]+\.)+[a-z0-9-]+$/)
        expect(readAddress(input)).not.toMatch(/[,;:<>()[\]"\\ ]/)
      }),
      { numRuns: 2000 },
    )
  })

  test('is the same however often it is read', () => {
    fc.assert(
      fc.property(fc.emailAddress(), (input) => {
        if (refusalOf(input)) return
        const once = readAddress(input)
        expect(readAddress(once)).toBe(once)
      }),
    )
  })
})

test('spellings of one mailbox fold to one key, for limits only', () => {
  const mailboxes = [
    ['a.b+1@googlemail.com', 'ab@gmail.com', 'AB@gmail.com', 'A.B@gmail.com'],
    ['a.b@proton.me', 'a-b@protonmail.com', 'A_B+x@pm.me'],
    ['ada@yahoo.com', 'ada-shop@yahoo.com', 'Ada-1@yahoo.com'],
    ['ada@fastmail.com', 'shop@ada.fastmail.com', 'ada+x@fastmail.com'],
    ['ada@example.com', 'Ada+shop@example.com'],
  ]
  for (const [first = '', ...others] of mailboxes) {
    for (const other of others) expect([other, fold(other)]).toEqual([other, fold(first)])
  }
  expect(fold('a.b@example.com')).not.toBe(fold('ab@example.com'))
  expect(fold('ada@fastmail.fm')).not.toBe(fold('ada@fastmail.com'))
  expect(fold('a-b@example.com')).not.toBe(fold('a@example.com'))
})

test('a masked recipient shows the first letter and the domain', () => {
  expect(maskRecipient({ kind: 'email', address: 'ada@example.com' })).toBe('a***@example.com')
})

/** The field that the refusal names; null without a refusal. */
function refusalOf(input: unknown): string | null {
  try {
    readAddress(input)
    return null
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    return error.extra.errors?.[0]?.field ?? 'no field'
  }
}
