import type { Random } from './domain/ports.ts'

/** Secure random bytes of the operating system. */
export const systemRandom: Random = {
  bytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
}
