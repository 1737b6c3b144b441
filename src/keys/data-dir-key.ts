import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { cannotStart, StartupError, settingsAreWrong } from '../startup-error.ts'
import { codeOf, moveDurably, readKeyFile, writeKeyFile } from './key-file.ts'
import { type Keyset, keyIdOf, loadKeyset } from './keyset.ts'
import {
  dataDirKeyPath,
  type FoundMasterKey,
  generateMasterKey,
  parseMasterKey,
  readMasterKeyFile,
} from './master-key.ts'
import { type Rotated, type Rotation, type RotationPorts, rotateMasterKey } from './rotate.ts'

/**
 * Loads the keyset where `loadKeyset` has failed because a rotation of `<data dir>/master.key` was
 * killed when the database had changed to the new key and the file had not, and finishes that
 * rotation. Throws the error of `loadKeyset` in any other case.
 */
export async function finishKilledRotation(
  ports: Parameters<typeof loadKeyset>[0],
  { error, found, dataDir }: { error: unknown; found: FoundMasterKey; dataDir: string },
): Promise<Keyset> {
  const isStaged = found.source === 'data_dir' && readKeyFile(nextKeyPath(dataDir)).found
  if (!isStaged || !(error instanceof StartupError)) throw error
  const next = readMasterKeyFile(nextKeyPath(dataDir), 'master.key.next')
  const keyset = await loadKeyset(ports, next).catch(() => null)
  if (!keyset) throw error
  promoteNextKey(dataDir)
  return keyset
}

/**
 * Rotates `<data dir>/master.key`: the new key is written as `master.key.next` before anything
 * depends on it, and the old one stays as `master.key.<its id>`, which older backups need.
 */
export async function rotateDataDirKey(
  ports: RotationPorts,
  { dataDir, ...rotation }: Omit<Rotation, 'oldMaster' | 'newMaster'> & { dataDir: string },
): Promise<Rotated> {
  const old = readMasterKeyFile(dataDirKeyPath(dataDir), 'master.key')
  const isStaged = readKeyFile(nextKeyPath(dataDir)).found
  if (!isStaged && (await ports.meta.read('rotation_bridge'))) {
    return rotateMasterKey(ports, { ...rotation, oldMaster: old, newMaster: old })
  }
  if (!isStaged) {
    try {
      writeKeyFile(nextKeyPath(dataDir), generateMasterKey(ports.random))
    } catch (error) {
      throw cannotStart(`master.key.next cannot be written (${codeOf(error)})`)
    }
  }
  const next = readMasterKeyFile(nextKeyPath(dataDir), 'master.key.next')
  const rotated = await rotateMasterKey(ports, { ...rotation, oldMaster: old, newMaster: next })
  promoteNextKey(dataDir)
  return rotated
}

/**
 * Removes files of former master keys that hold the key in use; keeps the others, because backups
 * that were made under them cannot be opened without them.
 */
export function tidyKeyFiles(
  dataDir: string,
  keyId: string,
): { path: string; kept: string | null }[] {
  const names = readdirSync(dataDir).filter((name) => {
    return /^master\.key\.([0-9a-f]{8}|passphrase)$/.test(name)
  })
  return names.sort().map((name) => {
    const path = join(dataDir, name)
    if (!name.endsWith(`.${keyId}`)) return { path, kept: keptBecause }
    rmSync(path, { force: true })
    return { path, kept: null }
  })
}

const keptBecause =
  'backups that were made before the rotation need it; delete it when the last of them is gone'

/** Keeps the old key under its id, then renames the next one to its name. */
function promoteNextKey(dataDir: string): void {
  const path = dataDirKeyPath(dataDir)
  const next = nextKeyPath(dataDir)
  // The server that follows the rotation may have done this already.
  if (!readKeyFile(next).found) return
  const old = readKeyFile(path)
  try {
    if (old.found) writeKeyFile(`${path}.${idOf(old.text)}`, old.text)
    moveDurably(next, path)
  } catch (error) {
    throw settingsAreWrong(`master.key.next cannot become master.key (${codeOf(error)})`)
  }
}

function idOf(text: string): string {
  const masterKey = parseMasterKey(text, 'master.key')
  return masterKey.kind === 'bytes' ? keyIdOf(masterKey.bytes) : 'passphrase'
}

function nextKeyPath(dataDir: string): string {
  return `${dataDirKeyPath(dataDir)}.next`
}
