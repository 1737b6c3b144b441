import { createPrivateKey, type KeyObject, sign as signBytes } from 'node:crypto'
import type { DkimSigner } from './mail-job.ts'

type Dkim = {
  /**
   * Puts a DKIM-Signature (RFC 6376) before the message, or returns it as it is when the key does
   * not sign. `at` is the time of the signature, in ms.
   */
  sign(raw: string, signer: DkimSigner, at: number): Promise<string>
}

/** The header fields that are signed where the message has them. */
const signedNames = [
  'from',
  'to',
  'subject',
  'date',
  'message-id',
  'mime-version',
  'content-type',
  'otp-token',
]

const keysMax = 200

/**
 * Signs with RSA-SHA256, relaxed/relaxed. A parsed key is kept, because parsing takes a sixth of the
 * time of a signature. Signatures are made outside of this thread, so that other mails go on.
 */
export function createDkim(): Dkim {
  const keys = new Map<string, KeyObject>()

  const keyOf = (privateKey: string): KeyObject => {
    const known = keys.get(privateKey)
    if (known) return known
    const [oldest] = keys.keys()
    if (keys.size >= keysMax && oldest !== undefined) keys.delete(oldest)
    const der = Buffer.from(privateKey, 'base64')
    const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
    keys.set(privateKey, key)
    return key
  }
  return {
    async sign(raw, { domain, selector, privateKey }, at) {
      try {
        const { signed, names, bodyHash } = digestOf(raw)
        const tags = [
          `v=1; a=rsa-sha256; c=relaxed/relaxed; t=${Math.floor(at / 1000)}`,
          `d=${domain}`,
          `s=${selector}`,
          `h=${names}`,
          `bh=${bodyHash}`,
          'b=',
        ]
        const header = `DKIM-Signature: ${tags.join(';\r\n ')}`
        const bytes = Buffer.from(`${signed}${relaxed(header)}`, 'latin1')
        const signature = await signatureOf(keyOf(privateKey), bytes)
        return `${header}${folded(signature)}\r\n${raw}`
      } catch {
        return raw
      }
    },
  }
}

/** The header fields as they are signed, their names for `h=`, and the hash of the body. */
function digestOf(raw: string): { signed: string; names: string; bodyHash: string } {
  const end = raw.indexOf('\r\n\r\n')
  const head = end < 0 ? raw : raw.slice(0, end)
  const body = end < 0 ? '' : raw.slice(end + 4)
  const fields = new Map<string, string>()
  for (const field of head.split(/\r\n(?![ \t])/)) {
    fields.set(field.slice(0, field.indexOf(':')).trim().toLowerCase(), field)
  }
  const present = signedNames.flatMap((name) => {
    const field = fields.get(name)
    return field === undefined ? [] : [{ name, field }]
  })
  return {
    signed: present.map(({ field }) => `${relaxed(field)}\r\n`).join(''),
    // Each name twice, so that a second field of that name cannot be added (RFC 6376 section 5.4.2).
    names: present.flatMap(({ name }) => [name, name]).join(':\r\n  '),
    bodyHash: new Bun.CryptoHasher('sha256').update(relaxedBody(body)).digest('base64'),
  }
}

/** RFC 6376 section 3.4.2: unfolded, with single spaces and the name in lower case. */
function relaxed(field: string): string {
  const at = field.indexOf(':')
  const value = field.slice(at + 1).replace(/[ \t\r\n]+/g, ' ')
  return `${field.slice(0, at).trim().toLowerCase()}:${value.trim()}`
}

/** RFC 6376 section 3.4.4. */
function relaxedBody(body: string): string {
  const lines = body.replace(/[ \t]+/g, ' ').replace(/ (?=\r\n|$)/g, '')
  const text = lines.replace(/(\r\n)*$/, '')
  return text === '' ? '' : `${text}\r\n`
}

function signatureOf(key: KeyObject, bytes: Uint8Array): Promise<string> {
  return new Promise((resolve, reject) => {
    signBytes('sha256', bytes, key, (error, signature) => {
      if (error) reject(error)
      else resolve(signature.toString('base64'))
    })
  })
}

/** Lines of 72 characters. */
function folded(signature: string): string {
  return (signature.match(/.{1,72}/g) ?? []).map((line) => `\r\n  ${line}`).join('')
}
