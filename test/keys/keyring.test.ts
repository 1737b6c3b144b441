import { describe, expect, test } from 'bun:test'
import { createCipheriv, createHash, createHmac, hkdfSync } from 'node:crypto'
import { passwordPlace } from '../../src/domain/app.ts'
import { deriveCode } from '../../src/domain/code.ts'
import { createKeyring, unwrapDataKey, wrapDataKey } from '../../src/keys/keyring.ts'
import { deriveKey, firstKeyset, keyIdOf, succeedKeyset } from '../../src/keys/keyset.ts'

const master = new Uint8Array(32).map((_, i) => i + 1)
const other = new Uint8Array(32).map((_, i) => 200 - i)
const keyset = firstKeyset(master)
const place = { appId: 'app', verificationId: 'id', generation: 0 }

/** Written again from the definitions, over node:crypto alone. */
const subkey = (info: string) =>
  Buffer.from(hkdfSync('sha256', master, Buffer.alloc(0), `otpmint/${info}/v1`, 32))
const hmac = (info: string, text: string) =>
  createHmac('sha256', subkey(info)).update(text).digest('hex')
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

describe('what is derived', () => {
  const keyring = createKeyring(keyset)
  const id = keyring.codeKeyId()

  test('HKDF-SHA-256 agrees with RFC 5869, test case 3 (no salt, no info)', () => {
    const input = Buffer.alloc(22, 0x0b)
    const expected = '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d'
    expect(hex(deriveKey(input, ''))).toBe(expected)
  })

  test('the key id is the head of a hash of a subkey of its own', () => {
    const expected = createHash('sha256').update(subkey('key-id')).digest('hex').slice(0, 8)
    expect(keyIdOf(master)).toBe(expected)
    expect(id).toBe(expected)
  })

  test('codes and digests are HMAC-SHA-256 over the whole place, by keys of their own', () => {
    expect(hex(keyring.codeBlock(id, place, 2))).toBe(hmac('code', 'app\0id\0' + '0\0' + '2'))
    expect(hex(keyring.codeDigest(id, 'app', 'id', '123456'))).toBe(
      hmac('digest', 'app\0id\0' + '123456'),
    )
  })

  test('indexes are 16 bytes, fingerprints and audit links 32', () => {
    const short = (text: string) => text.slice(0, 32)
    expect(hex(keyring.recipientIndex('app', 'a@b.test'))).toBe(
      short(hmac('recipient-index', 'app\0a@b.test')),
    )
    expect(hex(keyring.limitIndex('scope', 'value'))).toBe(
      short(hmac('limit-index', 'scope\0value')),
    )
    expect(hex(keyring.secretKeyIndex('secret'))).toBe(short(hmac('secret-key-index', 'secret')))
    expect(hex(keyring.fingerprint('app', 'body'))).toBe(hmac('fingerprint', 'app\0body'))
    expect(hex(keyring.auditLink(Buffer.from('previous '), 'record'))).toBe(
      hmac('audit', 'previous record'),
    )
  })

  test('an unknown code key is a bug, not another code', () => {
    expect(() => keyring.codeBlock('00000000', place, 0)).toThrow('no code key')
    expect(() => keyring.codeDigest('00000000', 'app', 'id', '123456')).toThrow('no code key')
  })
})

