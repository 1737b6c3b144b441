import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { Pem } from '../domain/ports.ts'

/** Reads certificates and keys in PEM (RFC 7468). */
export const pem: Pem = {
  areCertificates(text) {
    const blocks = text.match(certificate) ?? []
    // Between the blocks are comments, but no other blocks, such as a private key.
    if (blocks.length === 0 || text.replace(certificate, '').includes('-----')) return false
    try {
      return blocks.every((block) => new X509Certificate(block).raw.length > 0)
    } catch {
      return false
    }
  },
  rsaKeyBits(text) {
    try {
      const { asymmetricKeyType, asymmetricKeyDetails } = createPrivateKey(text)
      return asymmetricKeyType === 'rsa' ? (asymmetricKeyDetails?.modulusLength ?? 0) : 0
    } catch {
      return 0
    }
  },
}

const certificate = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g
