import { expect, test } from 'bun:test'
import { Problem } from '../../src/domain/problem.ts'
import { createDatabaseClock, isClockOff } from '../../src/runtime/database-clock.ts'

const noon = Date.UTC(2026, 5, 15, 12)

/** A machine and a database, of which each answer takes the next of these times there and back. */
function world({
  leadMs = 0,
  trips = [[1, 1]],
}: {
  leadMs?: number
  trips?: [number, number][]
} = {}) {
  let elapsed = 0
  let asked = 0
  const state = { leadMs, trips }
  const ports = {
    machine: { now: () => noon + elapsed + state.leadMs },
    timers: { monotonic: () => 5_000 + elapsed },
    async time() {
      const [there, back] = state.trips[Math.min(asked++, state.trips.length - 1)] ?? [0, 0]
      elapsed += there
      const at = noon + elapsed
      elapsed += back
      return at
    },
  }
  const pass = (ms: number) => {
    elapsed += ms
  }
  return { ports, pass, truth: () => noon + elapsed, state, asked: () => asked }
}

test('the time is the database’s, whatever the machine’s clock says and however it steps', async () => {
  const { ports, pass, truth, state } = world({ leadMs: -86_400_000 })
  const clock = await createDatabaseClock(ports)
  expect(clock.now()).toBe(truth())
  pass(3_000)
  state.leadMs = 60_000
  expect(clock.now()).toBe(truth())
})

test('a slow way there and a quick one back is an error of half of both at most', async () => {
  const { ports, truth } = world({ trips: [[100, 0]] })
  const clock = await createDatabaseClock(ports)
  expect(Math.abs(clock.now() - truth())).toBe(50)
  expect(clock.lead().errorMs).toBe(50)
})

test('the closest of three samples counts, and a close one ends the measurement', async () => {
  const far = world({
    trips: [
      [90, 10],
      [10, 30],
      [200, 200],
    ],
  })
  const clock = await createDatabaseClock(far.ports)
  expect([clock.lead().errorMs, far.asked()]).toEqual([20, 3])
  const near = world({ trips: [[2, 2]] })
  await createDatabaseClock(near.ports)
  expect(near.asked()).toBe(1)
})

test('a machine is off when it surely is by more than 250 ms, to either side', async () => {
  const off = async (leadMs: number, trip: [number, number] = [1, 1]) =>
    isClockOff(await createDatabaseClock(world({ leadMs, trips: [trip] }).ports))
  expect(await Promise.all([249, -249, 0].map((ms) => off(ms)))).toEqual([false, false, false])
  expect(await Promise.all([252, -252].map((ms) => off(ms)))).toEqual([true, true])
  // The same lead may be an error of the measurement.
  expect(await off(252, [100, 100])).toBe(false)
})

test('answers that take half a second tell nothing: the measurement fails, the time goes on', async () => {
  const { ports, pass, state, truth } = world()
  const clock = await createDatabaseClock(ports)
  state.trips = [[251, 251]]
  await expect(clock.measure()).rejects.toBeInstanceOf(Problem)
  pass(1_000)
  expect(clock.now()).toBe(truth())
  await expect(createDatabaseClock(world({ trips: [[300, 300]] }).ports)).rejects.toBeInstanceOf(
    Problem,
  )
})
