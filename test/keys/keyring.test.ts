import { describe, expect, test } from 'bun:test'
import { createCipheriv, createHash, createHmac, hkdfSync } from 'node:crypto'
import { secretPlace } from '../../src/domain/app/endpoint.ts'
import { deriveCode } from '../../src/domain/verification/code.ts'
import {
  createKeyring as createKeyringWith,
  renewDataKey,
  unwrapDataKeys,
  wrapDataKeys,
} from '../../src/keys/keyring.ts'
import {
  deriveKey,
  finishedKeyset,
  firstKeyset,
  type Keyset,
  keyIdOf,
  preparedKeyset,
  retiredKeepingMs,
  switchedKeyset,
} from '../../src/keys/keyset.ts'
import { systemRandom } from '../../src/system.ts'
import { smtpSettings } from '../support/commands.ts'

const master = new Uint8Array(32).map((_, i) => i + 1)
const other = new Uint8Array(32).map((_, i) => 200 - i)
const keyset = firstKeyset(master)
const createKeyring = (from: Keyset) => createKeyringWith(from, systemRandom)
const place = { appId: 'app', verificationId: 'id', generation: 0 }

/** A second implementation from the definitions, with node:crypto only. */
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

  test('the key id is the first 32 bits of the SHA-256 of a subkey of its own', () => {
    const expected = createHash('sha256').update(subkey('key-id')).digest('hex').slice(0, 8)
    expect(keyIdOf(master)).toBe(expected)
    expect(id).toBe(expected)
  })

  test('codes and digests are HMAC-SHA-256 over app, id, send and counter, with separate keys', () => {
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
    expect(hex(keyring.auditMac(Buffer.from('previous '), 'record'))).toBe(
      hmac('audit', 'previous record'),
    )
  })

  test('an unknown code key throws', () => {
    expect(() => keyring.codeBlock('00000000', place, 0)).toThrow('no code key')
    expect(() => keyring.codeDigest('00000000', 'app', 'id', '123456')).toThrow('no code key')
  })
})

