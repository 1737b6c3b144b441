import { expect, test } from 'bun:test'
import { createTemplates, cut, fill } from '../../../src/channels/email/templates.ts'

test('a message is cut at its values, the longest first, and filled with others', () => {
  const template = cut('a 12 b 1 c 12', { long: '12', short: '1' })

  expect(fill(template, { long: 'LONG', short: '$&' })).toBe('a LONG b $& c LONG')
})

test('templates that were used last are kept, as long as there is room for them', () => {
  const templates = createTemplates<'code'>(3_000)
  const template = cut('x'.repeat(700), { code: 'none' })
  for (const key of ['a', 'b', 'c']) templates.keep(key, template)
  templates.get('a')
  templates.keep('d', template)

  expect([...'abcd'].filter((key) => templates.get(key) !== undefined)).toEqual(['a', 'c', 'd'])
  for (let n = 0; n < 1_000; n++) templates.keep(`failed ${n}`, 1)
  expect(templates.size().characters).toBeLessThanOrEqual(3_000)
  expect(templates.size().entries).toBeLessThanOrEqual(15)
  for (let n = 0; n < 1_000; n++) templates.keep('one', n % 2 === 0 ? template : n)
  expect(templates.size().characters).toBeLessThanOrEqual(3_000)
})
