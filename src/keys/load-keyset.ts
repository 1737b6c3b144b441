import type { Clock, Random } from '../domain/ports.ts'
import type { RecordStore } from '../domain/stores.ts'
import {
  deriveKek,
  dropOldCodeKeys,
  firstKeyset,
  type Keyset,
  keyIdOf,
  openKeyset,
  sealKeyset,
} from './keyset.ts'
import { type MasterKey, type Mistake, mistake } from './master-key.ts'
import { saltLength, stretchPassphrase } from './passphrase.ts'

export type LoadedKeyset = { ok: true; keyset: Keyset } | Mistake

/**
 * Opens the stored keyset, or makes the first one of a new database. The keyset is the canary: a
 * master key that does not open it is not this database's.
 */
export async function loadKeyset(options: {
  records: Pick<RecordStore, 'readFact' | 'writeFacts'>
  masterKey: MasterKey
  random: Random
  clock: Clock
}): Promise<LoadedKeyset> {
  const { records, masterKey, random, clock } = options
  const sealed = await records.readFact('keyset')
  if (!sealed) return createKeyset(records, masterKey, random)

  const master = await masterBytes(masterKey, await records.readFact('passphrase_salt'))
  const keyset = master && openKeyset(sealed, keyIdOf(master), deriveKek(master))
  if (keyset) return { ok: true, keyset: dropOldCodeKeys(keyset, clock.now()) }
  return mistake(await misfit(records, master))
}

/** The bytes of a master key; null for a passphrase where the database keeps no salt. */
export async function masterBytes(
  masterKey: MasterKey,
  salt: Uint8Array | null,
): Promise<Uint8Array | null> {
  if (masterKey.kind === 'bytes') return masterKey.bytes
  return salt && stretchPassphrase(masterKey.passphrase, salt)
}

/** A fact that is text. */
export function textFact(text: string | number): Uint8Array {
  return new TextEncoder().encode(String(text))
}

async function createKeyset(
  records: Pick<RecordStore, 'writeFacts'>,
  masterKey: MasterKey,
  random: Random,
): Promise<LoadedKeyset> {
  const salt = masterKey.kind === 'passphrase' ? random.bytes(saltLength) : null
  const master = await masterBytes(masterKey, salt)
  if (!master) throw new Error('a passphrase needs a salt')
  const keyset = firstKeyset(master)
  const facts = {
    keyset: sealKeyset(keyset),
    keyset_key_id: textFact(keyset.kekId),
    keyset_version: textFact(keyset.version),
    passphrase_salt: salt,
  }
  const written = await records.writeFacts(facts, { keyset: null, keyset_key_id: null })
  if (written) return { ok: true, keyset }
  return mistake('the keyset of this database is missing or just being made: restore or try again')
}

async function misfit(
  records: Pick<RecordStore, 'readFact'>,
  master: Uint8Array | null,
): Promise<string> {
  const stored = await records.readFact('keyset_key_id')
  const needed = stored ? new TextDecoder().decode(stored) : 'unknown'
  const given = master ? keyIdOf(master) : 'a passphrase'
  if (given === needed) return 'the keyset of this database is damaged: restore a backup'
  return `the master key is not this database's: key id ${needed} is needed, ${given} was given`
}
