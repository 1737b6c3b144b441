import { expect, test } from 'bun:test'
import { type Action, mergeTraces, parseTrace, type TraceEvent } from './trace.ts'

const hex = (text: string) => {
  return [...Buffer.from(text)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')
}
const quoted = (text: string) => `"${hex(text)}"`
const fd = (number: number, path: string) => `${number}<${hex(path)}>`

/** Lines of one thread with their times, a millisecond apart. */
function read(...lines: string[]): Action[] {
  const text = lines.map(
    (line, index) => `77  100.${String(index + 1).padStart(3, '0')}000 ${line}`,
  )
  return parseTrace(text.join('\n'), '/r', 'p').events.slice(1).map(withoutTime)
}

function withoutTime({ atUs: _, ...action }: TraceEvent): Action {
  return action
}

test('a write says where it went', () => {
  const data = Buffer.from('abc')

  expect(read(`pwrite64(${fd(5, '/r/f')}, ${quoted('abc')}, 3, 4096) = 3 <0.000100>`)).toEqual([
    { kind: 'write', path: 'f', offset: 4096, data },
  ])
})

test('only what was really written counts', () => {
  expect(read(`pwrite64(${fd(5, '/r/f')}, ${quoted('abc')}, 3, 0) = 2 <0.0001>`)).toEqual([
    { kind: 'write', path: 'f', offset: 0, data: Buffer.from('ab') },
  ])
})

test('plain writes go on where the last one ended, from the start after an open', () => {
  const opens = `openat(AT_FDCWD<${hex('/')}>, ${quoted('/r/f')}, O_WRONLY|O_CREAT, 0600)`
  const open = `${opens} = ${fd(5, '/r/f')} <0.0001>`
  const write = (text: string) => {
    return `write(${fd(5, '/r/f')}, ${quoted(text)}, ${text.length}) = ${text.length} <0.0001>`
  }
  const offsets = read(open, write('abc'), write('de'), open, write('f')).map((event) => {
    return event.kind === 'write' ? event.offset : event.kind
  })

  expect(offsets).toEqual(['open', 0, 3, 'open', 0])
})

test('several buffers of one write are one write', () => {
  const buffers = `[{iov_base=${quoted('ab')}, iov_len=2}, {iov_base=${quoted('c')}, iov_len=1}]`

  expect(read(`pwritev(${fd(5, '/r/f')}, ${buffers}, 2, 8192) = 3 <0.0001>`)).toEqual([
    { kind: 'write', path: 'f', offset: 8192, data: Buffer.from('abc') },
  ])
})

test('an fsync begins and ends, and one that failed does not end', () => {
  const call = (result: string) => `fsync(${fd(5, '/r/f')}) = ${result} <0.0020>`

  expect(read(call('0'), call('-1 EIO (Input/output error)'))).toEqual([
    { kind: 'syncing', path: 'f', call: 'p:0' },
    { kind: 'synced', call: 'p:0' },
    { kind: 'syncing', path: 'f', call: 'p:1' },
  ])
})

test('an fsync ends where it is resumed, after what other threads did meanwhile', () => {
  const text = [
    `77  100.000001 fsync(${fd(5, '/r/f')} <unfinished ...>`,
    `78  100.000002 unlink(${quoted('/r/g')}) = 0 <0.0001>`,
    '77  100.000900 <... fsync resumed>) = 0 <0.000899>',
  ]
  const { events } = parseTrace(text.join('\n'), '/r')

  expect(events.map(({ kind }) => kind)).toEqual(['begin', 'syncing', 'unlink', 'synced'])
})

test('names are made, moved, joined and taken away', () => {
  expect(
    read(
      `rename(${quoted('/r/a')}, ${quoted('/r/d/b')}) = 0 <0.0001>`,
      `link(${quoted('/r/d/b')}, ${quoted('/r/c')}) = 0 <0.0001>`,
      `unlink(${quoted('/r/c')}) = 0 <0.0001>`,
    ),
  ).toEqual([
    { kind: 'rename', from: 'a', to: 'd/b' },
    { kind: 'link', from: 'd/b', to: 'c' },
    { kind: 'unlink', path: 'c' },
  ])
})

test('a name may be said from a folder on', () => {
  const call = `renameat(${fd(3, '/r/d')}, ${quoted('a')}, AT_FDCWD<${hex('/r')}>, ${quoted('b')})`

  expect(read(`${call} = 0 <0.0001>`, `unlinkat(${fd(3, '/r/d')}, ${quoted('c')}, 0) = 0`)).toEqual(
    [
      { kind: 'rename', from: 'd/a', to: 'b' },
      { kind: 'unlink', path: 'd/c' },
    ],
  )
})

test('a copy inside the kernel says what went where', () => {
  const call = `copy_file_range(${fd(9, '/r/a')}, [0], ${fd(11, '/r/b')}, [0], 500, 0)`

  expect(read(`${call} = 400 <0.0001>`)).toEqual([
    { kind: 'copy', from: 'a', fromOffset: 0, to: 'b', toOffset: 0, length: 400 },
  ])
})

const sendOn = (number: number, text: string, sent = text.length) => {
  return `sendto(${fd(number, 'socket:[7]')}, ${quoted(text)}, 9, 0, NULL, 0) = ${sent} <0.0001>`
}
const head = (length: number) => `HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`

test('an answer with a status of 2xx is kept, everything else that is sent is not', () => {
  const refusal = 'HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n'

  expect(read(sendOn(14, head(0)), sendOn(14, refusal), sendOn(14, 'EHLO a'))).toEqual([
    { kind: 'answer', text: head(0) },
  ])
})

test('an answer that is sent in parts is one answer, when its last part was sent', () => {
  const [first, other] = [`${head(4)}ab`, `${head(1)}x`]
  const events = parseTrace(
    [
      `77  100.001000 ${sendOn(14, first)}`,
      `77  100.002000 ${sendOn(15, other)}`,
      `77  100.003000 ${sendOn(14, 'cde', 1)}`,
      `77  100.004000 ${sendOn(14, 'd')}`,
      `77  100.005000 ${sendOn(15, head(3))}`,
      '77  100.006000 +++ exited with 0 +++',
    ].join('\n'),
    '/r',
    'p',
  ).events

  expect(events.filter(({ kind }) => kind === 'answer')).toEqual([
    { kind: 'answer', text: other, atUs: 100_002_100 },
    { kind: 'answer', text: `${first}cd`, atUs: 100_004_100 },
  ])
})

test('an answer whose head and body are two buffers of one call is one answer', () => {
  const buffers = `[{iov_base=${quoted(head(2))}, iov_len=9}, {iov_base=${quoted('ok')}, iov_len=2}]`

  expect(read(`writev(${fd(14, 'socket:[7]')}, ${buffers}, 2) = 99 <0.0001>`)).toEqual([
    { kind: 'answer', text: `${head(2)}ok` },
  ])
})

test('what failed, lies elsewhere, is shared memory or has no name any more is left out', () => {
  expect(
    read(
      `unlink(${quoted('/r/a')}) = -1 ENOENT (No such file or directory) <0.0001>`,
      `unlink(${quoted('/elsewhere/a')}) = 0 <0.0001>`,
      `pwrite64(${fd(5, '/r/f-shm')}, ${quoted('a')}, 1, 0) = 1 <0.0001>`,
      `pwrite64(${fd(5, '/r/f')}(deleted), ${quoted('a')}, 1, 0) = 1 <0.0001>`,
    ),
  ).toEqual([])
})

test.each([
  ['is not ended', ' <unfinished ...>'],
  ['has no result', ') = ? <unavailable>'],
])('a call in whose middle the process was killed is told apart: it %s', (_, end) => {
  const text = [
    `77  100.000001 pwrite64(${fd(5, '/r/f')}, ${quoted('abc')}, 3, 0${end}`,
    '77  100.000002 +++ killed by SIGKILL +++',
  ]
  const { events, unfinished } = parseTrace(text.join('\n'), '/r', 'p')

  expect(unfinished.map(withoutTime)).toEqual([
    { kind: 'write', path: 'f', offset: 0, data: Buffer.from('abc') },
  ])
  expect(events.map(withoutTime)).toEqual([
    { kind: 'begin', process: 'p' },
    { kind: 'exit', process: 'p', code: null },
  ])
})

test('a call that the model does not know is refused, not passed over', () => {
  const call = `fallocate(${fd(5, '/r/f')}, 0, 0, 4096) = 0 <0.0001>`

  expect(() => read(call)).toThrow('cannot follow: fallocate')
})

test('processes are merged by time, and what one of them did stays in its order', () => {
  const trace = (name: string, ...times: number[]) => {
    return times.map((atUs): TraceEvent => ({ atUs, kind: 'unlink', path: `${name}${atUs}` }))
  }
  const merged = mergeTraces([trace('a', 1, 4, 4), trace('b', 2, 3)])

  expect(merged.map(({ atUs }) => atUs)).toEqual([1, 2, 3, 4, 4])
})
