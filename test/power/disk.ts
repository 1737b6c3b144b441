import { dirname } from 'node:path'
import type { TraceEvent } from './trace.ts'

/**
 * When a changed name is on disk. `journal`: after any later fsync, as on ext4. `posix`: after an
 * fsync of its folder, each change separately.
 */
export type NameModel = 'journal' | 'posix'

type Change = { seq: number } & (
  | { kind: 'write'; offset: number; data: Uint8Array }
  | { kind: 'size'; size: number }
)

type File = {
  id: number
  /** The synced contents: the first `size` of these bytes; zeros follow. */
  bytes: Uint8Array
  size: number
  /** The changes since, oldest first. */
  changes: Change[]
}

type NameChange = {
  seq: number
  removes: string | null
  adds: { path: string; file: File } | null
  /** The folders that were not synced since. */
  folders: string[]
}

/** Files and names, as processes see them and as far as they are synced. */
export type Disk = {
  names: NameModel
  /** Fsyncs of these paths are ignored, to test the tests. */
  ignores: (path: string) => boolean
  seen: Map<string, File>
  safe: Map<string, File>
  nameChanges: NameChange[]
  syncing: Map<string, { path: string; file: File | null; seq: number }>
  seq: number
  files: number
}

/** Creates a disk on which these files are synced. */
export function createDisk(
  names: NameModel,
  tree: Map<string, Uint8Array> = new Map(),
  ignores: (path: string) => boolean = () => false,
): Disk {
  const files = [...tree].map(([path, bytes], id): [string, File] => {
    return [path, { id, bytes: bytes.slice(), size: bytes.length, changes: [] }]
  })
  return {
    ...{ names, ignores, seen: new Map(files), safe: new Map(files), nameChanges: [] },
    ...{ syncing: new Map(), seq: 0, files: files.length },
  }
}

/** Applies an event. Folders are not modelled, only files and their names. */
export function advance(disk: Disk, event: TraceEvent): void {
  const seq = ++disk.seq
  switch (event.kind) {
    case 'open': {
      const file = disk.seen.get(event.path)
      if (!file && event.creates) {
        const made: File = { id: disk.files++, bytes: new Uint8Array(0), size: 0, changes: [] }
        changeName(disk, null, { path: event.path, file: made })
      } else if (event.truncates) {
        fileAt(disk, event.path).changes.push({ seq, kind: 'size', size: 0 })
      }
      return
    }
    case 'write': {
      const { offset, data } = event
      fileAt(disk, event.path).changes.push({ seq, kind: 'write', offset, data })
      return
    }
    case 'copy': {
      const source = contentOf(fileAt(disk, event.from), () => Number.POSITIVE_INFINITY)
      const data = source.slice(event.fromOffset, event.fromOffset + event.length)
      fileAt(disk, event.to).changes.push({ seq, kind: 'write', offset: event.toOffset, data })
      return
    }
    case 'size':
      fileAt(disk, event.path).changes.push({ seq, kind: 'size', size: event.size })
      return
    case 'rename':
      changeName(disk, event.from, { path: event.to, file: fileAt(disk, event.from) })
      return
    case 'link':
      changeName(disk, null, { path: event.to, file: fileAt(disk, event.from) })
      return
    case 'unlink':
      changeName(disk, event.path, null)
      return
    case 'syncing': {
      if (disk.ignores(event.path)) return
      const file = disk.seen.get(event.path) ?? null
      disk.syncing.set(event.call, { path: event.path, file, seq })
      return
    }
    case 'synced': {
      const sync = disk.syncing.get(event.call)
      disk.syncing.delete(event.call)
      if (sync) settle(disk, sync)
      return
    }
    default:
      return
  }
}

/** What survives of the unsynced changes. */
export type Fate = {
  /** True if this change of a name survives. */
  keepsName(seq: number): boolean
  /** The last change that a piece of a file has, with all before it. Piece -1 is its size. */
  reached(file: number, piece: number): number
  pieceBytes: number
}

