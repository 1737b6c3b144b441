import { systemClock } from '../clock.ts'
import type { Settings } from '../config/load.ts'
import { rotateDataDirKey } from '../keys/data-dir-key.ts'
import { createKeyring } from '../keys/keyring.ts'
import { loadKeyset } from '../keys/load-keyset.ts'
import {
  dataDirKeyPath,
  type FoundMasterKey,
  findMasterKey,
  generateMasterKey,
  type MasterKey,
  readMasterKeyFile,
} from '../keys/master-key.ts'
import { rotateMasterKey } from '../keys/rotate.ts'
import { systemRandom } from '../random.ts'
import type { SqliteStore } from '../store/sqlite/store.ts'
import { type DataDirectory, dataDirectory, isHeld } from './data-directory.ts'
import { type LateKeyring, missing, openStore } from './open.ts'
import { exits, type Refusal, refusal } from './refusal.ts'

export function newMasterKey(): string {
  return generateMasterKey(systemRandom)
}

export type KeyRotation = {
  /** Null replaces the key in the data directory by one that is made here. */
  newKeyFile: string | null
  onProgress(rewrapped: number): void
}

export type KeyRotated = {
  ok: true
  keyId: string
  rewrapped: number
  /** Where the former key came from, which must give the new one at the next start. */
  source: FoundMasterKey['source']
}

/**
 * Puts a new master key in the place of the current one, beside a running server or without one.
 * Opens no keyset first: after a kill in the middle it is the new key that opens it.
 */
export async function rotateKey(
  settings: Settings,
  rotation: KeyRotation,
): Promise<KeyRotated | Refusal> {
  const directory = dataDirectory(settings.dataDir)
  const absent = missing(directory)
  if (absent) return absent
  const key = findMasterKey({
    settings: settings.masterKey,
    dataDir: directory.root,
    databaseExists: true,
    random: systemRandom,
  })
  if (!key.ok) return refusal(exits.settings, key.mistake)
  const { masterKey, source } = key.found
  if (rotation.newKeyFile === null && source !== 'data_dir') {
    const advice = 'name a file that holds the new one with --new-key-file'
    return refusal(exits.failed, `the master key does not come from the data directory: ${advice}`)
  }
  const late: LateKeyring = { keyring: null }
  const store = openStore(directory.database, late)
  if ('exitCode' in store) return store
  try {
    return await rotateIn({ store, late, directory, masterKey, source }, rotation)
  } finally {
    store.close()
  }
}

type Place = {
  store: SqliteStore
  late: LateKeyring
  directory: DataDirectory
  masterKey: MasterKey
  source: FoundMasterKey['source']
}

async function rotateIn(place: Place, rotation: KeyRotation): Promise<KeyRotated | Refusal> {
  const { store, late, directory, masterKey, source } = place
  const { records, apps } = store
  const { newKeyFile, onProgress } = rotation
  const common = {
    ...{ records, apps, onProgress, random: systemRandom, clock: systemClock },
    serverRuns: async () => isHeld(directory),
  }
  const next = newKeyFile === null ? null : readMasterKeyFile(newKeyFile, '--new-key-file')
  if (next && !next.ok) return refusal(exits.failed, next.mistake)
  const rotated = next
    ? await rotateMasterKey({ ...common, oldMaster: masterKey, newMaster: next.masterKey })
    : await rotateDataDirKey({ ...common, dataDir: directory.root })
  if (!rotated.ok) return refusal(exits.failed, rotated.mistake)

  const current = next ?? readMasterKeyFile(dataDirKeyPath(directory.root), 'master.key')
  if (!current.ok) return refusal(exits.failed, current.mistake)
  const opened = await loadKeyset({ ...common, masterKey: current.masterKey })
  if (!opened.ok) return refusal(exits.failed, opened.mistake)
  late.keyring = createKeyring(opened.keyset)
  await records.addAudit({
    at: systemClock.now(),
    who: 'cli',
    action: 'master_key.rotate',
    object: rotated.keyId,
    detail: `data keys ${rotated.rewrapped}`,
    requestId: null,
  })
  return { ...rotated, source }
}
