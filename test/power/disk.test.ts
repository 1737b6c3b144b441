import { expect, test } from 'bun:test'
import {
  advance,
  afterCut,
  asSeen,
  createDisk,
  type FateName,
  fateOf,
  impossible,
  type NameModel,
} from './disk.ts'
import type { Action } from './trace.ts'

type Story = {
  names?: NameModel
  tree?: Record<string, string>
  ignores?: (path: string) => boolean
}

let calls = 0

function diskAfter(actions: Action[], { names = 'posix', tree = {}, ignores }: Story = {}) {
  const files = Object.entries(tree).map(([path, text]): [string, Uint8Array] => {
    return [path, Buffer.from(text)]
  })
  const disk = createDisk(names, new Map(files), ignores)
  for (const action of actions) advance(disk, { atUs: 0, ...action })
  return disk
}

function left(actions: Action[], fate: FateName, story: Story = {}, seed = 1) {
  const disk = diskAfter(actions, story)
  return texts(afterCut(disk, fateOf(fate, disk, seed)))
}

function texts(files: Map<string, Uint8Array>): Record<string, string> {
  return Object.fromEntries(
    [...files].map(([path, bytes]) => [path, Buffer.from(bytes).toString('latin1')]),
  )
}

const create = (path: string): Action => ({ kind: 'open', path, creates: true, truncates: false })
const write = (path: string, text: string, offset = 0): Action => {
  return { kind: 'write', path, offset, data: Buffer.from(text) }
}
const size = (path: string, bytes: number): Action => ({ kind: 'size', path, size: bytes })
const unlink = (path: string): Action => ({ kind: 'unlink', path })
const rename = (from: string, to: string): Action => ({ kind: 'rename', from, to })
const sync = (path: string): Action[] => {
  const call = String(calls++)
  return [
    { kind: 'syncing', path, call },
    { kind: 'synced', call },
  ]
}

test('what was not synced is gone after a cut that takes everything', () => {
  const actions = [write('a', 'new')]

  expect(left(actions, 'none', { tree: { a: 'old!' } })).toEqual({ a: 'old!' })
  expect(left(actions, 'all', { tree: { a: 'old!' } })).toEqual({ a: 'new!' })
})

test('what was synced stays, and what was written during the fsync is not covered by it', () => {
  const actions: Action[] = [
    write('a', '1'),
    { kind: 'syncing', path: 'a', call: 'x' },
    write('a', '2', 1),
    { kind: 'synced', call: 'x' },
  ]

  expect(left(actions, 'none', { tree: { a: '' } })).toEqual({ a: '1' })
})

test('an fsync that is not over covers nothing', () => {
  const actions: Action[] = [write('a', '1'), { kind: 'syncing', path: 'a', call: 'x' }]

  expect(left(actions, 'none', { tree: { a: '' } })).toEqual({ a: '' })
})

test('under posix a new name needs an fsync of its folder, of no other', () => {
  const made = [create('d/a'), write('d/a', 'text'), ...sync('d/a')]

  expect(left(made, 'none')).toEqual({})
  expect(left([...made, ...sync('e')], 'none')).toEqual({})
  expect(left([...made, ...sync('d')], 'none')).toEqual({ 'd/a': 'text' })
})

test('under a journal an fsync of any file takes the earlier names along, not their bytes', () => {
  const actions = [create('a'), write('a', 'text'), write('b', '!', 3), ...sync('b')]

  expect(left(actions, 'none', { names: 'journal', tree: { b: 'old' } })).toEqual({
    a: '',
    b: 'old!',
  })
})

test('a rename that is not synced leaves the old names with the old files', () => {
  const actions = [rename('a', 'b')]
  const tree = { a: 'new', b: 'old' }

  expect(left(actions, 'none', { tree })).toEqual(tree)
  expect(left([...actions, ...sync('')], 'none', { tree })).toEqual({ b: 'new' })
})

test('a rename between folders needs an fsync of both', () => {
  const actions = [rename('d/a', 'e/a'), ...sync('e')]
  const tree = { 'd/a': 'x' }

  expect(left(actions, 'none', { tree })).toEqual(tree)
  expect(left([...actions, ...sync('d')], 'none', { tree })).toEqual({ 'e/a': 'x' })
})

test('an unlink that is not synced brings the file back', () => {
  expect(left([unlink('a')], 'none', { tree: { a: 'x' } })).toEqual({ a: 'x' })
  expect(left([unlink('a'), ...sync('')], 'none', { tree: { a: 'x' } })).toEqual({})
})

test('a file that was unlinked and made again is another file', () => {
  const actions = [unlink('a'), create('a'), write('a', 'new'), ...sync('a')]

  expect(left(actions, 'none', { tree: { a: 'old' } })).toEqual({ a: 'old' })
  expect(left([...actions, ...sync('')], 'none', { tree: { a: 'old' } })).toEqual({ a: 'new' })
})

