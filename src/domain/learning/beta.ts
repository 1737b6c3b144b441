/** Numbers in (0, 1) that are the same for the same seed. */
export type Uniform = () => number

/**
 * Uniform numbers from a text: its FNV-1a hash, counted up and mixed (the finalizer of MurmurHash3).
 * For choices that must be the same when they are made again, never for secrets.
 */
export function seededUniform(seed: string): Uniform {
  let state = 0x811c9dc5
  for (let at = 0; at < seed.length; at++) {
    state = Math.imul(state ^ seed.charCodeAt(at), 0x01000193)
  }
  return () => {
    state = (state + 0x9e3779b9) | 0
    let mixed = Math.imul(state ^ (state >>> 16), 0x85ebca6b)
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
    mixed ^= mixed >>> 16
    return ((mixed >>> 0) + 0.5) / 2 ** 32
  }
}

/**
 * A sample of Beta(a, b), both 1 or more: by inversion where one of them is 1, else by the rejection
 * of Cheng (1978, algorithm BB), which needs uniform numbers only.
 */
export function sampleBeta(a: number, b: number, uniform: Uniform): number {
  if (a === 1) return 1 - uniform() ** (1 / b)
  if (b === 1) return uniform() ** (1 / a)
  const [small, large] = a < b ? [a, b] : [b, a]
  const sum = a + b
  const slope = Math.sqrt((sum - 2) / (2 * a * b - sum))
  const gamma = small + 1 / slope
  for (;;) {
    const [first, second] = [uniform(), uniform()]
    const logit = slope * Math.log(first / (1 - first))
    const weight = small * Math.exp(logit)
    const spread = gamma * logit - Math.log(4)
    const chance = Math.log(first * first * second)
    if (spread + sum * Math.log(sum / (large + weight)) < chance) continue
    return a < b ? weight / (large + weight) : large / (large + weight)
  }
}
