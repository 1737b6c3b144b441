import type { Random } from './domain/ports.ts'

/** The operating system's randomness; the one place where chance enters. */
export const systemRandom: Random = {
  bytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
}
