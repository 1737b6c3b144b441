// QR codes (ISO/IEC 18004) of texts of up to 858 bytes: byte mode, error correction L, versions 1 to 20.

/** By version from 1 on: codewords for error correction in each block, and how many blocks. */
const correction = [7, 10, 15, 20, 26, 18, 20, 24, 30, 18, 20, 24, 26, 30, 22, 24, 28, 30, 28, 28]
const blockCounts = [1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 6, 6, 6, 6, 7, 8]
/** The empty border that scanners need. */
const quiet = 4

type Grid = { size: number; dark: boolean[][]; fixed: boolean[][] }

/** The dark modules of the QR code of a text as an SVG path, in a square of `size`. */
export function qrPath(text: string): { size: number; path: string } {
  const dark = qrModules(text)
  const parts = dark.flatMap((row, y) =>
    row.flatMap((isDark, x) => (isDark ? [`M${x + quiet} ${y + quiet}h1v1h-1z`] : [])),
  )
  return { size: dark.length + 2 * quiet, path: parts.join('') }
}

export function qrModules(text: string): boolean[][] {
  const bytes = new TextEncoder().encode(text)
  const version = versionFor(bytes.length)
  const codewords = interleaved(dataOf(bytes, version), version)
  const grid = drawn(version)
  place(grid, codewords)
  const masked = masks.map((mask, number) => withMask(grid, { mask, number }))
  const costs = masked.map(penalty)
  return masked[costs.indexOf(Math.min(...costs))] ?? []
}

/** The modules that carry data and error correction. */
function rawBits(version: number): number {
  const align = version < 2 ? 0 : Math.floor(version / 7) + 2
  const all = (16 * version + 128) * version + 64
  const alignment = align === 0 ? 0 : (25 * align - 10) * align - 55
  return all - alignment - (version >= 7 ? 36 : 0)
}

function dataLength(version: number): number {
  const [perBlock = 0, blocks = 0] = [correction[version - 1], blockCounts[version - 1]]
  return Math.floor(rawBits(version) / 8) - perBlock * blocks
}

const headerBits = (version: number) => 4 + (version < 10 ? 8 : 16)

function versionFor(length: number): number {
  for (let version = 1; version <= correction.length; version++) {
    if (headerBits(version) + 8 * length <= 8 * dataLength(version)) return version
  }
  throw new Error('the text is too long for a QR code')
}

/** Mode, length, the text and the padding. */
function dataOf(bytes: Uint8Array, version: number): number[] {
  const bits: number[] = []
  const put = (value: number, count: number) => {
    for (let at = count - 1; at >= 0; at--) bits.push((value >> at) & 1)
  }
  put(4, 4)
  put(bytes.length, headerBits(version) - 4)
  for (const byte of bytes) put(byte, 8)
  const length = dataLength(version)
  put(0, Math.min(4, 8 * length - bits.length))
  put(0, -bits.length & 7)
  const words: number[] = []
  for (let at = 0; at < bits.length; at += 8) {
    words.push(bits.slice(at, at + 8).reduce((word, bit) => 2 * word + bit, 0))
  }
  for (let pad = 0xec; words.length < length; pad ^= 0xfd) words.push(pad)
  return words
}

/** Splits the data into blocks, adds each one’s error correction, and takes from all in turn. */
function interleaved(data: number[], version: number): number[] {
  const [perBlock = 0, count = 1] = [correction[version - 1], blockCounts[version - 1]]
  const divisor = generator(perBlock)
  const shorter = count - (data.length % count)
  const blocks: number[][] = []
  let from = 0
  for (let index = 0; index < count; index++) {
    const length = Math.floor(data.length / count) + (index < shorter ? 0 : 1)
    blocks.push(data.slice(from, from + length))
    from += length
  }
  const checks = blocks.map((block) => remainder(block, divisor))
  const longest = Math.max(...blocks.map(({ length }) => length))
  const inTurn = (lists: number[][], length: number) =>
    Array.from({ length }, (_, at) => lists.flatMap((list) => list[at] ?? [])).flat()
  return [...inTurn(blocks, longest), ...inTurn(checks, perBlock)]
}

/** Multiplies in the field of 256 elements. */
function times(a: number, b: number): number {
  let product = 0
  for (let bit = 7; bit >= 0; bit--) {
    product = (product << 1) ^ ((product >> 7) * 0x11d)
    product ^= ((b >> bit) & 1) * a
  }
  return product
}

function generator(degree: number): number[] {
  let polynomial = [1]
  let root = 1
  for (let step = 0; step < degree; step++) {
    const shifted = [...polynomial, 0]
    polynomial = shifted.map((value, at) => value ^ times(polynomial[at - 1] ?? 0, root))
    root = times(root, 2)
  }
  return polynomial.slice(1)
}

function remainder(data: number[], divisor: number[]): number[] {
  let rest: number[] = divisor.map(() => 0)
  for (const word of data) {
    const factor = word ^ (rest[0] ?? 0)
    rest = divisor.map((value, at) => (rest[at + 1] ?? 0) ^ times(value, factor))
  }
  return rest
}

