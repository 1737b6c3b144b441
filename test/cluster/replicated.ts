import { SQL } from 'bun'
import { type PatroniCluster, startPatroniCluster } from '../postgres/patroni.ts'
import { startPgBouncer } from '../postgres/pgbouncer.ts'
import { loadSettings } from './campaign.ts'
import { type Nodes, startNodes } from './nodes.ts'

export type ReplicatedNodes = { nodes: Nodes; cluster: PatroniCluster; stop(): Promise<void> }

/** Three nodes over a primary and a synchronous standby, by way of PgBouncer and HAProxy. */
export async function startReplicatedNodes(folder: string): Promise<ReplicatedNodes> {
  const cluster = await startPatroniCluster()
  const bouncer = await startPgBouncer(cluster.port)
  const admin = new SQL({ url: cluster.url('postgres'), max: 1 })
  await admin.unsafe('create database otpmint owner otpmint_migrate')
  await admin.close()
  const directUrl = cluster.url('otpmint', 'otpmint')
  const env = {
    ...loadSettings,
    // The nodes migrate at once, and one of them does it.
    OTPMINT_DATABASE_MIGRATE_URL: cluster.url('otpmint', 'otpmint_migrate'),
  }
  const nodes = await startNodes({ folder, url: bouncer.through(directUrl), directUrl, env })
  return {
    nodes,
    cluster,
    async stop() {
      await nodes.stop()
      await bouncer.stop()
      await cluster.stop()
    },
  }
}
