import { expect, test } from 'bun:test'
import { createLineSink, createLog, type LineStream, sinkMax } from '../src/log.ts'

/** A stream whose reader takes lines when the test says so. */
function slowStream() {
  const taken: string[] = []
  const waiting: { text: string; done: (error?: Error) => void }[] = []
  let fail = (_: Error) => {}
  const stream: LineStream = {
    write: (text, done) => waiting.push({ text, done }),
    on: (_, listener) => {
      fail = listener
    },
  }
  const take = (count = waiting.length) => {
    for (const { text, done } of waiting.splice(0, count)) {
      taken.push(text)
      done()
    }
  }
  /** Drops the waiting lines, as process.stdout does when its disk is full or its reader is gone. */
  const breakWith = (code: string) => {
    const error = Object.assign(new Error(code), { code })
    waiting.shift()?.done(error)
    fail(error)
    for (const { done } of waiting.splice(0)) done()
  }
  return { stream, taken, waiting, take, breakWith }
}

test('a line is one JSON object with the fields of the allow-list and no other', () => {
  const lines: string[] = []
  const log = createLog({
    level: 'info',
    write: (line) => lines.push(line),
    clock: { now: () => 0 },
  })
  const fields = { appId: 'a', client: '192.0.2.1', problem: 'unauthorized', code: '123456' }

  log.info('one', fields)
  log.debug('below the level')
  log.error('with a break', { detail: 'a\nb' })

  expect(lines).toHaveLength(2)
  expect(lines.every((line) => line.endsWith('\n') && line.trim().split('\n').length === 1)).toBe(
    true,
  )
  const time = new Date(0).toISOString()
  const named = { app_id: 'a', problem: 'unauthorized', client: '192.0.2.1' }
  expect(JSON.parse(lines[0] ?? '')).toEqual({ level: 'info', time, event: 'one', ...named })
})

test('a reader that hangs costs no more memory than the buffer; lost lines are counted', () => {
  const { stream, waiting, taken, take } = slowStream()
  const sink = createLineSink(stream)
  const line = `${'x'.repeat(1023)}\n`

  for (let i = 0; i < 5_000; i++) sink.write(line)
  const held = waiting.reduce((sum, { text }) => sum + text.length, 0)
  take()
  sink.write('after\n')
  take()

  expect(held).toBeLessThanOrEqual(sinkMax)
  expect(taken.length).toBe(sinkMax / 1024 + 1)
  expect(sink.lost()).toBe(5_000 - sinkMax / 1024)
  expect(taken.at(-1)).toBe('after\n')
})

test('a line that cannot be written is counted, and the log goes on when there is room again', () => {
  const { stream, taken, take, breakWith } = slowStream()
  const sink = createLineSink(stream)

  sink.write('a\n')
  sink.write('b\n')
  breakWith('ENOSPC')
  sink.write('c\n')
  take()

  expect(sink.lost()).toBe(2)
  expect(taken).toEqual(['c\n'])
})

test('a reader that is gone gets nothing more, and nothing fails', () => {
  const { stream, waiting, breakWith } = slowStream()
  const sink = createLineSink(stream)

  sink.write('a\n')
  breakWith('EPIPE')
  sink.write('b\n')

  expect(waiting).toEqual([])
  expect(sink.lost()).toBe(2)
})
