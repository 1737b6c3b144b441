import { expect, test } from 'bun:test'
import { answersOf, brokenPromises, promisedBefore, type Row } from './promises.ts'
import type { TraceEvent } from './trace.ts'

function answer(body: Record<string, unknown>): TraceEvent {
  const text = `HTTP/1.1 200 OK\r\nX: y\r\n\r\n${JSON.stringify(body)}`
  return { atUs: 0, kind: 'answer', text }
}

const story: TraceEvent[] = [
  { atUs: 0, kind: 'begin', process: 'p' },
  answer({ id: 'a', status: 'pending', attempts_left: 5 }),
  answer({ id: 'a', status: 'pending', attempts_left: 3, valid: false }),
  answer({ id: 'a', status: 'approved', attempts_left: 2, valid: true }),
  answer({ id: 'app', live_key: 'x' }),
]
const promisedAt = (point: number) => promisedBefore(answersOf(story, 5), point)
const kindsOf = (rows: Record<string, Row>, point: number) => {
  return brokenPromises(new Map(Object.entries(rows)), promisedAt(point)).map(({ kind }) => kind)
}

test('nothing is promised before it was answered', () => {
  expect([...promisedAt(1).keys()]).toEqual([])
  expect([...promisedAt(2).values()]).toEqual([{ id: 'a', status: 'pending', attemptsSpent: 0 }])
})

test('an expired or exhausted verification is stored as pending', () => {
  const [one] = answersOf([answer({ id: 'a', status: 'exhausted', attempts_left: 0 })], 5)

  expect(one?.promised).toEqual({ id: 'a', status: 'pending', attemptsSpent: 5 })
})

test('what is further on than what was answered breaks no promise', () => {
  expect(kindsOf({ a: { status: 'approved', attemptsSpent: 3 } }, 2)).toEqual([])
})

test('a verification that is gone is a start lost', () => {
  expect(kindsOf({}, 2)).toEqual(['start lost'])
})

test('a used code that is pending, and an attempt that is not counted, are found', () => {
  expect(kindsOf({ a: { status: 'pending', attemptsSpent: 2 } }, 4)).toEqual([
    'code good again',
    'attempt forgotten',
  ])
  expect(kindsOf({ a: { status: 'pending', attemptsSpent: 1 } }, 3)).toEqual(['attempt forgotten'])
})
