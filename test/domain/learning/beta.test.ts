import { expect, setDefaultTimeout, test } from 'bun:test'
import fc from 'fast-check'
import { sampleBeta, seededUniform } from '../../../src/domain/learning/beta.ts'

setDefaultTimeout(60_000)

const count = 20_000

/** The mean of samples and of their squared distances from `around`. */
function moments(samples: number[], around: number): { mean: number; variance: number } {
  const sum = (values: number[]) => values.reduce((total, value) => total + value, 0)
  const squares = samples.map((sample) => (sample - around) ** 2)
  return { mean: sum(samples) / samples.length, variance: sum(squares) / samples.length }
}

test('numbers from a seed are uniform in (0, 1), and the same for the same seed', () => {
  const bins = new Array<number>(20).fill(0)
  const uniform = seededUniform('0Uw3Xa8bQ2sXyKBqCk1uT5vYw8ZaDf')
  const again = seededUniform('0Uw3Xa8bQ2sXyKBqCk1uT5vYw8ZaDf')
  for (let drawn = 0; drawn < count; drawn++) {
    const value = uniform()
    expect(value > 0 && value < 1 && value === again()).toBe(true)
    const bin = Math.floor(value * bins.length)
    bins[bin] = (bins[bin] ?? 0) + 1
  }

  const usual = count / bins.length
  const chiSquare = bins.reduce((sum, each) => sum + (each - usual) ** 2 / usual, 0)
  // The 99.99th percentile for 19 degrees of freedom.
  expect(chiSquare).toBeLessThan(50.8)
})

test('the first numbers of seeds that differ in one character are independent', () => {
  const first = Array.from({ length: count }, (_, index) => seededUniform(`delivery ${index}`)())
  const { mean, variance } = moments(first, 0.5)
  const pairs = first.slice(1).map((value, index) => (value - 0.5) * ((first[index] ?? 0) - 0.5))
  const { mean: covariance } = moments(pairs, 0)

  expect(Math.abs(mean - 0.5)).toBeLessThan(0.01)
  expect(Math.abs(variance - 1 / 12)).toBeLessThan(0.003)
  expect(Math.abs(covariance)).toBeLessThan(0.003)
})

test('samples have the mean and the variance of the beta distribution', () => {
  const shape = fc.oneof(fc.constant(1), fc.double({ min: 1, max: 300, noNaN: true }))
  fc.assert(
    fc.property(shape, shape, fc.string(), (a, b, seed) => {
      const uniform = seededUniform(seed)
      const samples = Array.from({ length: count }, () => sampleBeta(a, b, uniform))
      const sum = a + b
      const mean = a / sum
      const variance = (a * b) / (sum ** 2 * (sum + 1))
      const found = moments(samples, mean)

      expect(samples.every((sample) => sample >= 0 && sample <= 1)).toBe(true)
      // Six standard errors of the mean; the variance's depends on the shape and is below 4 %.
      expect(Math.abs(found.mean - mean)).toBeLessThan(6 * Math.sqrt(variance / count))
      expect(Math.abs(found.variance / variance - 1)).toBeLessThan(0.15)
    }),
    { numRuns: 40 },
  )
})