describe('a sealed field', () => {
  const keyring = createKeyring(keyset)
  const key = keyring.newDataKey('app')
  const endpoint = {
    host: 'mail.example.com',
    port: 587,
    security: 'starttls' as const,
    user: 'mailer',
    from: 'a@example.com',
    fromName: null,
    publicOnly: false,
    updatedAt: 0,
  }
  const home = passwordPlace('app', endpoint)
  const sealed = keyring.seal('app', key, home, 'hunter2 ünï')

  test('opens where it was sealed, also in another process', () => {
    expect(keyring.open('app', key, home, sealed)).toBe('hunter2 ünï')
    expect(createKeyring(firstKeyset(master)).open('app', key, home, sealed)).toBe('hunter2 ünï')
  })

  test('does not open in another row, column or table, or at another mail server', () => {
    const elsewhere = [
      { ...home, row: 'other' },
      { ...home, column: 'other' },
      { ...home, table: 'other' },
      passwordPlace('app', { ...endpoint, host: 'evil.example.com' }),
      passwordPlace('app', { ...endpoint, port: 465 }),
      passwordPlace('app', { ...endpoint, security: 'none' }),
      passwordPlace('app', { ...endpoint, user: null }),
    ]
    for (const place of elsewhere) {
      expect(() => keyring.open('app', key, place, sealed)).toThrow('do not open')
    }
  })

  test('does not open for another app, even one that was given the data key', () => {
    const given = wrapDataKey(keyset, 'other', unwrapDataKey(keyset, 'app', key))
    for (const theirs of [keyring.newDataKey('other'), given, key]) {
      expect(() => keyring.open('other', theirs, home, sealed)).toThrow('do not open')
    }
    expect(() => keyring.seal('other', key, home, 'x')).toThrow('do not open')
    expect(() => keyring.open('app', { ...key, keyId: '00000000' }, home, sealed)).toThrow(
      'no key of this id',
    )
  })

  test('does not open under another master key, and no error tells a secret', () => {
    const stranger = createKeyring(firstKeyset(other))
    let message = ''
    try {
      stranger.open('app', { ...key, keyId: keyIdOf(other) }, home, sealed)
    } catch (error) {
      message = String(error)
    }
    expect(message).toContain('do not open')
    expect(message).not.toContain('hunter2')
  })

  test('has its data key wrapped as `dek`, app and key id say', () => {
    const nonce = new Uint8Array(12).fill(3)
    const cipher = createCipheriv('aes-256-gcm', subkey('kek'), nonce)
    cipher.setAAD(Buffer.from(`dek\0app\0${keyIdOf(master)}`))
    const dataKey = new Uint8Array(32).fill(5)
    const body = Buffer.concat([cipher.update(dataKey), cipher.final(), cipher.getAuthTag()])
    const bytes = Buffer.concat([Uint8Array.of(1), nonce, body])

    const wrapped = { keyId: keyIdOf(master), bytes }
    const note = { table: 't', row: 'r', column: 'c' }
    expect(keyring.open('app', wrapped, note, keyring.seal('app', wrapped, note, 'x'))).toBe('x')
  })
})

describe('after a rotation', () => {
  const keyring = createKeyring(keyset)
  const before = keyIdOf(master)
  const code = deriveCode(keyring, before, place, 'numeric', 6)
  const digest = keyring.codeDigest(before, 'app', 'id', code)
  const index = keyring.recipientIndex('app', 'a@b.test')
  const link = keyring.auditLink(new Uint8Array(32), 'record')
  const key = keyring.newDataKey('app')
  const note = { table: 't', row: 'r', column: 'c' }
  const sealed = keyring.seal('app', key, note, 'x')
  const next = succeedKeyset(keyset, other, 1_000)
  keyring.replace({ ...next, keks: { [next.kekId]: next.keks[next.kekId] ?? master } })

  test('new codes come from the new key, and a live one keeps its digits and digest', () => {
    expect(keyring.codeKeyId()).toBe(keyIdOf(other))
    expect(deriveCode(keyring, before, place, 'numeric', 6)).toBe(code)
    const digests = keyring.codeDigests('app', 'id', code)
    expect(digests).toHaveLength(2)
    expect(digests[0]).toEqual(keyring.codeDigest(keyIdOf(other), 'app', 'id', code))
    expect(digests[1]).toEqual(digest)
  })

  test('limits, recipients and the audit chain go on', () => {
    expect(keyring.recipientIndex('app', 'a@b.test')).toEqual(index)
    expect(keyring.auditLink(new Uint8Array(32), 'record')).toEqual(link)
  })

  test('what was read before it still opens, although the old key is gone', () => {
    expect(keyring.open('app', key, note, sealed)).toBe('x')
  })
})
