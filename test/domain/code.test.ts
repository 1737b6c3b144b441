import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { deriveCode, digits, readCode } from '../../src/domain/verification/code.ts'
import { createKeyring } from '../../src/keys/keyring.ts'
import { firstKeyset } from '../../src/keys/keyset.ts'
import { systemRandom } from '../../src/system.ts'

const keyring = createKeyring(firstKeyset(new Uint8Array(32).fill(7, 0, 31)), systemRandom)
const keyId = keyring.codeKeyId()

function codes(count: number, length: number): string[] {
  return Array.from({ length: count }, (_, index) => {
    const place = { appId: 'app', verificationId: `v${index}`, generation: 0 }
    return deriveCode(keyring, keyId, place, 'numeric', length)
  })
}

/** A source of random words: the list, then zeros. */
function words(list: number[]): () => number {
  return () => list.shift() ?? 0
}

describe('codes', () => {
  test('every digit of every place is equally likely', () => {
    const count = 200_000
    const drawn = codes(count, 6)
    for (let place = 0; place < 6; place++) {
      const seen = new Array<number>(10).fill(0)
      for (const code of drawn) seen[Number(code[place])] = (seen[Number(code[place])] ?? 0) + 1
      const chi = seen.reduce((sum, n) => sum + (n - count / 10) ** 2 / (count / 10), 0)
      // 9 degrees of freedom: chance exceeds 33.7 once in 10,000 runs.
      expect(chi).toBeLessThan(33.7)
    }
  })

  test('the first and the last code can be drawn', () => {
    expect(digits(words([0]), 6)).toBe('000000')
    expect(digits(words([999_999]), 6)).toBe('999999')
    expect(digits(words([1_000_007]), 6)).toBe('000007')
  })

  test('a word in the biased rest of the range is drawn again', () => {
    expect(digits(words([4_294_000_000, 2 ** 32 - 1, 123_456]), 6)).toBe('123456')
    expect(digits(words([4_200_000_000, 12_345_678]), 8)).toBe('12345678')
    expect(digits(words([4_199_999_999]), 8)).toBe('99999999')
  })

  test('a code is made from the words of the key’s blocks, one after another', () => {
    const place = { appId: 'app', verificationId: 'v', generation: 0 }
    const blocks = Buffer.concat([0, 1].map((block) => keyring.codeBlock(keyId, place, block)))
    const drawn = Array.from({ length: 16 }, (_, index) => blocks.readUInt32BE(index * 4))
    const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

    const long = drawn.slice(0, 13).map((word) => alphabet[word % 32])
    expect(deriveCode(keyring, keyId, place, 'crockford', 13)).toBe(long.join(''))
    for (const length of [6, 8, 9]) {
      const code = digits(words([...drawn]), length)
      expect(deriveCode(keyring, keyId, place, 'numeric', length)).toBe(code)
    }
    const halves = words([...drawn])
    const ten = digits(halves, 5) + digits(halves, 5)
    expect(deriveCode(keyring, keyId, place, 'numeric', 10)).toBe(ten)
  })

  test('a code has the length that was asked for, from 4 to 10', () => {
    for (let length = 4; length <= 10; length++) {
      for (const code of codes(50, length)) expect(code).toMatch(new RegExp(`^[0-9]{${length}}$`))
    }
  })

  test('the same verification always gives the same code, another gives another', () => {
    const place = { appId: 'app', verificationId: 'v', generation: 0 }
    const code = deriveCode(keyring, keyId, place, 'crockford', 13)
    expect(deriveCode(keyring, keyId, place, 'crockford', 13)).toBe(code)
    for (const other of [{ appId: 'b' }, { verificationId: 'w' }, { generation: 1 }]) {
      expect(deriveCode(keyring, keyId, { ...place, ...other }, 'crockford', 13)).not.toBe(code)
    }
  })
})

describe('typed text', () => {
  test('is read as the code with any spacing and in digits of any script', () => {
    for (const typed of [
      '123456',
      ' 123 456 ',
      '12-34-56',
      '１２３４５６',
      '١٢٣٤٥٦',
      '𝟭𝟮𝟯𝟰𝟱𝟲',
      '1\u00a023456',
      '12\u00ad34\u201056',
      '12\u201534\u221256',
    ]) {
      expect(readCode(typed)).toEqual({ code: '123456', format: 'numeric' })
    }
    expect(readCode(`123456${' '.repeat(58)}`)?.code).toBe('123456')
    for (const typed of ['0123456789ABC', '0123-45678-9abc', 'OI23456789ABC', 'ol23456789abc']) {
      expect(readCode(typed)).toEqual({ code: '0123456789ABC', format: 'crockford' })
    }
    expect(readCode('oOiL456789ABC')?.code).toBe('0011456789ABC')
    for (const code of ['1234567890', 'DEFGHJKMNPQRS', 'TVWXYZ0123456']) {
      expect(readCode(code)?.code).toBe(code)
    }
  })

  test('is null when it cannot be a code', () => {
    const odd = ['', ' ', '123', '12345678901', '1e5', '12345x', '0x1234', '-', '12.345', '½½½½']
    const near = ['12345', '0123456789AB', '0123456789ABCD', 'U123456789ABC']
    const around = ['U0123456789ABC', '0123456789ABCU', 'x123456', '123456x', '123€456']
    const types = [null, undefined, true, 123456, ['123456'], { $ne: 1 }, Number.NaN]
    const tooLong = ['1'.repeat(100_000), `123456${' '.repeat(59)}`]
    for (const typed of [...odd, ...near, ...around, ...types, ...tooLong])
      expect(readCode(typed)).toBeNull()
  })

  test('never throws and never becomes anything but digits or Crockford', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.anything()), (typed) => {
        const read = readCode(typed)
        if (read) expect(read.code).toMatch(/^([0-9]{6,10}|[0-9A-HJKMNP-TV-Z]{13})$/)
      }),
    )
  })

  test('every code reads back as itself', () => {
    for (const code of codes(500, 6)) expect(readCode(code)?.code).toBe(code)
  })
})
