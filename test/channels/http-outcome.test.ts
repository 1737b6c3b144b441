import { expect, test } from 'bun:test'
import { outcomeOfFault } from '../../src/channels/http-outcome.ts'

test('without an answer, what may have been sent is ambiguous, and the rest is tried again', () => {
  for (const fault of ['timeout', 'unreachable', 'too_long', 'unknown_host'] as const) {
    for (const isSent of [true, false]) {
      const outcome = outcomeOfFault({ fault, isSent }, 'the gateway api.acme.test')

      expect(outcome).toMatchObject({ status: 'deferred', cause: 'network', ambiguous: isSent })
      expect(outcome.detail).toStartWith('the gateway api.acme.test ')
    }
  }
})

test('a wrong certificate and an address that is not public are refused, as no try helps', () => {
  for (const fault of ['certificate', 'not_public'] as const) {
    const outcome = outcomeOfFault({ fault, isSent: false }, 'the gateway')

    expect(outcome).toMatchObject({ status: 'refused', cause: 'server', code: null })
  }
})
