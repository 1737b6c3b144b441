import { dirname, resolve } from 'node:path'
import type { Ports } from '../domain/ports.ts'
import { keyIdOf, masterBytes } from './keyset.ts'
import { type MasterKey, readMasterKeyFile } from './master-key.ts'
import { saltLength } from './passphrase.ts'

type KeyPorts = Pick<Ports, 'meta' | 'random'>

/** The master key that the next rotation brings, as this process has it beside the present one. */
export type NextKey = {
  /** Null without one, and for a file that does not hold one now. */
  read(): MasterKey | null
  /** Its id, by which a rotation knows that this process holds the right one. */
  id(): Promise<string | null>
}

export const nextKeySetting = 'OTPMINT_MASTER_KEY_NEXT_FILE'

export type NextKeyPlace = { nextFile: string | null; credentialsDirectory: string | null }

/**
 * The key in the file of the settings; null without one. Throws `StartupError` where the file does not
 * hold a key.
 */
export function readNextKey({ nextFile, credentialsDirectory }: NextKeyPlace): MasterKey | null {
  if (nextFile === null) return null
  // systemd protects credentials by their directory; their access lists look like mode 0440.
  const anyMode = credentialsDirectory === dirname(resolve(nextFile))
  return readMasterKeyFile(nextFile, nextKeySetting, { anyMode })
}

/** Reads the file whenever it is asked, because it may be put there while the server runs. */
export function createNextKey(ports: KeyPorts, place: NextKeyPlace): NextKey {
  const known = new Map<string, Promise<string>>()
  const read = () => {
    try {
      return readNextKey(place)
    } catch {
      return null
    }
  }
  return {
    read,
    async id() {
      const masterKey = read()
      if (!masterKey) return null
      if (masterKey.kind === 'bytes') return keyIdOf(masterKey.bytes)
      // Stretching takes 64 MiB and 0.3 s, so it is done once for each salt.
      const salt = await nextSalt(ports)
      const place = `${Buffer.from(salt).toString('hex')} ${masterKey.passphrase}`
      const found = known.get(place) ?? masterBytesOf(masterKey, salt).then(keyIdOf)
      known.clear()
      known.set(place, found)
      return found
    },
  }
}

/** The bytes of a master key that is to become this database's, and the salt of a passphrase. */
export async function nextMaster(
  ports: KeyPorts,
  masterKey: MasterKey,
): Promise<{ bytes: Uint8Array; salt: Uint8Array | null }> {
  const salt = masterKey.kind === 'passphrase' ? await nextSalt(ports) : null
  return { bytes: await masterBytesOf(masterKey, salt), salt }
}

/** The salt of the next passphrase is made before its rotation, so that every node has the same. */
const saltFact = 'next_passphrase_salt'

/** Facts that a rotation writes with the next key's keyset: a later passphrase has another salt. */
export const usedSalt = { [saltFact]: null }

async function nextSalt({ meta, random }: KeyPorts): Promise<Uint8Array> {
  const salt = random.bytes(saltLength)
  const stored = async () => (await meta.read(saltFact)) ?? null
  const known = await stored()
  if (known) return known
  if (await meta.write({ [saltFact]: salt }, { expected: { [saltFact]: null } })) return salt
  return (await stored()) ?? salt
}

async function masterBytesOf(masterKey: MasterKey, salt: Uint8Array | null): Promise<Uint8Array> {
  const bytes = await masterBytes(masterKey, salt)
  if (!bytes) throw new Error('a passphrase needs a salt')
  return bytes
}
