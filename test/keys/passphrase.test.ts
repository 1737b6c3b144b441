import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { stretchPassphrase } from '../../src/keys/passphrase.ts'

setDefaultTimeout(60_000)

const salt = new Uint8Array(16).fill(7)
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

describe('a passphrase', () => {
  test('becomes the same 32 bytes with and without the native library', async () => {
    const native = await stretchPassphrase('a passphrase of words', salt)
    const runtime = await stretchPassphrase('a passphrase of words', salt, async () => {
      throw new Error('noexec')
    })

    const expected = '56490ca7a32c9287ae4d62fdec7f3d8c8c1d2bd575dce41bb0b83e6cd6c00e57'
    expect(hex(native)).toBe(expected)
    expect(hex(runtime)).toBe(expected)
  })

  test('gives the same key for every Unicode form, and another with another salt', async () => {
    const composed = await stretchPassphrase('caf\u00e9 caf\u00e9 caf\u00e9 caf\u00e9', salt)
    const combined = await stretchPassphrase('cafe\u0301 cafe\u0301 cafe\u0301 cafe\u0301', salt)
    const salted = await stretchPassphrase(
      'caf\u00e9 caf\u00e9 caf\u00e9 caf\u00e9',
      salt.map((b) => b + 1),
    )

    expect(hex(combined)).toBe(hex(composed))
    expect(hex(salted)).not.toBe(hex(composed))
  })
})
