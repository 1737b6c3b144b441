/** Random numbers that are the same for the same seed. */
export type Rng = {
  /** Uniform in [0, 1). */
  next(): number
  /** A whole number from 0 to `count` - 1. */
  below(count: number): number
  /** A whole number from `min` to `max`. */
  between(min: number, max: number): number
  chance(share: number): boolean
  pick<Value>(values: readonly Value[]): Value
  /** One of the names, in proportion to its weight. */
  weighted<Name extends string>(weights: Partial<Record<Name, number>>): Name
  bytes(count: number): Uint8Array
  /** Another generator of the same seed, whose draws do not change those of this one. */
  stream(name: string): Rng
}

/** Creates an sfc32 generator from a hash of the seed and the stream's name. */
export function createRng(seed: number, name = 'root'): Rng {
  const digest = new Bun.CryptoHasher('sha256').update(`${seed}\0${name}`).digest()
  let [a, b, c, counter] = [0, 4, 8, 12].map((at) => digest.readUInt32LE(at)) as Four
  const word = (): number => {
    const sum = (a + b + counter) >>> 0
    counter = (counter + 1) >>> 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) >>> 0
    c = ((c << 21) | (c >>> 11)) >>> 0
    c = (c + sum) >>> 0
    return sum
  }
  for (let round = 0; round < 12; round++) word()

  const next = () => word() / 2 ** 32
  const below = (count: number) => Math.floor(next() * count)
  return {
    next,
    below,
    between: (min, max) => min + below(max - min + 1),
    chance: (share) => next() < share,
    pick(values) {
      const value = values[below(values.length)]
      if (value === undefined) throw new Error('there is nothing to pick from')
      return value
    },
    weighted<Name extends string>(weights: Partial<Record<Name, number>>): Name {
      const entries = Object.entries(weights) as [Name, number][]
      let rest = next() * entries.reduce((sum, [, weight]) => sum + weight, 0)
      for (const [value, weight] of entries) {
        rest -= weight
        if (rest < 0) return value
      }
      const last = entries.at(-1)
      if (!last) throw new Error('there is nothing to pick from')
      return last[0]
    },
    bytes: (count) => Uint8Array.from({ length: count }, () => word() & 0xff),
    stream: (other) => createRng(seed, `${name}/${other}`),
  }
}

type Four = [number, number, number, number]
