import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { patroniTtl } from '../postgres/patroni.ts'
import { executable, killAll, scratch } from '../support/executable.ts'
import { campaign, killOfPrimary, lossOfPrimary } from './campaign.ts'
import { type ReplicatedNodes, startReplicatedNodes } from './replicated.ts'

setDefaultTimeout(240_000)
executable()
const { folder, remove } = scratch()
let place: ReplicatedNodes

beforeAll(async () => {
  place = await startReplicatedNodes(folder)
})
afterAll(async () => {
  await place?.stop()
  await killAll()
  remove()
})

test('a primary that is killed loses, revives, forgets and repeats nothing, and the standby serves', async () => {
  const { nodes, cluster } = place
  const report = await campaign(nodes, [
    killOfPrimary(cluster),
    lossOfPrimary(cluster),
    killOfPrimary(cluster),
  ])
  process.stdout.write(`${JSON.stringify(report)}\n`)

  expect(report.started).toBeGreaterThan(100)
  expect(report.approved).toBeGreaterThan(100)
  // The leader's lock has to expire, then the standby is promoted and HAProxy sees it.
  const gaps = Object.values(report.longestGapMs)
  expect(Math.max(...gaps)).toBeLessThan((2 * patroniTtl + 5) * 1000)
})
