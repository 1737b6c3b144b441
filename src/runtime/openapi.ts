import { createEgress } from '../channels/egress.ts'
import { systemClock } from '../clock.ts'
import { loadSettings } from '../config/load.ts'
import { openApiDocument } from '../http/openapi-document.ts'
import { createServer } from '../http/server.ts'
import { createKeyring } from '../keys/keyring.ts'
import { firstKeyset } from '../keys/keyset.ts'
import { createLog } from '../log.ts'
import { createMetrics } from '../metrics.ts'
import { systemRandom } from '../random.ts'
import { openSqliteStore } from '../store/sqlite/store.ts'

/** The OpenAPI document; from defaults, in memory, and without a listener. */
export async function openApi(): Promise<unknown> {
  const defaults = loadSettings({})
  if (!defaults.ok) throw new Error('the defaults are no settings')
  const { settings } = defaults
  const keyring = createKeyring(firstKeyset(systemRandom.bytes(32)))
  const store = openSqliteStore({ path: ':memory:', auditLink: keyring.auditLink })
  const { openRegistration, developerMode, trustedProxies } = settings
  const server = createServer({
    ...store,
    keyring,
    clock: systemClock,
    random: systemRandom,
    settings: settings.domain,
    egress: createEgress(),
    outbox: { offer: () => {}, settled: async () => null },
    inbox: { list: () => [] },
    log: createLog({ level: 'error', write: () => {}, clock: systemClock }),
    metrics: createMetrics(),
    adminTokenHash: systemRandom.bytes(32),
    http: { openRegistration, developerMode, trustedProxies, publicUrl: null },
    ready: async () => false,
    stopping: () => true,
    testDelivery: async () => ({ status: 'refused', detail: null, steps: [] }),
  })
  const document = await openApiDocument(server, null)
  store.close()
  return document
}
