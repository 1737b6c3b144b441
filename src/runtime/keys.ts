import type { Settings } from '../config/load.ts'
import type { Node } from '../domain/stores.ts'
import { rotateDataDirKey, tidyKeyFiles } from '../keys/data-dir-key.ts'
import {
  type FoundMasterKey,
  findMasterKey,
  generateMasterKey,
  type MasterKey,
  readMasterKeyFile,
} from '../keys/master-key.ts'
import { nextKeySetting, readNextKey } from '../keys/next-key.ts'
import { isAlive, type Rotation, rotateMasterKey } from '../keys/rotate.ts'
import { cannotStart, settingsAreWrong } from '../startup-error.ts'
import { systemClock, systemRandom, systemTimers } from '../system.ts'
import { type DataDirectory, dataDirectory, isHeld, requireDatabase } from './data-directory.ts'
import { openStore } from './open.ts'
import { type Connected, connectPostgres } from './open-postgres.ts'

export function newMasterKey(): string {
  return generateMasterKey(systemRandom)
}

export type KeyRotation = {
  /**
   * Null takes the one that the settings name for it; without that the key in the data directory is
   * replaced by a new random one.
   */
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
 * Replaces the master key, with or without running servers. Opens no keyset first, because after a
 * kill in the middle only the new key opens it. Throws `StartupError`.
 */
export async function rotateKey(settings: Settings, rotation: KeyRotation): Promise<KeyRotated> {
  const directory = dataDirectory(settings.dataDir)
  const { database, masterKey } = settings
  const { newKeyFile } = rotation
  const newMaster =
    newKeyFile === null ? readNextKey(masterKey) : readMasterKeyFile(newKeyFile, '--new-key-file')
  if (database) {
    const opened = await connectPostgres(settings, { database, directory, serves: false })
    return rotateCluster(opened, newMaster, rotation)
  }
  return rotateDirectory(settings, { directory, newMaster, rotation })
}

type InDirectory = {
  directory: DataDirectory
  newMaster: MasterKey | null
  rotation: KeyRotation
}

async function rotateDirectory(
  settings: Settings,
  { directory, newMaster, rotation: { onProgress } }: InDirectory,
): Promise<KeyRotated> {
  requireDatabase(directory)
  const { masterKey, source } = findMasterKey({
    settings: settings.masterKey,
    dataDir: directory.root,
    databaseExists: true,
    random: systemRandom,
  })
  if (newMaster === null && source !== 'data_dir') {
    const advice = 'name a file that holds the new one with --new-key-file'
    throw cannotStart(`the master key does not come from the data directory: ${advice}`)
  }
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

/** Every node must hold the new key before, because none could start again without it. */
async function rotateCluster(
  { store, clock, found, reasons }: Connected,
  newMaster: MasterKey | null,
  { onProgress }: KeyRotation,
): Promise<KeyRotated> {
  const live = async () => (await store.nodes.list()).filter((node) => isAlive(node, clock.now()))
  try {
    if (newMaster === null) reasons.push(noNewKey)
    if (newMaster === null || reasons.length > 0) throw settingsAreWrong(...reasons)
    const { masterKey: oldMaster, source } = found
    const ports = { ...store, clock, random: systemRandom, timers: systemTimers }
    const rotated = await rotateMasterKey(ports, {
      ...{ oldMaster, newMaster, onProgress },
      serverRuns: async () => (await live()).length > 0,
      refuseUnlessHeld: async (keyId) => {
        const nodes = await live()
        const without = nodes.filter(({ nextKeyId }) => nextKeyId !== keyId)
        if (without.length > 0) throw cannotStart(notHeld(without, nodes.length))
      },
    })
    return { ...rotated, source, oldFiles: [] }
  } finally {
    await store.close()
  }
}

const noNewKey =
  'the new master key is missing: give every server the same file with ' +
  `${nextKeySetting}, and this command too`

function notHeld(nodes: Node[], all: number): string {
  const ids = nodes.slice(0, 5).map(({ id }) => id)
  return (
    `${nodes.length} of ${all} live servers do not hold the new key (${ids.join(', ')}): give each ` +
    `the file with ${nextKeySetting}`
  )
}
