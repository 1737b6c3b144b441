import { expect, test } from 'bun:test'
import { createClientIp } from '../../src/http/core/client-ip.ts'

const forwarded = (value: string) =>
  new Request('http://otp.example.com/', { headers: { 'x-forwarded-for': value } })
const plain = new Request('http://otp.example.com/')

const bucketBehind = (proxies: string[]) => {
  const clientIp = createClientIp(proxies)
  return (request: Request, peer: string | null) => clientIp(request, peer).name
}
const trusting = bucketBehind(['10.0.0.0/8', 'fd00::/8'])

test('without trusted proxies the peer is the client, whatever is forwarded', () => {
  const clientIp = bucketBehind([])
  expect(clientIp(forwarded('203.0.113.9'), '192.0.2.1')).toBe('192.0.2.1')
})

test('behind a trusted proxy the first untrusted address from the right is the client', () => {
  for (const [header, expected] of [
    ['203.0.113.9', '203.0.113.9'],
    ['1.1.1.1, 203.0.113.9', '203.0.113.9'],
    ['1.1.1.1, 203.0.113.9, 10.2.3.4', '203.0.113.9'],
    ['10.9.9.9, 10.2.3.4', '10.9.9.9'],
    ['1.1.1.1, garbage, 10.2.3.4', '10.2.3.4'],
    ['garbage', '10.0.0.1'],
    ['', '10.0.0.1'],
    [`${'1.1.1.1,'.repeat(400)}203.0.113.9`, '10.0.0.1'],
  ] as const) {
    expect([header.slice(0, 40), trusting(forwarded(header), '10.0.0.1')]).toEqual([
      header.slice(0, 40),
      expected,
    ])
  }
})

test('the header of an untrusted peer is ignored', () => {
  expect(trusting(forwarded('203.0.113.9'), '192.0.2.1')).toBe('192.0.2.1')
})

test('IPv6 is counted by its first 64 bits, and IPv4-mapped IPv6 as IPv4', () => {
  const clientIp = bucketBehind([])
  const one = clientIp(plain, '2001:db8:1:2:aaaa::1')

  expect(clientIp(plain, '2001:db8:1:2:bbbb::2')).toBe(one)
  expect(clientIp(plain, '2001:db8:1:3::1')).not.toBe(one)
  expect(clientIp(plain, '::ffff:192.0.2.1')).toBe('192.0.2.1')
  expect(trusting(forwarded('203.0.113.9'), '::ffff:10.0.0.1')).toBe('203.0.113.9')
})

test('clients without an address share one bucket', () => {
  expect(bucketBehind([])(plain, null)).toBe('unknown')
  expect(bucketBehind([])(plain, '')).toBe('unknown')
})

test('an IPv6 address is also counted in its /48, and an IPv4 address only by itself', () => {
  const clientIp = createClientIp([])

  expect(clientIp(plain, '2001:db8:1:2:aaaa::1')).toEqual({
    name: '2001:db8:1:2::/64',
    wide: '2001:db8:1::/48',
  })
  expect(clientIp(plain, '192.0.2.1').wide).toBeNull()
})
