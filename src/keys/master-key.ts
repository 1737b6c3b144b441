import { join } from 'node:path'
import type { Random } from '../domain/ports.ts'
import { type KeyFile, readKeyFile, writeKeyFile } from './key-file.ts'

/** What the operator holds; a passphrase becomes bytes with the salt that the database keeps. */
export type MasterKey =
  | { kind: 'bytes'; bytes: Uint8Array }
  | { kind: 'passphrase'; passphrase: string }

/** Where the settings say that the key is. */
export type MasterKeySettings = {
  raw: string | null
  file: string | null
  credentialsDirectory: string | null
}

export type FoundMasterKey = {
  masterKey: MasterKey
  source: 'credential' | 'file' | 'environment' | 'data_dir'
  /** The key was made just now, for a new data directory. */
  generated: boolean
}

export type Mistake = { ok: false; mistake: string }

const lost =
  'the master key of the existing database is missing: put it back as master.key in the data ' +
  'directory, or name it with OTPMINT_MASTER_KEY_FILE'
const shape = 'must be 32 random bytes in base64 (43 or 44 characters) or passphrase:...'

/** The key in `text`; `name` says in a mistake where the text came from. Never echoes it. */
export function parseMasterKey(
  text: string,
  name: string,
): { ok: true; masterKey: MasterKey } | Mistake {
  if (text.startsWith('passphrase:')) {
    const passphrase = text.slice('passphrase:'.length)
    if ([...passphrase].length < 16) {
      return mistake(`${name}: a passphrase must have 16 characters or more`)
    }
    return { ok: true, masterKey: { kind: 'passphrase', passphrase } }
  }
  const base64 = text.trim()
  if (!/^[A-Za-z0-9+/_-]{43}=?$/.test(base64)) return mistake(`${name} ${shape}`)
  const bytes = new Uint8Array(Buffer.from(base64, 'base64'))
  // 32 random bytes have fewer than 8 different ones once in 2^111: this one was typed or padded.
  if (new Set(bytes).size < 8) return mistake(`${name} ${shape}; this one is not random`)
  return { ok: true, masterKey: { kind: 'bytes', bytes } }
}

/** A new key as it is written to a file or printed. */
export function generateMasterKey(random: Random): string {
  return Buffer.from(random.bytes(32)).toString('base64')
}

export function dataDirKeyPath(dataDir: string): string {
  return join(dataDir, 'master.key')
}

/**
 * Looks in `$CREDENTIALS_DIRECTORY/master_key`, OTPMINT_MASTER_KEY_FILE, OTPMINT_MASTER_KEY and
 * `<data dir>/master.key`, in this order, and generates the last where there is no database yet.
 * The data directory must be locked by the caller, so that two first starts cannot make two keys.
 */
export function findMasterKey(options: {
  settings: MasterKeySettings
  dataDir: string
  databaseExists: boolean
  random: Random
}): { ok: true; found: FoundMasterKey } | Mistake {
  const { raw, file, credentialsDirectory } = options.settings
  if (raw !== null && file !== null) {
    return mistake('OTPMINT_MASTER_KEY and OTPMINT_MASTER_KEY_FILE are both set: keep one')
  }
  if (credentialsDirectory !== null) {
    const name = 'the credential master_key'
    const read = readKeyFile(join(credentialsDirectory, 'master_key'), { anyMode: true })
    if (read.found || read.reason !== 'missing') return fromFile(read, name, 'credential')
  }
  if (file !== null) return fromFile(readKeyFile(file), 'OTPMINT_MASTER_KEY_FILE', 'file')
  if (raw !== null) return found(parseMasterKey(raw, 'OTPMINT_MASTER_KEY'), 'environment')

  const path = dataDirKeyPath(options.dataDir)
  const read = readKeyFile(path)
  if (!read.found && read.reason === 'missing') {
    return options.databaseExists ? mistake(lost) : generateKeyFile(path, options.random)
  }
  return fromFile(read, 'master.key in the data directory', 'data_dir')
}

/** The key in a file that the operator names, as for a rotation. `name` is for mistakes. */
export function readMasterKeyFile(
  path: string,
  name: string,
): { ok: true; masterKey: MasterKey } | Mistake {
  const read = readKeyFile(path)
  return read.found ? parseMasterKey(read.text, name) : mistake(unreadable(read.reason, name))
}

function generateKeyFile(path: string, random: Random) {
  const text = generateMasterKey(random)
  const failure = writeKeyFile(path, text)
  if (failure) return mistake(`master.key cannot be written to the data directory (${failure})`)
  return found(parseMasterKey(text, 'master.key'), 'data_dir', true)
}

function fromFile(read: KeyFile, name: string, source: FoundMasterKey['source']) {
  return read.found
    ? found(parseMasterKey(read.text, name), source)
    : mistake(unreadable(read.reason, name))
}

function found(
  parsed: ReturnType<typeof parseMasterKey>,
  source: FoundMasterKey['source'],
  generated = false,
): { ok: true; found: FoundMasterKey } | Mistake {
  return parsed.ok
    ? { ok: true, found: { masterKey: parsed.masterKey, source, generated } }
    : parsed
}

function unreadable(reason: 'missing' | 'unreadable' | 'exposed', name: string): string {
  if (reason === 'exposed') return `${name} must be readable by its owner only: chmod 600`
  if (reason === 'unreadable') return `${name} must be a small file that this user can read`
  return `${name} names a file that does not exist`
}

export function mistake(text: string): Mistake {
  return { ok: false, mistake: text }
}
