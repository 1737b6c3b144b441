import { createCipheriv, createDecipheriv } from 'node:crypto'

const version = 1
const nonceLength = 12
const tagLength = 16

/**
 * Seals with AES-256-GCM as `version 1 | nonce 12 | ciphertext | tag 16`. `place` is authenticated:
 * the bytes open nowhere else. The nonce is always from the system's generator, never from a
 * test's, because a repeated nonce reveals the authentication key (SP 800-38D section 8).
 */
export function sealBytes(key: Uint8Array, place: string, plain: Uint8Array): Uint8Array {
  const nonce = crypto.getRandomValues(new Uint8Array(nonceLength))
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: tagLength })
  cipher.setAAD(Buffer.from(place))
  const body = [cipher.update(plain), cipher.final()]
  return new Uint8Array(
    Buffer.concat([Uint8Array.of(version), nonce, ...body, cipher.getAuthTag()]),
  )
}

/** Throws when the key, the place or any bit differs, without saying which. */
export function openBytes(key: Uint8Array, place: string, sealed: Uint8Array): Uint8Array {
  if (sealed[0] !== version) throw notSealed()
  const nonce = sealed.subarray(1, 1 + nonceLength)
  const tag = sealed.subarray(-tagLength)
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagLength })
    decipher.setAAD(Buffer.from(place))
    decipher.setAuthTag(tag)
    const body = decipher.update(sealed.subarray(1 + nonceLength, -tagLength))
    return new Uint8Array(Buffer.concat([body, decipher.final()]))
  } catch {
    throw notSealed()
  }
}

function notSealed(): Error {
  return new Error('sealed bytes do not open with this key in this place')
}