/** The files after a cut, by path. */
export function afterCut(disk: Disk, fate: Fate): Map<string, Uint8Array> {
  const names = new Map(disk.safe)
  for (const change of disk.nameChanges) if (fate.keepsName(change.seq)) applyName(names, change)
  return new Map(
    [...names].map(([path, file]) => [
      path,
      contentOf(file, (piece) => fate.reached(file.id, piece), fate.pieceBytes),
    ]),
  )
}

/** The files that processes see now. */
export function asSeen(disk: Disk): Map<string, Uint8Array> {
  const all = () => Number.POSITIVE_INFINITY
  return new Map([...disk.seen].map(([path, file]) => [path, contentOf(file, all)]))
}

/**
 * The reasons why no cut of this disk can leave these files; empty if one can. A file may also end
 * at any block, because a file system may have allocated only a part of it.
 */
export function impossible(disk: Disk, files: Map<string, Uint8Array>): string[] {
  const names = new Map(disk.safe)
  const possible = [new Map(names)]
  for (const change of disk.nameChanges) {
    applyName(names, change)
    possible.push(new Map(names))
  }
  const found = [...files.keys()].sort()
  const fitting = possible.filter((each) => Bun.deepEquals([...each.keys()].sort(), found))
  if (fitting.length === 0) return [`no order of events leaves the names ${found.join(' ')}`]
  const reasons = fitting.map((each) => {
    return [...files].flatMap(([path, bytes]) => {
      const file = each.get(path)
      return file ? impossibleBytes(file, bytes).map((what) => `${path}: ${what}`) : []
    })
  })
  return reasons.find((each) => each.length === 0) ?? reasons[0] ?? []
}

function impossibleBytes(file: File, bytes: Uint8Array): string[] {
  const ends = [0, ...file.changes.map(({ seq }) => seq)]
  const states = ends.map((end) => contentOf(file, () => end))
  const sizes = states.map(({ length }) => length)
  const { length } = bytes
  const isPart = length % 4096 === 0 && length > Math.min(...sizes) && length < Math.max(...sizes)
  const said = sizes.includes(length) || isPart ? [] : [`${length} bytes`]
  for (let at = 0; at < length; at += 4096) {
    const found = bytes.subarray(at, at + 4096)
    // A file that another change has made longer has zeros behind its earlier end.
    const fits = states.some((state) => {
      const block = new Uint8Array(found.length)
      block.set(state.subarray(at, at + found.length))
      return Buffer.compare(block, found) === 0
    })
    if (!fits) said.push(`the block at ${at}`)
  }
  return said
}

export const fateNames = ['none', 'all', 'prefix', 'pieces of 512', 'pieces of 4096'] as const
export type FateName = (typeof fateNames)[number]

/**
 * Decides what survives: `none` or `all` of the unsynced changes, a `prefix` of them, or a random
 * number for each piece of each file. The same seed gives the same fate.
 */
export function fateOf(name: FateName, disk: Disk, seed: number): Fate {
  const everything = Number.POSITIVE_INFINITY
  const oldest = oldestChange(disk)
  const draw = (...salt: number[]): number => {
    return oldest + (chance(seed, ...salt) % (disk.seq - oldest + 2)) - 1
  }
  if (name === 'none' || name === 'all' || name === 'prefix') {
    const end = { none: 0, all: everything, prefix: draw(0) }[name]
    return { keepsName: (seq) => seq <= end, reached: () => end, pieceBytes: 4096 }
  }
  const end = draw(1)
  return {
    pieceBytes: name === 'pieces of 512' ? 512 : 4096,
    keepsName: (seq) => (disk.names === 'journal' ? seq <= end : chance(seed, 2, seq) % 2 === 0),
    reached(file, piece) {
      const kind = chance(seed, 3, file, piece) % 3
      return kind === 0 ? 0 : kind === 1 ? everything : draw(4, file, piece)
    },
  }
}

function oldestChange({ safe, seen, nameChanges, seq }: Disk): number {
  const files = [...safe.values(), ...seen.values()].map(({ changes }) => changes[0]?.seq ?? seq)
  return Math.min(seq, nameChanges[0]?.seq ?? seq, ...files)
}

