import { expect, test } from 'bun:test'
import {
  codeAt,
  newSecret,
  readSecret,
  secretUri,
  stepOf,
} from '../../../src/domain/account/second-step.ts'
import { systemRandom } from '../../../src/system.ts'

const rfc = new TextEncoder().encode('12345678901234567890')

test.each([
  [59, '287082'],
  [1_111_111_109, '081804'],
  [1_111_111_111, '050471'],
  [1_234_567_890, '005924'],
  [2_000_000_000, '279037'],
  [20_000_000_000, '353130'],
])('the code at %d s is that of RFC 6238', (seconds, code) => {
  expect(codeAt(rfc, Math.floor(seconds / 30))).toBe(code)
})

test('a code holds for its half minute and one before and after, once', () => {
  const now = 1_111_111_111_000
  const step = Math.floor(now / 30_000)
  const judge = (offset: number, usedStep = 0) =>
    stepOf(rfc, codeAt(rfc, step + offset), { now, usedStep })

  expect([-2, -1, 0, 1, 2].map((offset) => judge(offset))).toEqual([
    null,
    step - 1,
    step,
    step + 1,
    null,
  ])
  expect(judge(0, step)).toBe(null)
  expect(judge(1, step)).toBe(step + 1)
})

test('a code may be typed with spaces, and nothing else is one', () => {
  const at = { now: 59_000, usedStep: 0 }
  expect(stepOf(rfc, ' 287 082 ', at)).toBe(1)
  for (const wrong of [
    '287083',
    '28708',
    '2870822',
    '',
    null,
    287_082,
    ['287082'],
    'x'.repeat(99),
  ]) {
    expect(stepOf(rfc, wrong, at)).toBe(null)
  }
})

test('a secret is 160 random bits in base32, as authenticator apps read it', () => {
  const secret = newSecret({ random: systemRandom })

  expect(secret).toMatch(/^[A-Z2-7]{32}$/)
  expect(readSecret(secret.toLowerCase().replace(/(.{4})/g, '$1 '))).toEqual(readSecret(secret))
  expect(new TextDecoder().decode(readSecret('GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'))).toBe(
    '12345678901234567890',
  )
  for (const wrong of ['', 'GEZDGNBV', 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJ1', null, 7]) {
    expect(() => readSecret(wrong)).toThrow()
  }
  const uri = new URL(secretUri(secret, 'Ada & Co: 1'))
  expect(uri.searchParams.get('secret')).toBe(secret)
  expect(decodeURIComponent(uri.pathname)).toBe('/OtpMint:Ada & Co: 1')
})
