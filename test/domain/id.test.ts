import { expect, test } from 'bun:test'
import { newApiKey, readApiKey } from '../../src/domain/app/api-key.ts'
import { newId, newTimedId } from '../../src/domain/id.ts'
import { systemRandom } from '../../src/system.ts'

const all = (byte: number) => ({ bytes: (count: number) => new Uint8Array(count).fill(byte) })

test('an id is 22 characters of base62 that hold all 128 bits', () => {
  expect(newId(all(0))).toBe('0'.repeat(22))
  expect(newId(all(255))).toBe('7n42DGM5Tflk9n8mt7Fhc7')
  const ids = new Set(Array.from({ length: 10_000 }, () => newId(systemRandom)))
  expect(ids.size).toBe(10_000)
  for (const id of ids) expect(id).toMatch(/^[0-9A-Za-z]{22}$/)
})

test('a timed id is 30 characters: its time in eight, then 22 random ones', () => {
  expect(newTimedId(all(0), 0)).toBe('0'.repeat(30))
  // The last ms that eight digits of base62 hold, in the year 8888.
  expect(newTimedId(all(61), 62 ** 8 - 1)).toBe('z'.repeat(30))
  expect(newTimedId(all(0), 62 ** 2 + 1)).toBe(`00000101${'0'.repeat(22)}`)
  expect(newTimedId(all(61), 1) < newTimedId(all(0), 2)).toBe(true)
  const ids = new Set(Array.from({ length: 10_000 }, () => newTimedId(systemRandom, 1)))
  expect(ids.size).toBe(10_000)
})

test('timed ids sort by time', () => {
  const times = [0, 1, 1_700_000_000_000, 1_700_000_000_001, 2 ** 47]
  const ids = times.map((time) => newTimedId(systemRandom, time))
  expect([...ids].sort()).toEqual(ids)
})

test('a key with a wrong checksum is refused without a look-up', () => {
  const key = newApiKey(systemRandom, 'live')
  expect(key).toMatch(/^otpm_live_[0-9A-Za-z]{36}$/)
  expect(readApiKey(key)).toEqual({ mode: 'live' })
  expect(readApiKey(newApiKey(systemRandom, 'test'))).toEqual({ mode: 'test' })

  for (let i = 0; i < key.length; i++) {
    const other = key[i] === 'a' ? 'b' : 'a'
    expect(readApiKey(key.slice(0, i) + other + key.slice(i + 1))).toBeNull()
  }
  for (const text of ['', 'otpm_live_', `${key}0`, key.slice(1), 'x'.repeat(100_000)]) {
    expect(readApiKey(text)).toBeNull()
  }
})
