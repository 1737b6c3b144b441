import { argon2Sync } from 'node:crypto'

export const saltLength = 16

/** What argon2id (RFC 9106) is run with. */
export type Argon2 = {
  memoryKib: number
  passes: number
  lanes: number
  length: number
  salt: Uint8Array
  /** A key that is needed to try a password. */
  secret?: Uint8Array
}

// RFC 9106 section 4, second recommended option: argon2id, 64 MiB, 3 passes, 4 lanes.
const ofPassphrases = { memoryKib: 65_536, passes: 3, lanes: 4, length: 32 }

/** Derives 32 key bytes from a passphrase; takes about 0.3 s and 64 MiB. */
export async function stretchPassphrase(
  passphrase: string,
  salt: Uint8Array,
  loadNative?: LoadNative,
): Promise<Uint8Array> {
  return argon2id(passphrase, { ...ofPassphrases, salt }, loadNative)
}

type LoadNative = () => Promise<typeof import('@node-rs/argon2')>
const native: LoadNative = () => import('@node-rs/argon2')

/**
 * Runs argon2id. The native library is loaded only here; where that fails (a noexec or missing tmp
 * directory), the runtime's own argon2id gives the same bytes.
 */
export async function argon2id(
  text: string,
  { memoryKib, passes, lanes, length, salt, secret }: Argon2,
  loadNative: LoadNative = native,
): Promise<Uint8Array> {
  // Keyboards may compose accents differently.
  const message = text.normalize('NFC')
  const loaded = await loadNative().catch(() => null)
  const bytes = loaded
    ? await loaded.hashRaw(message, {
        algorithm: 2, // argon2id; the const enum does not exist at run time
        memoryCost: memoryKib,
        timeCost: passes,
        parallelism: lanes,
        outputLen: length,
        salt,
        ...(secret && { secret }),
      })
    : argon2Sync('argon2id', {
        message,
        nonce: salt,
        memory: memoryKib,
        passes,
        parallelism: lanes,
        tagLength: length,
        ...(secret && { secret }),
      })
  return new Uint8Array(bytes)
}
