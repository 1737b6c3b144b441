import { createEgress } from './channels/egress.ts'
import { createEmailChannel } from './channels/email.ts'
import { createInbox } from './channels/inbox.ts'
import { systemClock } from './clock.ts'
import type { Settings } from './config/load.ts'
import { dayMs } from './domain/limit.ts'
import type { Log } from './domain/ports.ts'
import { createMetricsServer } from './http/metrics-server.ts'
import { createServer } from './http/server.ts'
import { createSender } from './jobs/send.ts'
import { createSweeper } from './jobs/sweep.ts'
import { createRotationWatch, createSprayWatch } from './jobs/watch.ts'
import { followRotation } from './keys/rotate.ts'
import { createLog } from './log.ts'
import { createMetrics } from './metrics.ts'
import { adminTokenHash, type Tell } from './runtime/admin-token.ts'
import { createDataDirectory, dataDirectory, holdDataDirectory } from './runtime/data-directory.ts'
import { authority, listenOn } from './runtime/listen.ts'
import { type OpenPorts, openDirectory } from './runtime/open.ts'
import { type Refusal, refused } from './runtime/refusal.ts'
import { sendTestMail } from './runtime/test-delivery.ts'
import { version } from './version.ts'

export type RuntimeIo = {
  /** One line of the log. */
  write(line: string): void
  /** Plain words to a person; null where nobody sits at a terminal. */
  tell: Tell | null
  pid: number
}

export type Running = {
  ok: true
  /** Where it listens. */
  url: string
  ports: OpenPorts
  /** Finishes what runs, keeps what is queued, closes everything. Never throws. */
  stop(): Promise<void>
}

/**
 * Settings in, a serving OtpMint out: directory, lock, key, database, keyset, listeners, jobs, in
 * this order; what began is undone when a later step refuses. `openStore` is for the benchmark.
 */
export async function startRuntime(
  settings: Settings,
  io: RuntimeIo,
  openStore?: Parameters<typeof openDirectory>[3],
): Promise<Running | Refusal> {
  const log = createLog({ level: settings.logLevel, write: io.write, clock: systemClock })
  const directory = dataDirectory(settings.dataDir)
  const impossible = createDataDirectory(directory)
  if (impossible) return impossible
  const held = holdDataDirectory(directory, io.pid)
  if (refused(held)) return held
  const opened = await openDirectory(settings, directory, directory.database, openStore)
  if (refused(opened)) {
    held.release()
    return opened
  }
  const close = () => {
    opened.close()
    held.release()
  }
  try {
    const served = await serve(settings, { ports: opened.ports, log, tell: io.tell, close })
    if (refused(served)) close()
    return served
  } catch (error) {
    close()
    throw error
  }
}

type Base = { ports: OpenPorts; log: Log; tell: Tell | null; close(): void }

async function serve(settings: Settings, base: Base): Promise<Running | Refusal> {
  const { ports, log, tell } = base
  const { directory, found } = ports
  if (found.generated) {
    const detail = 'keep a copy apart from backups; a systemd credential is a better place'
    log.info('master_key_generated', { path: directory.masterKey, detail })
  }
  const admin = { token: settings.adminToken, directory, log, tell }
  const tokenHash = await adminTokenHash(ports, admin)
  await ports.deliveries.releaseAll()

  const assembly = assemble(settings, base, tokenHash)
  const listeners = listen(settings, assembly)
  if (refused(listeners)) {
    assembly.closeChannels()
    return listeners
  }
  for (const job of assembly.jobs) job.start()
  const { url, metricsUrl } = listeners
  log.info('listening', { url, version })
  if (metricsUrl) log.info('metrics_listening', { url: metricsUrl })
  return { ok: true, url, ports, stop: createStop(settings, base, assembly, listeners) }
}

type Assembly = ReturnType<typeof assemble>

/** Every part, connected; nothing runs yet. */
function assemble(settings: Settings, { ports, log }: Base, tokenHash: Uint8Array) {
  const metrics = createMetrics()
  const egress = createEgress()
  const inbox = createInbox({ clock: ports.clock })
  const email = createEmailChannel({ ...ports, egress })
  const outbox = createSender({ ...ports, channels: { email, inbox }, log, metrics })
  const keys = { right: true }
  const state = { stopping: false }
  const { openRegistration, developerMode, trustedProxies, publicUrl } = settings
  const http = { openRegistration, developerMode, trustedProxies, publicUrl }
  const server = createServer({
    ...ports,
    ...{ outbox, egress, inbox, log, metrics, http, adminTokenHash: tokenHash },
    ready: async () => {
      const writes = await ports.records.ready().then(
        () => true,
        () => false,
      )
      return writes && keys.right
    },
    stopping: () => state.stopping,
    testDelivery: (app, recipient) => sendTestMail({ ...ports, egress }, email, { app, recipient }),
  })
  const { verificationDays, limitDays, eventDays, auditDays } = settings.retention
  const retention = {
    verificationsMs: verificationDays * dayMs,
    limitsMs: limitDays * dayMs,
    eventsMs: eventDays * dayMs,
    auditMs: auditDays * dayMs,
  }
  const watches = [
    createSweeper({ ...ports, metrics, log }, retention),
    createSprayWatch({ ...ports, log }),
    createRotationWatch({ follow: () => followRotation(ports), keys, log }),
  ]
  const closeChannels = () => {
    email.close()
    inbox.close()
  }
  return {
    server,
    metrics,
    outbox,
    watches,
    jobs: [outbox, ...watches],
    state,
    closeChannels,
  }
}

type Listeners = {
  ok: true
  url: string
  metricsUrl: string | null
  main: NonNullable<Assembly['server']['server']>
  metrics: ReturnType<ReturnType<typeof createMetricsServer>['listen']> | null
}

function listen(settings: Settings, { server, metrics }: Assembly): Listeners | Refusal {
  const scrape = createMetricsServer(metrics)
  const { metricsListen } = settings
  const scraped = metricsListen
    ? listenOn(metricsListen, 'OTPMINT_METRICS_LISTEN (or "off")', (address) =>
        scrape.listen(address),
      )
    : null
  if (scraped && refused(scraped)) return scraped

  const listened = listenOn(settings, 'OTPMINT_HOST and OTPMINT_PORT', (address) => {
    server.listen(address)
    if (!server.server) throw new Error('no listener')
    return server.server
  })
  if (refused(listened)) {
    void scraped?.server.stop(true)
    return listened
  }
  const main = listened.server
  const url = `http://${authority({ host: settings.host, port: main.port ?? 0 })}`
  const metricsUrl =
    metricsListen && scraped
      ? `http://${authority({ host: metricsListen.host, port: scraped.server.port ?? 0 })}/metrics`
      : null
  return { ok: true, url, metricsUrl, main, metrics: scraped?.server ?? null }
}

/** Not ready, no new connections, what runs ends, the sender ends, the database closes. */
function createStop(
  settings: Settings,
  { log, close }: Base,
  { outbox, watches, state, closeChannels }: Assembly,
  { main, metrics }: Listeners,
): () => Promise<void> {
  let stopped: Promise<void> | null = null
  const stop = async () => {
    state.stopping = true
    log.info('stopping')
    await Promise.race([main.stop(), Bun.sleep(settings.shutdownSeconds * 1000)])
    await main.stop(true)
    await Promise.all([outbox.stop(), ...watches.map((watch) => watch.stop())])
    closeChannels()
    await metrics?.stop(true)
    close()
    log.info('stopped')
  }
  return () => {
    stopped ??= stop()
    return stopped
  }
}
