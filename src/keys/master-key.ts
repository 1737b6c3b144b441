import { join } from 'node:path'
import type { Random } from '../domain/ports.ts'
import { settingsAreWrong } from '../startup-error.ts'
import { codeOf, type KeyFile, readKeyFile, writeKeyFile } from './key-file.ts'

/** A master key; a passphrase becomes bytes with the salt in the database. */
export type MasterKey =
  | { kind: 'bytes'; bytes: Uint8Array }
  | { kind: 'passphrase'; passphrase: string }

/** The settings of the master key's place. */
export type MasterKeySettings = {
  raw: string | null
  file: string | null
  credentialsDirectory: string | null
}

export type FoundMasterKey = {
  masterKey: MasterKey
  source: 'credential' | 'file' | 'environment' | 'data_dir'
  /** True when the key was just made, for a new data directory. */
  generated: boolean
}

const lost =
  'the master key of the existing database is missing: put it back as master.key in the data ' +
  'directory, or name it with OTPMINT_MASTER_KEY_FILE'
const shape = 'must be 32 random bytes in base64 (43 or 44 characters) or passphrase:...'

/** Parses a master key. Throws `StartupError` that names `name` and never contains the text. */
export function parseMasterKey(text: string, name: string): MasterKey {
  if (text.startsWith('passphrase:')) {
    const passphrase = text.slice('passphrase:'.length)
    if ([...passphrase].length < 16) {
      throw settingsAreWrong(`${name}: a passphrase must have 16 characters or more`)
    }
    return { kind: 'passphrase', passphrase }
  }
  const base64 = text.trim()
  if (!/^[A-Za-z0-9+/_-]{43}=?$/.test(base64)) throw settingsAreWrong(`${name} ${shape}`)
  const bytes = new Uint8Array(Buffer.from(base64, 'base64'))
  // 32 random bytes have fewer than 8 different ones once in 2^111: this one was typed or padded.
  if (new Set(bytes).size < 8) throw settingsAreWrong(`${name} ${shape}; this one is not random`)
  return { kind: 'bytes', bytes }
}

/** Makes a new key, as it is written to a file or printed. */
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
 * Throws `StartupError`.
 */
export function findMasterKey(options: {
  settings: MasterKeySettings
  dataDir: string
  databaseExists: boolean
  /** What is said when it is missing though the database exists. */
  missing?: string
  random: Random
}): FoundMasterKey {
  const { raw, file, credentialsDirectory } = options.settings
  if (raw !== null && file !== null) {
    throw settingsAreWrong('OTPMINT_MASTER_KEY and OTPMINT_MASTER_KEY_FILE are both set: keep one')
  }
  const found = (masterKey: MasterKey, source: FoundMasterKey['source'], generated = false) => {
    return { masterKey, source, generated }
  }
  if (credentialsDirectory !== null) {
    const read = readKeyFile(join(credentialsDirectory, 'master_key'), { anyMode: true })
    if (read.found || read.reason !== 'missing') {
      return found(parseKeyFile(read, 'the credential master_key'), 'credential')
    }
  }
  if (file !== null) return found(readMasterKeyFile(file, 'OTPMINT_MASTER_KEY_FILE'), 'file')
  if (raw !== null) return found(parseMasterKey(raw, 'OTPMINT_MASTER_KEY'), 'environment')

  const path = dataDirKeyPath(options.dataDir)
  const read = readKeyFile(path)
  if (read.found || read.reason !== 'missing') {
    return found(parseKeyFile(read, 'master.key in the data directory'), 'data_dir')
  }
  if (options.databaseExists) throw settingsAreWrong(options.missing ?? lost)
  const text = generateMasterKey(options.random)
  try {
    writeKeyFile(path, text)
  } catch (error) {
    const reason = `master.key cannot be written to the data directory (${codeOf(error)})`
    throw settingsAreWrong(reason)
  }
  return found(parseMasterKey(text, 'master.key'), 'data_dir', true)
}

/** Reads the key in a file of the admin. Throws `StartupError` that names `name`. */
export function readMasterKeyFile(
  path: string,
  name: string,
  mode = { anyMode: false },
): MasterKey {
  return parseKeyFile(readKeyFile(path, mode), name)
}

function parseKeyFile(read: KeyFile, name: string): MasterKey {
  if (read.found) return parseMasterKey(read.text, name)
  throw settingsAreWrong(
    {
      exposed: `${name} must be readable by its owner only: chmod 600`,
      unreadable: `${name} must be a small file that this user can read`,
      missing: `${name} names a file that does not exist`,
    }[read.reason],
  )
}
