import type { ServerFacts } from '../../src/domain/server.ts'
import { dayMs } from '../../src/domain/verification/limits.ts'
import type { Installation } from '../../src/http/ports.ts'

const startedAt = Date.UTC(2026, 5, 15, 12)

/** What the server of these tests says about itself. */
export const serverFacts: ServerFacts = {
  ...{ version: '0.1.0', url: 'http://127.0.0.1:5000', startedAt, node: 'local' },
  nodes: [{ id: 'local', seenAt: startedAt, keysetVersion: 1, nextKeyId: null }],
  database: { kind: 'sqlite', bytes: 4096 },
  disk: { freeBytes: 1000, totalBytes: 2000 },
  settings: [
    { name: 'OTPMINT_PORT', section: 'Server', value: '0', source: 'flag', says: 'The port.' },
  ],
  findings: [{ check: 'disk', status: 'ok', detail: '1000 MiB free', next: null }],
}

/** Without a database that could be copied. */
export const plainInstallation: Installation = {
  describe: async () => serverFacts,
  examine: async () => serverFacts.findings,
  backups: null,
  auditKeptMs: 30 * dayMs,
}