/** Hashes to a number from 0 to 2^32 - 1 (the finalizer of MurmurHash3). */
export function chance(...salt: number[]): number {
  let hash = 0x9e3779b9
  for (const number of salt) {
    hash = Math.imul(hash ^ number, 0x85ebca6b)
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
    hash = (hash ^ (hash >>> 16)) >>> 0
  }
  return hash
}

function fileAt({ seen }: Disk, path: string): File {
  const file = seen.get(path)
  if (!file) throw new Error(`the model knows no file ${path}`)
  return file
}

function changeName(disk: Disk, removes: string | null, adds: NameChange['adds']): void {
  const paths = [removes, adds?.path ?? null].filter((path) => path !== null)
  const folders = [...new Set(paths.map(folderOf))]
  const change: NameChange = { seq: disk.seq, removes, adds, folders }
  applyName(disk.seen, change)
  disk.nameChanges.push(change)
}

function folderOf(path: string): string {
  const folder = dirname(path)
  return folder === '.' ? '' : folder
}

function applyName(names: Map<string, File>, { removes, adds }: NameChange): void {
  if (removes !== null) names.delete(removes)
  if (adds) names.set(adds.path, adds.file)
}

function settle(disk: Disk, sync: { path: string; file: File | null; seq: number }): void {
  if (sync.file) settleFile(sync.file, sync.seq)
  const stays: NameChange[] = []
  for (const change of disk.nameChanges) {
    const covered = change.seq < sync.seq
    if (covered && !sync.file) {
      change.folders = change.folders.filter((folder) => folder !== sync.path)
    }
    const isSafe = covered && (disk.names === 'journal' || change.folders.length === 0)
    if (isSafe) applyName(disk.safe, change)
    else stays.push(change)
  }
  disk.nameChanges = stays
}

function settleFile(file: File, seq: number): void {
  for (const change of file.changes) {
    if (change.seq > seq) continue
    if (change.kind === 'size') {
      if (change.size < file.size) file.bytes.fill(0, change.size, file.size)
      reserve(file, change.size)
      file.size = change.size
    } else {
      const end = change.offset + change.data.length
      reserve(file, end)
      file.bytes.set(change.data, change.offset)
      file.size = Math.max(file.size, end)
    }
  }
  file.changes = file.changes.filter((change) => change.seq > seq)
}

function reserve(file: File, size: number): void {
  if (size <= file.bytes.length) return
  const grown = new Uint8Array(Math.max(size, 2 * file.bytes.length))
  grown.set(file.bytes)
  file.bytes = grown
}

/**
 * Applies the surviving changes to a file. A piece has every change up to its last one, like a page
 * of a cache. A change of the size happens completely or not at all, as in a journal; without it,
 * data behind the earlier size is lost.
 */
function contentOf(file: File, reached: (piece: number) => number, pieceBytes = 4096): Uint8Array {
  const ends = file.changes.map((change) => {
    return change.kind === 'size' ? change.size : change.offset + change.data.length
  })
  const content = new Uint8Array(Math.max(file.size, ...ends))
  content.set(file.bytes.subarray(0, file.size))
  const sizeReached = reached(-1)
  let size = file.size
  let end = Number.POSITIVE_INFINITY

  for (const change of file.changes) {
    const hasSize = change.seq <= sizeReached
    if (change.kind === 'size') {
      if (!hasSize) end = Math.min(end, change.size)
      else size = change.size
      if (hasSize) content.fill(0, change.size)
      continue
    }
    const { offset, data } = change
    if (hasSize) size = Math.max(size, offset + data.length)
    const stop = Math.min(offset + data.length, end)
    for (let at = offset; at < stop; ) {
      const piece = Math.floor(at / pieceBytes)
      const next = Math.min(stop, (piece + 1) * pieceBytes)
      if (change.seq <= reached(piece)) {
        content.set(data.subarray(at - offset, next - offset), at)
      }
      at = next
    }
  }
  return content.subarray(0, size)
}
