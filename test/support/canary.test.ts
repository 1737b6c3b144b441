import { expect, test } from 'bun:test'
import { createCanary } from './canary.ts'

const secret = 'Hunter2 & 7f3a?'

const leaks: [form: string, text: string | Uint8Array][] = [
  ['as it is', `{"password":"${secret}"}`],
  ['in another case', secret.toUpperCase()],
  ['in base64', Buffer.from(secret).toString('base64')],
  ['in base64 behind one byte', Buffer.from(`\0${secret}`).toString('base64')],
  ['in base64 between others', Buffer.from(`\0user\0${secret}\0more`).toString('base64')],
  ['in base64 of two bytes more', Buffer.from(`ab${secret}`).toString('base64url')],
  ['in hexadecimal', Buffer.from(`x${secret}`).toString('hex').toUpperCase()],
  ['in a URL', `https://example.com/?p=${encodeURIComponent(secret)}&q=1`],
  ['in UTF-16', Buffer.from(`x${secret}`, 'utf16le')],
  ['among bytes', Buffer.concat([Buffer.from([0, 255]), Buffer.from(secret), Buffer.alloc(9)])],
]

test.each(leaks)('a leaked secret is found %s', (_, text) => {
  const canary = createCanary()
  canary.see('somewhere', text)
  canary.guard('password', secret)

  expect(canary.hits()).toEqual(['password in somewhere'])
})

test('a code is found with a space in the middle', () => {
  const canary = createCanary()
  canary.guard('code', '4829301756')
  canary.see('page', 'type 482 930 175 6 please')

  expect(canary.hits()).toEqual(['code in page'])
})

test('an allowed secret and an absent one are no hits', () => {
  const canary = createCanary()
  canary.guard('password', secret)
  canary.guard('key', 'another secret')
  canary.see('the one answer', secret, ['password'])
  canary.see('log', 'Hunter2 alone is another word')

  expect(canary.hits()).toEqual([])
  expect(canary.seen().texts).toBe(2)
})
