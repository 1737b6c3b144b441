import { expect, test } from 'bun:test'
import { qrModules } from '../../src/dashboard/screens/access/qr.ts'

const hashOf = (modules: boolean[][]) => {
  const text = modules.map((row) => row.map(Number).join('')).join('\n')
  return new Bun.CryptoHasher('sha256').update(text).digest('hex').slice(0, 16)
}
const textOf = (length: number) => 'otpauth://'.padEnd(length, 'aBc1%-').slice(0, length)

// What jsQR 1.4.0 has read, for every length that begins or ends a version.
test.each([
  [17, 21, '36bd88ae79cd500d'],
  [107, 41, 'ebae11642589c229'],
  [271, 57, 'a5aeeb7693401e32'],
  [858, 97, '44bab27db9437dce'],
])('the QR code of %d bytes is the one that a reader has read', (length, size, hash) => {
  const modules = qrModules(textOf(length))

  expect(modules).toHaveLength(size)
  expect(hashOf(modules)).toBe(hash)
})

test('a text that is too long has no QR code', () => {
  expect(() => qrModules(textOf(859))).toThrow('too long')
})
