import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { join } from 'node:path'
import { executable, killAll, scratch } from '../support/executable.ts'
import { advance, asSeen, createDisk } from './disk.ts'
import { afterRestart, askAboutPromises, askWithToken, inTurn, restoreBackup } from './live.ts'
import { answersOf } from './promises.ts'
import { cutsAt, pointsOf, replay, spread, summary } from './replay.ts'
import { attemptsMax, type Recording, recordStory } from './story.ts'

setDefaultTimeout(120_000)
executable()
const { folder, remove } = scratch()
const starts = 60
const points = 180
let recording: Recording

beforeAll(async () => {
  recording = await recordStory(folder, starts)
})
afterEach(killAll)
afterAll(remove)

test('whenever a server has ended, the model has the very bytes that the disk has', () => {
  const { events, stops } = recording
  const differing = stops.flatMap(({ process, files }) => {
    const end = events.findIndex((event) => event.kind === 'exit' && event.process === process)
    const disk = createDisk('posix')
    for (const event of events.slice(0, end + 1)) advance(disk, event)
    const model = asSeen(disk)
    return [...new Set([...files.keys(), ...model.keys()])].flatMap((path) => {
      const [real, modelled] = [files.get(path), model.get(path)]
      const isSame = real && modelled && Buffer.compare(real, modelled) === 0
      return isSame ? [] : [`${process}: ${path}`]
    })
  })

  expect(stops.length).toBe(4)
  expect(differing).toEqual([])
})

test('every answer that the client received is found in the trace', () => {
  const answers = answersOf(recording.events, attemptsMax)
  const promised = answers.map(({ promised: { id, status, attemptsSpent } }) => {
    return { id, what: `${status} ${attemptsSpent}` }
  })
  const many = (what: string) => promised.filter((one) => one.what === what).length

  expect(answers.length).toBeGreaterThanOrEqual(recording.received)
  expect(new Set(promised.map(({ id }) => id)).size).toBeGreaterThanOrEqual(starts)
  expect(many('pending 1')).toBeGreaterThan(10)
  expect(many('pending 5')).toBeGreaterThan(5)
  expect(many('approved 1') + many('approved 2')).toBeGreaterThan(10)
  expect(many('canceled 0')).toBeGreaterThan(5)
})

test('what was answered before a power cut is there after it', () => {
  const chosen = pointsOf(recording.events, points)
  const { directories, breaches } = replay(recording, chosen, join(folder, 'cut'))

  expect(breaches.slice(0, 5)).toEqual([])
  expect(directories).toBe(points * 2 * 5)
})

test('a replay in which the fsyncs of the log do nothing loses what was answered', () => {
  const chosen = pointsOf(recording.events, 30)
  const ignores = (path: string) => path.endsWith('-wal')
  const { breaches } = replay(recording, chosen, join(folder, 'no-log'), { ignores })

  const found = summary(breaches)
  for (const kind of ['start lost', 'code good again', 'attempt forgotten']) {
    expect(found).toContain(kind)
  }
})

test('a replay in which the fsyncs of the database do nothing loses what was answered', () => {
  const chosen = pointsOf(recording.events, 30)
  const ignores = (path: string) => path.endsWith('/otpmint.db')
  const { breaches } = replay(recording, chosen, join(folder, 'no-database'), { ignores })

  expect(summary(breaches)).toContain('database unusable')
})

test('the executable starts on what a power cut left, and keeps what it answered', async () => {
  const chosen = spread(pointsOf(recording.events, points), 8)
  const cuts = cutsAt(recording, chosen, { fates: ['none', 'pieces of 512'] })
  const complaints = await inTurn(cuts, join(folder, 'live'), (remains, where) => {
    return afterRestart(remains, where, (server) => {
      return askAboutPromises(recording, remains.point, server)
    })
  })

  expect(complaints.slice(0, 5)).toEqual([])
})

test('after a power cut the token in admin.token is the one that the server takes', async () => {
  const cuts = cutsAt(recording, firstStart(12), { fates: ['none', 'pieces of 512'] })
  const complaints = await inTurn(cuts, join(folder, 'token'), (remains, where) => {
    return afterRestart(remains, where, askWithToken)
  })

  expect(complaints.slice(0, 5)).toEqual([])
})

test('a backup that was reported as done restores after a power cut', async () => {
  const done = recording.events.findIndex((event) => {
    return event.kind === 'exit' && event.process === 'backup'
  })
  const chosen = spread(
    recording.events.map((_, index) => index + 1).filter((point) => point > done),
    2,
  )
  const fates = ['none', 'all', 'prefix', 'pieces of 4096'] as const
  const cuts = cutsAt(recording, [done + 1, ...chosen], { fates })
  const complaints = await inTurn(cuts, join(folder, 'backup'), (remains, where) => {
    return restoreBackup(recording, remains, where, 'backup')
  })

  expect(complaints.slice(0, 5)).toEqual([])
})

/** Points between the first event of the server and its first answer. */
function firstStart(count: number): number[] {
  const answered = recording.events.findIndex(({ kind }) => kind === 'answer')
  const all = recording.events.slice(0, answered + 1).map((_, index) => index + 1)
  return spread(all, count)
}