/** The patterns that every code of this version has. */
function drawn(version: number): Grid {
  const size = 17 + 4 * version
  const square = () => Array.from({ length: size }, () => Array<boolean>(size).fill(false))
  const grid: Grid = { size, dark: square(), fixed: square() }
  for (let at = 0; at < size; at++) {
    set(grid, 6, at, at % 2 === 0)
    set(grid, at, 6, at % 2 === 0)
  }
  for (const [x, y] of [
    [3, 3],
    [size - 4, 3],
    [3, size - 4],
  ] as const) {
    ring(grid, { x, y, radius: 4, isDark: (distance) => distance !== 2 && distance !== 4 })
  }
  const centres = alignment(version, size)
  const last = centres.length - 1
  for (const [row, y] of centres.entries()) {
    for (const [column, x] of centres.entries()) {
      const isCorner =
        (row === 0 && column === 0) ||
        (row === 0 && column === last) ||
        (row === last && column === 0)
      if (!isCorner) ring(grid, { x, y, radius: 2, isDark: (distance) => distance !== 1 })
    }
  }
  formatInto(grid, 0)
  if (version >= 7) versionInto(grid, version)
  return grid
}

type Ring = { x: number; y: number; radius: number; isDark(distance: number): boolean }

function ring(grid: Grid, { x, y, radius, isDark }: Ring): void {
  for (let dy = -radius; dy <= radius; dy++) {
    for (let dx = -radius; dx <= radius; dx++) {
      set(grid, x + dx, y + dy, isDark(Math.max(Math.abs(dx), Math.abs(dy))))
    }
  }
}

function alignment(version: number, size: number): number[] {
  if (version === 1) return []
  const count = Math.floor(version / 7) + 2
  const step = Math.ceil((size - 13) / (2 * count - 2)) * 2
  const rest = Array.from({ length: count - 1 }, (_, at) => size - 7 - at * step)
  return [6, ...rest.reverse()]
}

function set({ size, dark, fixed }: Grid, x: number, y: number, isDark: boolean): void {
  const [row, marks] = [dark[y], fixed[y]]
  if (!row || !marks || x < 0 || x >= size) return
  row[x] = isDark
  marks[x] = true
}

/** The number of the mask, with error correction L, at both of its places. */
function formatInto(grid: Grid, mask: number): void {
  const data = (1 << 3) | mask
  let rest = data
  for (let step = 0; step < 10; step++) rest = (rest << 1) ^ ((rest >> 9) * 0x537)
  const bits = ((data << 10) | rest) ^ 0x5412
  const bit = (at: number) => ((bits >> at) & 1) === 1
  const { size } = grid
  for (let at = 0; at <= 5; at++) set(grid, 8, at, bit(at))
  set(grid, 8, 7, bit(6))
  set(grid, 8, 8, bit(7))
  set(grid, 7, 8, bit(8))
  for (let at = 9; at < 15; at++) set(grid, 14 - at, 8, bit(at))
  for (let at = 0; at < 8; at++) set(grid, size - 1 - at, 8, bit(at))
  for (let at = 8; at < 15; at++) set(grid, 8, size - 15 + at, bit(at))
  set(grid, 8, size - 8, true)
}

function versionInto(grid: Grid, version: number): void {
  let rest = version
  for (let step = 0; step < 12; step++) rest = (rest << 1) ^ ((rest >> 11) * 0x1f25)
  const bits = (version << 12) | rest
  for (let at = 0; at < 18; at++) {
    const [far, near] = [grid.size - 11 + (at % 3), Math.floor(at / 3)]
    const isDark = ((bits >> at) & 1) === 1
    set(grid, far, near, isDark)
    set(grid, near, far, isDark)
  }
}

/** Writes the codewords upwards and downwards in columns of two, from the right. */
function place({ size, dark, fixed }: Grid, codewords: number[]): void {
  let at = 0
  for (let right = size - 1; right >= 1; right -= 2) {
    if (right === 6) right = 5
    for (let step = 0; step < size; step++) {
      const isUpward = ((right + 1) & 2) === 0
      const y = isUpward ? size - 1 - step : step
      for (const x of [right, right - 1]) {
        const row = dark[y]
        if (!row || fixed[y]?.[x] || at >= 8 * codewords.length) continue
        row[x] = (((codewords[at >> 3] ?? 0) >> (7 - (at & 7))) & 1) === 1
        at++
      }
    }
  }
}

const masks: ((x: number, y: number) => boolean)[] = [
  (x, y) => (x + y) % 2 === 0,
  (_, y) => y % 2 === 0,
  (x) => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0,
  (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
]

function withMask(
  { size, dark, fixed }: Grid,
  { mask, number }: { mask: (x: number, y: number) => boolean; number: number },
): boolean[][] {
  const modules = dark.map((row, y) =>
    row.map((isDark, x) => (fixed[y]?.[x] ? isDark : isDark !== mask(x, y))),
  )
  formatInto({ size, dark: modules, fixed: fixed.map((row) => [...row]) }, number)
  return modules
}

/** How hard a code is to read: long runs, blocks, patterns like a corner’s, too much of one colour. */
function penalty(modules: boolean[][]): number {
  const size = modules.length
  const columns = modules.map((_, x) => modules.map((row) => row[x] ?? false))
  const lines = [...modules, ...columns].map((line) => line.map(Number).join(''))
  let cost = 0
  for (const line of lines) {
    for (const [run] of line.matchAll(/0{5,}|1{5,}/g)) cost += run.length - 2
    for (const _ of line.matchAll(/(?=0000(1011101))|(?=(1011101)0000)/g)) cost += 40
  }
  for (let y = 1; y < size; y++) {
    for (let x = 1; x < size; x++) {
      const four = [
        modules[y]?.[x],
        modules[y - 1]?.[x],
        modules[y]?.[x - 1],
        modules[y - 1]?.[x - 1],
      ]
      if (four.every((isDark) => isDark === four[0])) cost += 3
    }
  }
  const share = modules.flat().filter(Boolean).length / size ** 2
  return cost + 10 * Math.floor(Math.abs(share - 0.5) * 20)
}
