import { afterAll, describe, expect, test } from 'bun:test'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import {
  findMasterKey,
  generateMasterKey,
  type MasterKeySettings,
  parseMasterKey,
} from '../../src/keys/master-key.ts'
import { StartupError } from '../../src/startup-error.ts'
import { systemRandom } from '../../src/system.ts'

const root = mkdtempSync(join(tmpdir(), 'otpmint-keys-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

let count = 0
function directory(files: Record<string, string> = {}, mode = 0o600): string {
  const path = join(root, String(count++))
  mkdirSync(path, { mode: 0o700 })
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(path, name), text)
    chmodSync(join(path, name), mode)
  }
  return path
}

const nowhere: MasterKeySettings = { raw: null, file: null, credentialsDirectory: null }
const find = (settings: Partial<MasterKeySettings>, dataDir: string, databaseExists = false) =>
  findMasterKey({
    settings: { ...nowhere, ...settings },
    dataDir,
    databaseExists,
    random: systemRandom,
  })
const newKey = () => generateMasterKey(systemRandom)
const bytesOf = (text: string) => new Uint8Array(Buffer.from(text, 'base64'))
/** The reasons of a StartupError with exit code 78; null without an error. */
function mistakeOf(work: () => unknown): string | null {
  try {
    work()
    return null
  } catch (error) {
    if (!(error instanceof StartupError)) throw error
    expect(error.exitCode).toBe(78)
    return error.reasons.join()
  }
}

describe('a master key', () => {
  test('is 32 random bytes in base64, padded or not, or a passphrase', () => {
    const text = newKey()
    for (const form of [text, text.slice(0, 43), `${text}\n`]) {
      expect(parseMasterKey(form, 'X')).toEqual({ kind: 'bytes', bytes: bytesOf(text) })
    }
    expect(parseMasterKey('passphrase:sixteen or more!', 'X')).toEqual({
      kind: 'passphrase',
      passphrase: 'sixteen or more!',
    })
  })

  test('that is short, long, hexadecimal or not random is refused and never echoed', () => {
    const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')
    const wrong = [
      '',
      'password',
      base64(new Uint8Array(31).map((_, i) => i)),
      base64(new Uint8Array(33).map((_, i) => i)),
      Buffer.from(bytesOf(newKey())).toString('hex'),
      base64(new Uint8Array(32)),
      base64(new Uint8Array(32).fill(0xa5)),
      base64(Buffer.from('abcd'.repeat(8))),
      'passphrase:fifteen letters',
      'passphrase:',
    ]
    for (const text of wrong) {
      const message = mistakeOf(() => parseMasterKey(text, 'THE_NAME')) ?? ''
      expect(message).toContain('THE_NAME')
      if (text.length > 11) expect(message).not.toContain(text.replace('passphrase:', ''))
    }
  })

  test('is parsed or refused with a StartupError, whatever the text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.base64String()), (text) => {
        const mistake = mistakeOf(() => parseMasterKey(text, 'X'))
        expect(mistake === null || mistake.startsWith('X')).toBe(true)
      }),
    )
  })
})

describe('the master key is looked for', () => {
  test('as a credential, then a file, then the environment, then in the data directory', () => {
    const [a, b, c, d] = [newKey(), newKey(), newKey(), newKey()]
    const credentialsDirectory = directory({ master_key: a })
    const file = join(directory({ key: `${b}\n` }), 'key')
    const dataDir = directory({ 'master.key': d })
    const found = (settings: Partial<MasterKeySettings>) => find(settings, dataDir, true)
    const bytes = (text: string) => ({ kind: 'bytes' as const, bytes: bytesOf(text) })

    expect(found({ credentialsDirectory, file })).toEqual({
      masterKey: bytes(a),
      source: 'credential',
      generated: false,
    })
    expect(found({ credentialsDirectory: directory(), file })).toEqual({
      masterKey: bytes(b),
      source: 'file',
      generated: false,
    })
    expect(found({ raw: c })).toEqual({
      masterKey: bytes(c),
      source: 'environment',
      generated: false,
    })
    expect(found({})).toEqual({ masterKey: bytes(d), source: 'data_dir', generated: false })
  })

  test('in one place: a key and a key file at once are a mistake', () => {
    const message = mistakeOf(() => find({ raw: newKey(), file: '/dev/null' }, directory()))
    expect(message).toContain('both set')
  })

  test('in files that their owner alone can read, except under the credentials directory', () => {
    for (const mode of [0o644, 0o640, 0o604, 0o660, 0o700]) {
      const exposed = directory({ 'master.key': newKey() }, mode)
      expect(mistakeOf(() => find({}, exposed, true))).toContain('owner only')
      const file = join(exposed, 'master.key')
      expect(mistakeOf(() => find({ file }, directory()))).toContain('OTPMINT_MASTER_KEY_FILE')
    }
    expect(find({}, directory({ 'master.key': newKey() }, 0o400), true).source).toBe('data_dir')
    const credentialsDirectory = directory({ master_key: newKey() }, 0o444)
    expect(find({ credentialsDirectory }, directory()).source).toBe('credential')
  })

  test('in regular files: a missing one, a directory or a device is refused by name', () => {
    for (const file of ['/nowhere/key', root, '/dev/zero']) {
      expect(mistakeOf(() => find({ file }, directory()))).toContain('OTPMINT_MASTER_KEY_FILE')
    }
    const credentialsDirectory = directory()
    symlinkSync('/dev/null', join(credentialsDirectory, 'master_key'))
    expect(mistakeOf(() => find({ credentialsDirectory }, directory()))).toContain('small file')
  })
})

describe('a first start without a master key', () => {
  test('makes one of mode 0600 that the next start finds', () => {
    const dataDir = join(root, 'new', 'data')
    const made = find({}, dataDir)
    const again = find({}, dataDir, true)

    expect(made).toMatchObject({ source: 'data_dir', generated: true })
    expect(again).toEqual({ ...made, generated: false })
    expect(statSync(join(dataDir, 'master.key')).mode & 0o777).toBe(0o600)
    expect(statSync(dataDir).mode & 0o777).toBe(0o700)
    expect(readdirSync(dataDir)).toEqual(['master.key'])
  })

  test('never makes one beside an existing database', () => {
    const dataDir = directory()
    expect(mistakeOf(() => find({}, dataDir, true))).toContain('missing')
    expect(readdirSync(dataDir)).toEqual([])
  })

  test('that cannot write it fails with the reason', () => {
    expect(mistakeOf(() => find({}, '/proc/otpmint'))).toContain('cannot be written')
  })
})
