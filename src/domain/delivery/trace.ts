/**
 * The name of a message for mail servers, in its Message-ID and its ENVID (RFC 3461): the time of
 * the delivery's id, by which a returned message is looked up, and half of its SHA-256. Reveals
 * neither the delivery's id nor the verification's.
 */
export function traceOf(deliveryId: string): string {
  const hash = new Bun.CryptoHasher('sha256').update(deliveryId).digest('hex')
  return deliveryId.slice(0, timeLength) + hash.slice(0, hashLength)
}

const timeLength = 8
const hashLength = 32

/** What a trace looks like, in a longer text. */
export const tracePattern = /\b[0-9A-Za-z]{8}[0-9a-f]{32}\b/g

/** The ids of a trace's time: they begin with it, and no digit of base62 comes after `~`. */
export function tracedRange(trace: string): { from: string; to: string } {
  const from = trace.slice(0, timeLength)
  return { from, to: `${from}~` }
}
