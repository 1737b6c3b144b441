import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { type PgBouncer, startPgBouncer } from '../postgres/pgbouncer.ts'
import { type PostgresServer, startPostgres } from '../postgres/server.ts'
import { executable, killAll, scratch } from '../support/executable.ts'
import { campaign, killOfNode, loadSettings, stopOfNode } from './campaign.ts'
import { type Nodes, startNodes } from './nodes.ts'

setDefaultTimeout(240_000)
executable()
const { folder, remove } = scratch()
let server: PostgresServer
let bouncer: PgBouncer
let nodes: Nodes

beforeAll(async () => {
  server = await startPostgres({ settings: { synchronous_commit: 'on' } })
  bouncer = await startPgBouncer(server.port)
  const directUrl = await server.create()
  nodes = await startNodes({
    folder,
    url: bouncer.through(directUrl),
    directUrl,
    env: loadSettings,
  })
})
afterAll(async () => {
  await nodes.stop()
  await killAll()
  await bouncer.stop()
  await server.stop()
  remove()
})

test('nodes that are killed and frozen in a loop lose, revive, forget and repeat nothing', async () => {
  const kills = Array.from({ length: 12 }, () => killOfNode(nodes))
  const stops = [1000, 3000, 18_000].map((forMs) => stopOfNode(nodes, forMs))

  const report = await campaign(nodes, [...kills.slice(6), ...stops, ...kills.slice(0, 6)])
  process.stdout.write(`${JSON.stringify(report)}\n`)

  expect(report.started).toBeGreaterThan(100)
  expect(report.approved).toBeGreaterThan(100)
  expect(report.attemptsSpent).toBeGreaterThan(report.approved)
  // HAProxy notices within two checks, and the other nodes serve.
  expect(Math.max(...Object.values(report.longestGapMs))).toBeLessThan(10_000)
})
