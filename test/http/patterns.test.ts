import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { readHost } from '../../src/domain/app/host.ts'
import { readWebhookSecret } from '../../src/domain/webhook/secret.ts'
import { readWebhookUrl } from '../../src/domain/webhook/webhook.ts'
import { hostPattern, urlPattern, webhookSecretPattern } from '../../src/http/core/patterns.ts'

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

test('every URL and secret of a webhook that fits the patterns of the document is read', () => {
  const read = (source: string, reads: (text: string) => unknown, maxLength: number) => {
    const texts = fc.stringMatching(new RegExp(source)).filter(({ length }) => length <= maxLength)
    fc.assert(
      fc.property(texts, (text) => expect(reads(text)).toBeDefined()),
      { numRuns: 500 },
    )
  }
  read(urlPattern, readWebhookUrl, 2048)
  read(webhookSecretPattern, readWebhookSecret, 128)
})
