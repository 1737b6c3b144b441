import { argon2Sync } from 'node:crypto'

export const saltLength = 16

// RFC 9106 section 4, second recommended option: argon2id, 64 MiB, 3 passes, 4 lanes.
const memoryKib = 65_536
const passes = 3
const lanes = 4
const keyLength = 32

/**
 * Derives 32 key bytes from a passphrase; takes about 0.3 s and 64 MiB. The native library is
 * loaded only here; where that fails (a noexec or missing tmp directory), the runtime's own
 * argon2id gives the same bytes.
 */
export async function stretchPassphrase(
  passphrase: string,
  salt: Uint8Array,
  loadNative = () => import('@node-rs/argon2'),
): Promise<Uint8Array> {
  // Keyboards may compose accents differently.
  const message = passphrase.normalize('NFC')
  const native = await loadNative().catch(() => null)
  const bytes = native
    ? await native.hashRaw(message, {
        algorithm: 2, // argon2id; the const enum does not exist at run time
        memoryCost: memoryKib,
        timeCost: passes,
        parallelism: lanes,
        outputLen: keyLength,
        salt,
      })
    : argon2Sync('argon2id', {
        message,
        nonce: salt,
        memory: memoryKib,
        passes,
        parallelism: lanes,
        tagLength: keyLength,
      })
  return new Uint8Array(bytes)
}
