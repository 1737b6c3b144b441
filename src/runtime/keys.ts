import type { Settings } from '../config/load.ts'
import { rotateDataDirKey, tidyKeyFiles } from '../keys/data-dir-key.ts'
import {
  type FoundMasterKey,
  findMasterKey,
  generateMasterKey,
  readMasterKeyFile,
} from '../keys/master-key.ts'
import { type Rotation, rotateMasterKey } from '../keys/rotate.ts'
import { cannotStart } from '../startup-error.ts'
import { systemClock, systemRandom, systemTimers } from '../system.ts'
import { dataDirectory, isHeld, requireDatabase } from './data-directory.ts'
import { openStore } from './open.ts'

export function newMasterKey(): string {
  return generateMasterKey(systemRandom)
}

export type KeyRotation = {
  /** Null replaces the key in the data directory by a new random one. */
  newKeyFile: string | null
  onProgress(renewed: number): void
}

export type KeyRotated = {
  keyId: string
  /** Apps with a new data key and newly sealed secrets. */
  renewed: number
  /** The place of the former key, which must have the new one at the next start. */
  source: FoundMasterKey['source']
  /** Files with former master keys, and why each is kept; null for a removed one. */
  oldFiles: { path: string; kept: string | null }[]
}

/**
 * Replaces the master key, with or without a running server. Opens no keyset first, because after a
 * kill in the middle only the new key opens it. Throws `StartupError`.
 */
export async function rotateKey(settings: Settings, rotation: KeyRotation): Promise<KeyRotated> {
  const directory = dataDirectory(settings.dataDir)
  requireDatabase(directory)
  const { masterKey, source } = findMasterKey({
    settings: settings.masterKey,
    dataDir: directory.root,
    databaseExists: true,
    random: systemRandom,
  })
  const { newKeyFile, onProgress } = rotation
  if (newKeyFile === null && source !== 'data_dir') {
    const advice = 'name a file that holds the new one with --new-key-file'
    throw cannotStart(`the master key does not come from the data directory: ${advice}`)
  }
  const newMaster = newKeyFile === null ? null : readMasterKeyFile(newKeyFile, '--new-key-file')
  const store = await openStore(directory.database)
  const ports = { ...store, random: systemRandom, clock: systemClock, timers: systemTimers }
  const serverRuns: Rotation['serverRuns'] = async () => isHeld(directory)
  try {
    const rotated = newMaster
      ? await rotateMasterKey(ports, { serverRuns, onProgress, oldMaster: masterKey, newMaster })
      : await rotateDataDirKey(ports, { serverRuns, onProgress, dataDir: directory.root })
    return { ...rotated, source, oldFiles: tidyKeyFiles(directory.root, rotated.keyId) }
  } finally {
    await store.close()
  }
}
