import { afterAll, expect, test } from 'bun:test'
import { generateKeyPairSync } from 'node:crypto'
import fc from 'fast-check'
import { pem } from '../../src/keys/pem.ts'
import { makeCertificate } from '../support/smtp.ts'

const certificate = makeCertificate()
afterAll(certificate.remove)
const { ca, cert, key } = certificate

const keyPem = (bits: number) => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: bits })
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}

test('one certificate or several are certificates, with comments and either line break', () => {
  for (const text of [ca, `${ca}${cert}`, `# ours\n${ca}`, ca.replaceAll('\n', '\r\n')]) {
    expect(pem.areCertificates(text)).toBe(true)
  }
})

test('anything else is not, also beside a certificate', () => {
  const broken = ca.replace(/[A-Za-z0-9]{20}/, 'A'.repeat(20))
  for (const text of ['', 'x', key, `${ca}${key}`, `${ca}${broken}`, ca.slice(0, -30)]) {
    expect(pem.areCertificates(text)).toBe(false)
  }
  fc.assert(fc.property(fc.string(), (text) => !pem.areCertificates(text)))
})

test('an RSA private key has its length, anything else has none', () => {
  expect(pem.rsaKeyBits(keyPem(2048))).toBe(2048)
  for (const text of [key, ca, '', 'x']) expect(pem.rsaKeyBits(text)).toBe(0)
})
