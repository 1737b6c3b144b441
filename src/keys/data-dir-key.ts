import type { Clock, Random } from '../domain/ports.ts'
import type { RecordStore } from '../domain/stores.ts'
import { moveKeyFile, readKeyFile, writeKeyFile } from './key-file.ts'
import { keyIdOf } from './keyset.ts'
import { type LoadedKeyset, loadKeyset } from './load-keyset.ts'
import {
  dataDirKeyPath,
  type FoundMasterKey,
  generateMasterKey,
  type Mistake,
  mistake,
  parseMasterKey,
  readMasterKeyFile,
} from './master-key.ts'
import { type Rotated, type Rotation, rotateMasterKey } from './rotate.ts'

/**
 * The keyset of a start: `loadKeyset`, which also ends a rotation of `<data dir>/master.key` that
 * was killed after the database had changed to the new key and before the file had.
 */
export async function unlockKeyset(options: {
  records: Pick<RecordStore, 'readFact' | 'writeFacts'>
  found: FoundMasterKey
  dataDir: string
  random: Random
  clock: Clock
}): Promise<LoadedKeyset> {
  const { found, dataDir, ...rest } = options
  const loaded = await loadKeyset({ ...rest, masterKey: found.masterKey })
  if (loaded.ok || found.source !== 'data_dir') return loaded

  const next = readMasterKeyFile(nextKeyPath(dataDir), 'master.key.next')
  if (!next.ok) return loaded
  const loadedNext = await loadKeyset({ ...rest, masterKey: next.masterKey })
  if (!loadedNext.ok) return loaded
  const failed = promoteNextKey(dataDir)
  return failed ?? loadedNext
}

/**
 * Rotates `<data dir>/master.key`: the new key lies beside it as `master.key.next` before anything
 * depends on it, and the old one stays as `master.key.<its id>`, which backups made before need.
 */
export async function rotateDataDirKey(
  rotation: Omit<Rotation, 'oldMaster' | 'newMaster'> & { dataDir: string },
): Promise<Rotated> {
  const { dataDir, records, random } = rotation
  const old = readMasterKeyFile(dataDirKeyPath(dataDir), 'master.key')
  if (!old.ok) return old

  const isStaged = readKeyFile(nextKeyPath(dataDir)).found
  if (!isStaged && (await records.readFact('rotation_bridge'))) {
    return rotateMasterKey({ ...rotation, oldMaster: old.masterKey, newMaster: old.masterKey })
  }
  if (!isStaged) {
    const failure = writeKeyFile(nextKeyPath(dataDir), generateMasterKey(random))
    if (failure) return mistake(`master.key.next cannot be written (${failure})`)
  }
  const next = readMasterKeyFile(nextKeyPath(dataDir), 'master.key.next')
  if (!next.ok) return next
  const keys = { oldMaster: old.masterKey, newMaster: next.masterKey }
  const rotated = await rotateMasterKey({ ...rotation, ...keys })
  if (!rotated.ok) return rotated
  return promoteNextKey(dataDir) ?? rotated
}

/** Keeps the old key under its id, then lets the next one take its place in one rename. */
function promoteNextKey(dataDir: string): Mistake | null {
  const path = dataDirKeyPath(dataDir)
  const next = nextKeyPath(dataDir)
  // The server that follows a rotation may have been here first.
  if (!readKeyFile(next).found) return null
  const old = readKeyFile(path)
  const parsed = old.found ? parseMasterKey(old.text, 'master.key') : null
  if (old.found && parsed?.ok) {
    const { masterKey } = parsed
    const id = masterKey.kind === 'bytes' ? keyIdOf(masterKey.bytes) : 'passphrase'
    const failure = writeKeyFile(`${path}.${id}`, old.text)
    if (failure) return mistake(`the old master.key cannot be kept (${failure})`)
  }
  const failure = moveKeyFile(next, path)
  return failure ? mistake(`master.key.next cannot be renamed to master.key (${failure})`) : null
}

function nextKeyPath(dataDir: string): string {
  return `${dataDirKeyPath(dataDir)}.next`
}