test('two names of one file have the same bytes', () => {
  const actions: Action[] = [{ kind: 'link', from: 'a', to: 'b' }, write('a', 'new')]

  expect(left(actions, 'all', { tree: { a: 'old' } })).toEqual({ a: 'new', b: 'new' })
})

test('a copy takes what every process saw, synced or not', () => {
  const copy: Action = {
    ...{ kind: 'copy', from: 'a', fromOffset: 1, to: 'b', toOffset: 2, length: 2 },
  }
  const actions = [write('a', 'new!'), create('b'), copy]

  expect(left(actions, 'all', { tree: { a: 'old' } })).toEqual({ a: 'new!', b: '\0\0ew' })
})

test('a prefix ends somewhere: what is later than what was lost is lost too', () => {
  const actions = ['a', 'b', 'c', 'd', 'e'].map((text, index) => write('f', text, index))
  const seen = Array.from({ length: 40 }, (_, seed) => {
    return left(actions, 'prefix', { tree: { f: '' } }, seed)['f'] ?? ''
  })

  for (const text of seen) expect('abcde'.startsWith(text)).toBe(true)
  expect(new Set(seen).size).toBeGreaterThan(3)
})

test('in pieces, each piece is as it was after some change, and zeros before the first', () => {
  const actions = [write('f', 'a'.repeat(2048)), write('f', 'b'.repeat(2048))]
  const seen = Array.from({ length: 60 }, (_, seed) => {
    return left(actions, 'pieces of 512', { tree: { f: '' } }, seed)['f'] ?? ''
  })
  const pieces = seen.flatMap((text) => text.match(/[\0ab]{512}/g) ?? [])

  expect(new Set(pieces.map((piece) => piece[0]))).toEqual(new Set(['\0', 'a', 'b']))
  for (const piece of pieces) expect(piece).toBe((piece[0] ?? '').repeat(512))
  expect(seen.some((text) => new Set(text).size === 3)).toBe(true)
})

test('a file is shortened in one go or not at all', () => {
  const actions = [size('f', 0), write('f', 'b'.repeat(1024))]
  const tree = { f: 'a'.repeat(4096) }
  const seen = Array.from({ length: 60 }, (_, seed) => {
    return left(actions, 'pieces of 512', { tree }, seed)['f'] ?? ''
  })

  expect(seen).toContain(tree.f)
  expect(seen).toContain('')
  for (const text of seen) expect(text.includes('a') && text !== tree.f).toBe(false)
})

test('the same seed gives the same remains', () => {
  const actions = [write('f', 'a'.repeat(4096)), create('g'), rename('g', 'h')]
  const again = (seed: number) => left(actions, 'pieces of 512', { tree: { f: '' } }, seed)

  expect(again(7)).toEqual(again(7))
})

test('an ignored fsync saves nothing', () => {
  const ignores = (path: string) => path === 'a'
  const actions = [write('a', 'new'), ...sync('a'), write('b', 'new'), ...sync('b')]

  expect(left(actions, 'none', { tree: { a: 'old', b: 'old' }, ignores })).toEqual({
    ...{ a: 'old', b: 'new' },
  })
})

test('what every process sees does not wait for an fsync', () => {
  const disk = diskAfter([create('a'), write('a', 'text'), rename('a', 'b'), size('b', 2)])

  expect(texts(asSeen(disk))).toEqual({ b: 'te' })
})

test('a write to a file that nobody made is refused', () => {
  expect(() => diskAfter([write('a', 'x')])).toThrow('the model knows no file a')
})

test('files that a cut can leave are possible, and nothing else is', () => {
  const actions = [write('f', 'b'.repeat(4096)), create('g'), write('g', 'new')]
  const disk = diskAfter(actions, { names: 'journal', tree: { f: 'a'.repeat(4096) } })
  const judged = (files: Record<string, string>) => {
    const named = Object.entries(files).map(([path, text]): [string, Uint8Array] => {
      return [path, Buffer.from(text)]
    })
    return impossible(disk, new Map(named))
  }

  expect(judged({ f: 'a'.repeat(4096) })).toEqual([])
  expect(judged({ f: 'b'.repeat(4096), g: '' })).toEqual([])
  expect(judged({ f: 'a'.repeat(4096), g: 'new' })).toEqual([])
  expect(judged({ f: 'c'.repeat(4096) })).toEqual(['f: the block at 0'])
  expect(judged({ f: 'a'.repeat(4096), g: 'old' })).toEqual(['g: the block at 0'])
  expect(judged({ f: '' })).toEqual(['f: 0 bytes'])
  expect(judged({ g: 'new' })).toEqual(['no order of events leaves the names g'])
})

test('a file that was synced cannot be shorter or zero after a cut', () => {
  const disk = diskAfter([write('f', 'new', 4096), ...sync('f')], { tree: { f: '' } })

  expect(impossible(disk, new Map([['f', new Uint8Array(4099)]]))).toEqual(['f: the block at 4096'])
  expect(impossible(disk, new Map([['f', new Uint8Array(0)]]))).toEqual(['f: 0 bytes'])
})
