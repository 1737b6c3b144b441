import { describe, expect, test } from 'bun:test'
import { createCipheriv } from 'node:crypto'
import fc from 'fast-check'
import { openBytes, sealBytes } from '../../src/keys/envelope.ts'

const key = new Uint8Array(32).map((_, i) => i * 7)
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()

describe('sealed bytes', () => {
  test('open to what was sealed, whatever it was', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.string(), (plain, place) => {
        expect(openBytes(key, place, sealBytes(key, place, plain))).toEqual(plain)
      }),
    )
  })

  test('are version 1, nonce, ciphertext and tag of AES-256-GCM', () => {
    const nonce = new Uint8Array(12).fill(9)
    const cipher = createCipheriv('aes-256-gcm', key, nonce)
    cipher.setAAD(Buffer.from('place'))
    const body = Buffer.concat([cipher.update('hello'), cipher.final()])
    const sealed = Buffer.concat([Uint8Array.of(1), nonce, body, cipher.getAuthTag()])

    expect(text(openBytes(key, 'place', sealed))).toBe('hello')
    expect(sealBytes(key, 'place', Buffer.from('hello'))).toHaveLength(1 + 12 + 5 + 16)
  })

  test('do not open when a single bit has changed', () => {
    const sealed = sealBytes(key, 'place', Buffer.from('hello'))
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const bent = Uint8Array.from(sealed)
      bent[bit >> 3] = (bent[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(() => openBytes(key, 'place', bent)).toThrow('do not open')
    }
  })

  test('do not open with another key, in another place or cut short', () => {
    const sealed = sealBytes(key, 'place', Buffer.from('hello'))
    expect(() => openBytes(new Uint8Array(32).fill(1), 'place', sealed)).toThrow('do not open')
    expect(() => openBytes(key, 'places', sealed)).toThrow('do not open')
    for (let length = 0; length < sealed.length; length++) {
      expect(() => openBytes(key, 'place', sealed.subarray(0, length))).toThrow('do not open')
    }
  })

  test('differ every time, so that equal values cannot be recognized', () => {
    const seals = Array.from({ length: 100 }, () => text(sealBytes(key, 'p', Buffer.from('x'))))
    expect(new Set(seals).size).toBe(100)
  })
})
