import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { readHost } from '../../src/domain/app/host.ts'
import { hostPattern } from '../../src/http/core/patterns.ts'

const pattern = new RegExp(hostPattern)

test('every IPv6 address that is stored fits the pattern of the document', () => {
  const group = fc.oneof(
    fc.constant('0'),
    fc.integer({ max: 0xffff, min: 0 }).map((value) => value.toString(16)),
  )
  const address = fc.array(group, { minLength: 8, maxLength: 8 }).map((all) => all.join(':'))

  fc.assert(
    fc.property(address, (text) => {
      expect(readHost(text) ?? 'refused').toMatch(pattern)
    }),
    { numRuns: 2_000 },
  )
})

test('every IPv6 address that fits the pattern is read', () => {
  const group = fc.integer({ max: 0xffff, min: 0 }).map((value) => value.toString(16))
  const short = fc
    .tuple(fc.array(group, { maxLength: 7 }), fc.array(group, { maxLength: 7 }))
    .map(([before, behind]) => `${before.join(':')}::${behind.join(':')}`)

  fc.assert(
    fc.property(short, (text) => {
      expect(pattern.test(text) ? typeof readHost(text) : 'string').toBe('string')
    }),
    { numRuns: 2_000 },
  )
})
