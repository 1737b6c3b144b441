import { join } from 'node:path'
import type { Environment } from '../support/executable.ts'

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
      ...more,
    }),
  }
}
