/** An event of a traced process that a disk or a client can see. Paths are below a root. */
export type TraceEvent = Moment & Action

type Moment = {
  /** Its end in microseconds since 1970; for `syncing` its beginning. */
  atUs: number
}

export type Action =
  | { kind: 'open'; path: string; creates: boolean; truncates: boolean }
  | { kind: 'write'; path: string; offset: number; data: Uint8Array }
  | { kind: 'copy'; from: string; fromOffset: number; to: string; toOffset: number; length: number }
  | { kind: 'size'; path: string; size: number }
  | { kind: 'rename'; from: string; to: string }
  | { kind: 'link'; from: string; to: string }
  | { kind: 'unlink'; path: string }
  /** An fsync covers all changes before its beginning, from its end on; `call` joins the two. */
  | { kind: 'syncing'; path: string; call: string }
  | { kind: 'synced'; call: string }
  /** An HTTP answer with a status of 2xx that was sent to a client. */
  | { kind: 'answer'; text: string }
  | { kind: 'begin'; process: string }
  /** The code is null if it was killed. */
  | { kind: 'exit'; process: string; code: number | null }

export type Trace = {
  events: TraceEvent[]
  /** Calls that a kill interrupted: each may have happened or not. */
  unfinished: TraceEvent[]
}

/** The calls that strace records. */
export const tracedCalls = [
  'pwrite64,pwritev,pwritev2,write,writev,sendto,sendmsg,lseek,fsync,fdatasync,sync_file_range,ftruncate',
  'truncate,fallocate,rename,renameat,renameat2,unlink,unlinkat,link,linkat,mkdir,mkdirat,rmdir',
  'open,openat,creat,copy_file_range,sendfile',
].join(',')

type Reader = {
  root: string
  /** The prefix of `call`, so that several traces can be merged. */
  name: string
  trace: Trace
  /** The position of the next plain write by descriptor. */
  positions: Map<string, number>
  /** What was sent of an answer that has more to come, by descriptor. */
  begun: Map<string, Buffer>
  calls: number
  /** The name of the running fsync by thread. */
  syncing: Map<string, string>
}

/** Reads the output of `strace -f -y -xx -ttt -T`. Throws at a call that it cannot follow. */
export function parseTrace(text: string, root: string, name = ''): Trace {
  const trace: Trace = { events: [], unfinished: [] }
  const reader: Reader = {
    ...{ root, name, trace, positions: new Map(), begun: new Map(), calls: 0, syncing: new Map() },
  }
  /** The first half of an unfinished call by thread. */
  const halves = new Map<string, string>()
  let exit: { atUs: number; code: number | null } | null = null

  for (const line of text.split('\n')) {
    const [, thread = '', seconds = '', micros = '', rest = ''] =
      /^(\d+) +(\d+)\.(\d{6}) (.*)$/.exec(line) ?? []
    if (rest === '') continue
    const atUs = Number(seconds) * 1_000_000 + Number(micros)
    if (trace.events.length === 0) trace.events.push({ atUs, kind: 'begin', process: name })
    if (rest.startsWith('+++ ')) {
      exit = { atUs, code: exitCode(rest) }
      continue
    }
    if (rest.endsWith(' <unfinished ...>')) {
      const half = rest.slice(0, -' <unfinished ...>'.length)
      halves.set(thread, half)
      beginSync(reader, thread, half, atUs)
      continue
    }
    const resumed = rest.startsWith('<... ')
    const half = resumed ? (halves.get(thread) ?? '') : ''
    const whole = resumed ? half + rest.slice(rest.indexOf(' resumed>') + 9) : rest
    halves.delete(thread)
    if (!resumed) beginSync(reader, thread, whole, atUs)
    finishCall(reader, thread, whole, atUs, resumed)
  }

  if (exit) {
    for (const half of halves.values()) {
      const action = actionOf(reader, half, null)
      if (action) trace.unfinished.push({ atUs: exit.atUs, ...action })
    }
    trace.events.push({ ...exit, kind: 'exit', process: name })
  }
  return { ...trace, events: inOrder(trace.events) }
}

/** Merges the events of several processes by time; each process keeps its order. */
export function mergeTraces(traces: TraceEvent[][]): TraceEvent[] {
  return traces.flat().sort((one, other) => one.atUs - other.atUs)
}

/** Raises each time to that of the line before, because the lines are in order. */
function inOrder(events: TraceEvent[]): TraceEvent[] {
  let latest = 0
  return events.map((event) => {
    latest = Math.max(latest, event.atUs)
    return { ...event, atUs: latest }
  })
}

