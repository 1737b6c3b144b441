import { createPrivateKey, createPublicKey } from 'node:crypto'
import { calculateJwkThumbprint, type JWK, SignJWT } from 'jose'
import type { Keyset } from './keyset.ts'

/** Signs what the results of hosted pages prove, and names the public keys that verify it. */
export type Proofs = {
  /** A JWT (EdDSA) with these claims. */
  sign(claims: Record<string, string | number>): Promise<string>
  /** JWKs (RFC 7517): of the key in use, and of those before it that are kept. */
  publicKeys(): Promise<JWK[]>
}

/** The ASN.1 before the 32 bytes of an Ed25519 private key (RFC 8410). */
const beforeSeed = Buffer.from('302e020100300506032b657004220420', 'hex')

/**
 * The signing keys follow the code keys, so that a rotation of the master key makes a new one, and
 * the public one before it stays for as long as codes do.
 */
export function createProofs({ keyset }: { keyset(): Keyset }): Proofs {
  const known = new Map<string, Promise<Pair>>()
  const pairOf = (keyId: string) => {
    const seed = keyset().codeKeys[keyId]?.code
    if (!seed) throw new Error('no code key has this id')
    const pair = known.get(keyId) ?? makePair(seed)
    known.set(keyId, pair)
    return pair
  }
  return {
    async sign(claims) {
      const { privateKey, kid } = await pairOf(keyset().currentId)
      return new SignJWT(claims)
        .setProtectedHeader({ alg: 'EdDSA', kid, typ: 'JWT' })
        .sign(privateKey)
    },
    async publicKeys() {
      const pairs = await Promise.all(Object.keys(keyset().codeKeys).map(pairOf))
      return pairs.map(({ publicJwk }) => publicJwk)
    },
  }
}

type Pair = { privateKey: ReturnType<typeof createPrivateKey>; publicJwk: JWK; kid: string }

async function makePair(codeKey: Uint8Array): Promise<Pair> {
  const seed = new Bun.CryptoHasher('sha256', codeKey).update('otpmint/proof/v1').digest()
  const der = Buffer.concat([beforeSeed, seed])
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  const { kty = '', crv = '', x = '' } = createPublicKey(privateKey).export({ format: 'jwk' })
  const kid = await calculateJwkThumbprint({ kty, crv, x })
  return { privateKey, kid, publicJwk: { kty, crv, x, kid, alg: 'EdDSA', use: 'sig' } }
}
