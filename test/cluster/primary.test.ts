import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { SQL } from 'bun'
import { type PatroniCluster, patroniTtl, startPatroniCluster } from '../postgres/patroni.ts'
import { type PgBouncer, startPgBouncer } from '../postgres/pgbouncer.ts'
import { executable, killAll, scratch } from '../support/executable.ts'
import { campaign, killOfPrimary, loadSettings, lossOfPrimary } from './campaign.ts'
import { type Nodes, startNodes } from './nodes.ts'

setDefaultTimeout(240_000)
executable()
const { folder, remove } = scratch()
let cluster: PatroniCluster
let bouncer: PgBouncer
let nodes: Nodes

beforeAll(async () => {
  cluster = await startPatroniCluster()
  bouncer = await startPgBouncer(cluster.port)
  const admin = new SQL({ url: cluster.url('postgres'), max: 1 })
  await admin.unsafe('create database otpmint owner otpmint_migrate')
  await admin.close()
  const directUrl = cluster.url('otpmint', 'otpmint')
  const env = {
    ...loadSettings,
    // The nodes migrate at once, and one of them does it.
    OTPMINT_DATABASE_MIGRATE_URL: cluster.url('otpmint', 'otpmint_migrate'),
  }
  nodes = await startNodes({ folder, url: bouncer.through(directUrl), directUrl, env })
})
afterAll(async () => {
  await nodes?.stop()
  await killAll()
  await bouncer?.stop()
  await cluster?.stop()
  remove()
})

test('a primary that is killed loses, revives, forgets and repeats nothing, and the standby serves', async () => {
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