function exitCode(rest: string): number | null {
  const code = /^\+\+\+ exited with (\d+)/.exec(rest)?.[1]
  return code === undefined ? null : Number(code)
}

function beginSync(reader: Reader, thread: string, text: string, atUs: number): void {
  if (!/^f(data)?sync\(/.test(text)) return
  const { path: full, isDeleted } = descriptor(text.slice(text.indexOf('(') + 1))
  const path = below(reader, full)
  if (path === null || isDeleted) return
  const call = `${reader.name}:${reader.calls++}`
  reader.syncing.set(thread, call)
  reader.trace.events.push({ atUs, kind: 'syncing', path, call })
}

function finishCall(
  reader: Reader,
  thread: string,
  text: string,
  startedUs: number,
  resumed: boolean,
): void {
  const split = text.lastIndexOf(' = ')
  if (split < 0) return
  const head = text.slice(0, split).trimEnd().replace(/\)$/, '')
  const [, result = '', took = '0'] = /^(.*?)(?: <(\d+\.\d+)>)?$/.exec(text.slice(split + 3)) ?? []
  // The second half of a call has the time of its end.
  const atUs = startedUs + (resumed ? 0 : Math.round(Number(took) * 1_000_000))
  const call = reader.syncing.get(thread)
  if (call !== undefined && /^f(data)?sync\(/.test(head)) {
    reader.syncing.delete(thread)
    if (result.startsWith('0')) reader.trace.events.push({ atUs, kind: 'synced', call })
    return
  }
  if (result.startsWith('-1')) return
  // The process was killed during the call.
  const isUnknown = result.startsWith('?')
  const action = actionOf(reader, head, isUnknown ? null : result)
  const { events, unfinished } = reader.trace
  if (action) (isUnknown ? unfinished : events).push({ atUs, ...action })
}

/** Null for other calls and for paths outside the root. A call without a result counts as done. */
function actionOf(reader: Reader, head: string, result: string | null): Action | null {
  const open = head.indexOf('(')
  const call = head.slice(0, open)
  const rest = head.slice(open + 1)
  const args = rest.split(', ')
  const first = args[0] ?? ''
  const path = () => {
    const { path: full, isDeleted } = descriptor(first)
    return isDeleted ? null : below(reader, full)
  }
  if (/^(pwrite64|write|sendto|sendmsg|pwritev2?|writev)$/.test(call)) {
    return written(reader, call, rest, result)
  }
  if (/^(open|openat|creat)$/.test(call)) return opened(reader, call, args, result)
  if (/^(rename|link|unlink)/.test(call)) return renamed(reader, call, args)
  if (call === 'copy_file_range') return copied(reader, args, result)
  if (call === 'lseek') {
    reader.positions.set(descriptor(first).number, Number(result))
    return null
  }
  if (call === 'ftruncate') {
    const file = path()
    return file === null ? null : { kind: 'size', path: file, size: Number(args[1]) }
  }
  const touches = args.some((arg) => below(reader, textOf(arg)) !== null) || path() !== null
  if (touches && !/^(mkdir|mkdirat|sync_file_range)$/.test(call)) {
    throw new Error(`a call that the model cannot follow: ${call}(${decoded(rest).slice(0, 200)}`)
  }
  return null
}

function written(reader: Reader, call: string, rest: string, result: string | null): Action | null {
  const { number, path: full, isDeleted } = descriptor(rest)
  const whole = Buffer.concat([...rest.matchAll(/"([^"]*)"/g)].map(([, hex = '']) => bytesOf(hex)))
  const data = result === null ? whole : whole.subarray(0, Number(result))
  if (full.startsWith('socket:')) return answered(reader, number, data)
  const path = below(reader, full)
  if (path === null || isDeleted) return null
  if (rest.includes('"...')) throw new Error(`a write to ${path} that strace has shortened`)
  if (call.startsWith('p')) {
    const numbers = rest.split(', ').map(Number)
    // pwritev2 has flags after the offset.
    const offset = numbers.at(call === 'pwritev2' ? -2 : -1) ?? Number.NaN
    return { kind: 'write', path, offset, data }
  }
  const offset = reader.positions.get(number) ?? 0
  reader.positions.set(number, offset + data.length)
  return { kind: 'write', path, offset, data }
}

/**
 * An answer whose last part this is. The server may send the head and the body apart, and the client
 * has the answer once it has both.
 */
function answered({ begun }: Reader, number: string, data: Buffer): Action | null {
  const isHead = data.subarray(0, 5).toString('latin1') === 'HTTP/'
  const whole = isHead ? data : Buffer.concat([begun.get(number) ?? Buffer.alloc(0), data])
  begun.delete(number)
  const text = whole.toString('utf8')
  if (!text.startsWith('HTTP/1.1 2')) return null
  if (isComplete(whole)) return { kind: 'answer', text }
  begun.set(number, whole)
  return null
}

function isComplete(answer: Buffer): boolean {
  const end = answer.indexOf('\r\n\r\n')
  if (end < 0) return false
  const length = /^content-length: *(\d+)/im.exec(answer.subarray(0, end).toString('latin1'))?.[1]
  return answer.length - end - 4 >= Number(length ?? 0)
}

function opened(
  reader: Reader,
  call: string,
  args: string[],
  result: string | null,
): Action | null {
  if (result === null) return null
  const { number, path: full } = descriptor(result)
  reader.positions.set(number, 0)
  const path = below(reader, full)
  const flags = args[call === 'openat' ? 2 : 1] ?? ''
  const creates = call === 'creat' || flags.includes('O_CREAT')
  const truncates = call === 'creat' || flags.includes('O_TRUNC')
  if (path === null || (!creates && !truncates)) return null
  if (flags.includes('O_APPEND')) throw new Error(`${path} is opened for appending`)
  return { kind: 'open', path, creates, truncates }
}

function renamed(reader: Reader, call: string, args: string[]): Action | null {
  if (args.at(-1)?.includes('RENAME_EXCHANGE')) throw new Error('a rename that exchanges two names')
  const [one, two] = args.flatMap((arg, index) => {
    return arg.startsWith('"') ? [fullPath(textOf(arg), args[index - 1] ?? '')] : []
  })
  const from = below(reader, one ?? '')
  if (from === null) return null
  if (call.startsWith('unlink')) return { kind: 'unlink', path: from }
  const to = below(reader, two ?? '')
  if (to === null) throw new Error(`${from} leaves the root`)
  return { kind: call.startsWith('link') ? 'link' : 'rename', from, to }
}

/** Resolves a relative path against the folder before it, as in `unlinkat`. */
function fullPath(path: string, folder: string): string {
  if (path.startsWith('/')) return path
  const { path: base } = descriptor(folder)
  if (base === '') throw new Error(`a path that begins nowhere: ${path}`)
  return `${base}/${path}`
}

function copied(reader: Reader, args: string[], result: string | null): Action | null {
  const [source = '', fromAt = '', target = '', toAt = '', asked = ''] = args
  const from = below(reader, descriptor(source).path)
  const to = below(reader, descriptor(target).path)
  if (to === null) return null
  if (from === null) throw new Error(`${to} is a copy of what lies outside the root`)
  const length = Number(result ?? asked)
  const offset = (at: string, fd: string): number => {
    const said = /^\[(\d+)/.exec(at)?.[1]
    if (said !== undefined) return Number(said)
    const { number } = descriptor(fd)
    const position = reader.positions.get(number) ?? 0
    reader.positions.set(number, position + length)
    return position
  }
  const fromOffset = offset(fromAt, source)
  return { kind: 'copy', from, fromOffset, to, toOffset: offset(toAt, target), length }
}

/** Reads the path of a descriptor, which strace writes with `-y` as `11<\x2f\x61>`. */
function descriptor(text: string): { number: string; path: string; isDeleted: boolean } {
  const [, number = '', hex = '', end = ''] =
    /^(\d+|AT_FDCWD)<([^>]*)>(\(deleted\))?/.exec(text) ?? []
  const path = bytesOf(hex).toString('utf8')
  return { number, path, isDeleted: end !== '' || path.endsWith(' (deleted)') }
}

function textOf(quoted: string): string {
  return quoted.startsWith('"') ? bytesOf(quoted.slice(1, -1)).toString('utf8') : ''
}

/** Null for paths outside the root, and for SQLite's shared memory, which no cut keeps. */
function below({ root }: Reader, path: string): string | null {
  if (path === root) return ''
  return path.startsWith(`${root}/`) && !path.endsWith('-shm') ? path.slice(root.length + 1) : null
}

function bytesOf(escaped: string): Buffer {
  return Buffer.from(escaped.replaceAll('\\x', ''), 'hex')
}

function decoded(text: string): string {
  return text.replace(/(\\x[0-9a-f]{2})+/g, (run) => bytesOf(run).toString('latin1'))
}
