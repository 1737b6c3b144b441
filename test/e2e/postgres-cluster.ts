import { afterAll, afterEach, beforeAll } from 'bun:test'
import { join } from 'node:path'
import { type PostgresServer, startPostgres } from '../postgres/server.ts'
import { type Environment, executable, killAll, scratch } from '../support/executable.ts'

/** What all nodes of a cluster have in common, and the environment of each. */
export function cluster(folder: string) {
  const masterKey = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64')
  const adminToken = 'admin-token-of-a-cluster-0123456789'
  let count = 0
  return {
    masterKey,
    adminToken,
    /** Each has a data directory of its own. */
    nodeOf: (url: string, more: Environment = {}): Environment => ({
      OTPMINT_DATABASE_URL: url,
      OTPMINT_MASTER_KEY: masterKey,
      OTPMINT_ADMIN_TOKEN: adminToken,
      OTPMINT_DATA_DIR: join(folder, `node${++count}`),
      OTPMINT_PORT: '0',
      OTPMINT_METRICS_LISTEN: 'off',
      OTPMINT_DASHBOARD_LISTEN: '127.0.0.1:0',
      ...more,
    }),
  }
}

/** A cluster over a PostgreSQL server of its own, which is there for all tests of the file. */
export function clusterOnServer() {
  executable()
  const { folder, remove } = scratch()
  let server: PostgresServer | null = null
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterEach(killAll)
  afterAll(async () => {
    remove()
    await server?.stop()
  })
  return {
    ...cluster(folder),
    folder,
    get server(): PostgresServer {
      if (!server) throw new Error('PostgreSQL is started before the tests')
      return server
    },
  }
}
