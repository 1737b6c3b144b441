import { afterEach, beforeEach, expect, test } from 'bun:test'
import type { App } from '../../../src/domain/app/app.ts'
import { takes } from './simulated-servers.ts'
import { openStage, type Stage } from './stage.ts'

let stage: Stage
let app: App
beforeEach(async () => {
  stage = await openStage()
  app = await stage.newApp({ connectionsMax: 1 })
  server().behave = takes(2_000)
})
afterEach(() => stage.close())

function server() {
  return stage.servers.of(app.endpoints[0]?.id ?? '')
}

test('a paused sender ends what it sends and leaves the rest, also what is started then, to others', async () => {
  stage.sender.start()
  await stage.start(5, { app })
  await stage.time.run(1_000)

  stage.sender.pause(30_000)
  await stage.start(2, { app })
  await stage.time.run(5_000)
  expect(server().got).toHaveLength(1)

  await stage.beat('a')
  stage.restart({ node: 'b' }).start()
  await stage.time.run(20_000)
  expect([...server().accepted.values()]).toEqual([1, 1, 1, 1, 1, 1, 1])
})

test.each([
  ['goes on by itself after its time', 10_000, (_: Stage) => {}],
  ['goes on when it is told so', 60_000, ({ sender }: Stage) => sender.pause(0)],
])('a paused sender %s', async (_, forMs, end) => {
  stage.sender.start()
  stage.sender.pause(forMs)
  await stage.start(3, { app })
  await stage.time.run(9_000)
  expect(server().got).toHaveLength(0)

  end(stage)
  await stage.time.run(9_000)

  expect([...server().accepted.values()]).toEqual([1, 1, 1])
})