describe('a sealed field', () => {
  const keyring = createKeyring(keyset)
  const key = keyring.newDataKey('app')
  const settings = smtpSettings({ user: 'mailer' })
  const home = secretPlace({ id: 'endpoint', settings })
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
      secretPlace({ id: 'other', settings }),
      secretPlace({ id: 'endpoint', settings: { ...settings, host: 'evil.example.com' } }),
      secretPlace({ id: 'endpoint', settings: { ...settings, port: 465 } }),
      secretPlace({ id: 'endpoint', settings: { ...settings, security: 'none' } }),
      secretPlace({ id: 'endpoint', settings: { ...settings, user: null } }),
    ]
    for (const place of elsewhere) {
      expect(() => keyring.open('app', key, place, sealed)).toThrow('do not open')
    }
  })

  test('does not open for another app, even one that was given the data key', () => {
    const given = wrapDataKeys(keyset, 'other', unwrapDataKeys(keyset, 'app', key))
    for (const theirs of [keyring.newDataKey('other'), given, key]) {
      expect(() => keyring.open('other', theirs, home, sealed)).toThrow('do not open')
    }
    expect(() => keyring.seal('other', key, home, 'x')).toThrow('do not open')
    expect(() => keyring.open('app', { ...key, keyId: '00000000' }, home, sealed)).toThrow(
      'no key of this id',
    )
  })

  test('does not open under another master key, and no error contains a secret', () => {
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

  test('has its data key wrapped with `dek`, app and key id as additional data', () => {
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

describe('a renewed data key', () => {
  const note = { table: 't', row: 'r', column: 'c' }
  const keyring = createKeyring(keyset)
  const renew = (key: ReturnType<typeof keyring.newDataKey>, now: number) =>
    renewDataKey({ keyset, random: systemRandom, now }, 'app', key)

  test('seals with a new key and opens what its predecessors of the last week sealed', () => {
    let key = keyring.newDataKey('app')
    const sealed: Uint8Array[] = []
    for (let day = 0; day < 5; day++) {
      sealed.push(keyring.seal('app', key, note, `day ${day}`))
      key = renew(key, day * 86_400_000)
    }

    const opened = sealed.map((bytes) => keyring.open('app', key, note, bytes))
    expect(opened).toEqual(['day 0', 'day 1', 'day 2', 'day 3', 'day 4'])
  })

  test('seals what an older one cannot open', () => {
    const old = keyring.newDataKey('app')
    const sealed = keyring.seal('app', renew(old, 0), note, 'x')

    expect(() => keyring.open('app', old, note, sealed)).toThrow('do not open')
  })

  test('drops a predecessor when it is renewed more than a week later', () => {
    const first = keyring.newDataKey('app')
    const sealed = keyring.seal('app', first, note, 'x')
    const second = renew(first, 0)

    const kept = renew(second, retiredKeepingMs - 1)
    const dropped = renew(second, retiredKeepingMs)

    expect(keyring.open('app', kept, note, sealed)).toBe('x')
    expect(() => keyring.open('app', dropped, note, sealed)).toThrow('do not open')
  })
})

describe('after a rotation', () => {
  const keyring = createKeyring(keyset)
  const [before, after] = [keyIdOf(master), keyIdOf(other)]
  const code = deriveCode(keyring, before, place, 'numeric', 6)
  const digest = keyring.codeDigest(before, 'app', 'id', code)
  const index = keyring.recipientIndex('app', 'a@b.test')
  const link = keyring.auditMac(new Uint8Array(32), 'record')
  const key = keyring.newDataKey('app')
  const note = { table: 't', row: 'r', column: 'c' }
  const sealed = keyring.seal('app', key, note, 'x')
  const prepared = preparedKeyset(keyset, other)
  const switched = switchedKeyset(prepared, 1_000)

  test('nodes accept digests of the new key before any code is made with it', () => {
    const node = createKeyring(prepared)
    expect(node.codeKeyId()).toBe(before)
    const [first, second] = node.codeDigests('app', 'id', code)
    expect(first).toEqual({ keyId: before, digest })
    expect(second?.keyId).toBe(after)
    expect(node.newDataKey('app').keyId).toBe(before)
    expect(createKeyring(switched).codeKeyId()).toBe(after)
  })

  test('a live code keeps its digits and its digest under the key that its row names', () => {
    keyring.replace(finishedKeyset(switched))
    expect(deriveCode(keyring, before, place, 'numeric', 6)).toBe(code)
    const digests = keyring.codeDigests('app', 'id', code)
    expect(digests).toContainEqual({ keyId: before, digest })
    expect(digests).toContainEqual({
      keyId: after,
      digest: keyring.codeDigest(after, 'app', 'id', code),
    })
  })

  test('limits, recipients and the audit chain go on', () => {
    expect(keyring.recipientIndex('app', 'a@b.test')).toEqual(index)
    expect(keyring.auditMac(new Uint8Array(32), 'record')).toEqual(link)
  })

  test('a data key that was read before still opens, although the old key is gone', () => {
    expect(keyring.open('app', key, note, sealed)).toBe('x')
    expect(() => createKeyring(finishedKeyset(switched)).open('app', key, note, sealed)).toThrow(
      'no key of this id',
    )
  })

  test('a retired code key is kept for a week from its own retirement, in whatever order', () => {
    const third = new Uint8Array(32).map((_, i) => 100 - i)
    const back = switchedKeyset(preparedKeyset(switched, third), 500)
    expect(back.codeKeys[before]?.retiredAt).toBe(1_000)
    expect(back.codeKeys[after]?.retiredAt).toBe(500)

    const fourth = new Uint8Array(32).map((_, i) => 60 + i)
    const later = switchedKeyset(preparedKeyset(back, fourth), 600 + retiredKeepingMs)
    expect(Object.keys(later.codeKeys)).toEqual([before, keyIdOf(third), keyIdOf(fourth)])
  })
})
