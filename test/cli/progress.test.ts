import { expect, test } from 'bun:test'
import { createProgress } from '../../src/cli/progress.ts'

function progressOn(isTerminal: boolean) {
  const written: string[] = []
  let now = 0
  const progress = createProgress({
    err: (text) => void written.push(text),
    terminal: { input: false, output: false, errors: isTerminal },
    monotonic: () => now,
  })
  return { ...progress, written, wait: (ms: number) => (now += ms) }
}

test('at a terminal a bar is drawn on one line, with the rate, and left at the end', () => {
  const { onStep, end, written, wait } = progressOn(true)
  onStep({ phase: 'copy', table: 'limits', done: 1_000, total: 4_000 })
  wait(2_000)
  onStep({ phase: 'copy', table: 'limits', done: 3_000, total: 4_000 })
  end()
  end()

  expect(written).toEqual([
    '\r\x1b[Kcopying ██████░░░░░░░░░░░░░░░░░░  25%  1,000 of 4,000 rows  limits',
    '\r\x1b[Kcopying ██████████████████░░░░░░  75%  3,000 of 4,000 rows, 1,000 rows/s  limits',
    '\n',
  ])
})

test('without a terminal a line is written for each tenth of a phase', () => {
  const { onStep, end, written } = progressOn(false)
  for (let done = 0; done <= 1_000; done++) {
    onStep({ phase: 'compare', table: `t${done % 7}`, done, total: 1_000 })
  }
  onStep({ phase: 'switch', table: '', done: 0, total: 0 })
  end()

  expect(written).toHaveLength(12)
  expect(written.slice(-2)).toEqual([
    'comparing: 100%, 1,000 of 1,000 rows\n',
    'switching: 100%, 0 of 0 steps\n',
  ])
})
