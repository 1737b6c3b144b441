import { expect, test } from 'bun:test'
import { createCircuit, pauseMaxMs } from '../../../src/jobs/sender/lane.ts'

function started() {
  let now = 0
  const circuit = createCircuit({ monotonic: () => now })
  return {
    circuit,
    pass: (ms: number) => {
      now += ms
    },
    fail: () => circuit.failed(now),
  }
}

test('a lane pauses after three failures in a row, and not before', () => {
  const { circuit, fail } = started()

  expect([fail(), fail()]).toEqual([false, false])
  circuit.answered()
  expect([fail(), fail(), circuit.isPaused()]).toEqual([false, false, false])
  expect([fail(), circuit.isPaused(), circuit.pausedForMs()]).toEqual([true, true, 1_000])
})

test('the pauses double up to a bound while the hand-overs after them fail', () => {
  const { circuit, pass, fail } = started()
  for (let count = 0; count < 3; count++) fail()
  const pauses: number[] = []
  for (let count = 0; count < 6; count++) {
    pauses.push(circuit.pausedForMs())
    pass(circuit.pausedForMs())
    expect([circuit.isPaused(), circuit.isProbing()]).toEqual([false, true])
    fail()
  }

  expect(pauses).toEqual([1_000, 2_000, 4_000, 8_000, pauseMaxMs, pauseMaxMs])
})

test('failures of hand-overs that began before a pause do not lengthen it', () => {
  const { circuit, pass, fail } = started()
  for (let count = 0; count < 3; count++) fail()
  pass(1_500)

  expect(circuit.failed(0)).toBe(false)
  expect(circuit.isProbing()).toBe(true)
})

test('an answer ends the pauses', () => {
  const { circuit, pass, fail } = started()
  for (let count = 0; count < 3; count++) fail()
  pass(1_000)
  circuit.answered()

  expect([circuit.isPaused(), circuit.isProbing(), circuit.pausedForMs()]).toEqual([
    false,
    false,
    0,
  ])
  expect(fail()).toBe(false)
})
