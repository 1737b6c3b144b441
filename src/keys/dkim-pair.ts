import {
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto'
import { promisify } from 'node:util'
import type { DkimPair } from '../domain/app/dkim.ts'
import type { DkimPairs } from '../domain/ports.ts'

/** RFC 8301: 2048 bits are advised, and verifiers take up to 4096. */
const [bitsMin, bitsMax] = [2048, 4096]

export const dkimPairs: DkimPairs = {
  make: async () => {
    const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: bitsMin })
    return pairOf(privateKey)
  },
  read(pem) {
    if (!/^-----BEGIN (RSA )?PRIVATE KEY-----$/m.test(pem)) return null
    try {
      const key = createPrivateKey(pem)
      const { modulusLength = 0 } = key.asymmetricKeyDetails ?? {}
      const isFit = key.asymmetricKeyType === 'rsa' && modulusLength >= bitsMin
      return isFit && modulusLength <= bitsMax && signs(key) ? pairOf(key) : null
    } catch {
      return null
    }
  },
}

/** False for numbers that are no key pair, which OpenSSL reads all the same. */
function signs(key: KeyObject): boolean {
  const text = Buffer.from('a message')
  return verify('sha256', text, createPublicKey(key), sign('sha256', text, key))
}

function pairOf(key: KeyObject): DkimPair {
  return {
    publicKey: createPublicKey(key).export({ type: 'spki', format: 'der' }).toString('base64'),
    privateKey: key.export({ type: 'pkcs8', format: 'der' }).toString('base64'),
  }
}
