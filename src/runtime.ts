import { answerChallenge, takeCallback } from './channels/callbacks.ts'
import { createEgress } from './channels/egress.ts'
import { readBounce } from './channels/email/bounce.ts'
import { tryLogin } from './channels/email/probe.ts'
import { createPostMessage } from './channels/event-post.ts'
import { createChannels } from './channels/registry.ts'
import { createBotReader } from './channels/telegram/bots.ts'
import { type Environment, redactedSettings, type Settings } from './config/load.ts'
import { sharedOptions } from './config/options.ts'
import { isLoopback } from './domain/app/host.ts'
import type { Log } from './domain/ports.ts'
import { nameOf } from './domain/problem.ts'
import { hashMark } from './domain/shared-settings.ts'
import { dayMs, hourMs } from './domain/verification/limits.ts'
import { createDashboard } from './http/dashboard/server.ts'
import { pageBaseOf } from './http/hosted/base.ts'
import { createLive } from './http/live/live.ts'
import type { HttpPorts } from './http/ports.ts'
import { createServer } from './http/server.ts'
import { createBotJob } from './jobs/bots/bots.ts'
import { createFallBacks } from './jobs/fall-backs.ts'
import { createFigures } from './jobs/figures.ts'
import { createLearning } from './jobs/learning.ts'
import { createReportWatch } from './jobs/report-watch.ts'
import { createSender } from './jobs/sender/sender.ts'
import { createSweeper } from './jobs/sweep.ts'
import {
  createBeat,
  createClockWatch,
  createRefusalWatch,
  createRotationWatch,
  createSettingsWatch,
  createSigns,
  createSpendingWatch,
  createSprayWatch,
} from './jobs/watches.ts'
import { createWebhooks } from './jobs/webhooks/webhooks.ts'
import { createProofs } from './keys/proof.ts'
import { followRotation } from './keys/rotate.ts'
import { createLog } from './log.ts'
import { createMetrics } from './metrics.ts'
import { adminTokenHash, type Tell } from './runtime/admin-token.ts'
import { listenForControl, type ServerReport } from './runtime/control.ts'
import {
  type DataDirectory,
  dataDirectory,
  holdDataDirectory,
  holdForDoctor,
  prepareDataDirectory,
  refuseHalfRestored,
} from './runtime/data-directory.ts'
import { createHealth, type Health } from './runtime/health.ts'
import { inboxOf } from './runtime/inbox.ts'
import { createInstallation } from './runtime/installation.ts'
import { dashboardLine, listen } from './runtime/listeners.ts'
import { refuseMoved } from './runtime/moved.ts'
import { type Opened, type OpenOptions, type OpenPorts, openDirectory } from './runtime/open.ts'
import { openPostgres } from './runtime/open-postgres.ts'
import { createPresence } from './runtime/presence.ts'
import { adoptForeign, adoptOnce, isForeign, markRun } from './runtime/run-id.ts'
import { testDns, testEndpoint } from './runtime/test-delivery.ts'
import { testWebhook } from './runtime/test-webhook.ts'
import { settingsAreWrong } from './startup-error.ts'
import { systemClock } from './system.ts'
import { version } from './version.ts'

export type RuntimeIo = {
  /** One line of the log. */
  write(line: string): void
  /** Prints text for a person; null without a terminal. */
  tell: Tell | null
  pid: number
  /** Of the process, whose hazards the admin is told of. */
  environment?: Environment
  /** $RUNTIME_DIRECTORY, for the doctor's socket when the data directory cannot have it. */
  runtimeDirectory?: string | null | undefined
  /** How many lines of the log were lost so far. */
  lostLines?: (() => number) | undefined
}

export type Running = {
  /** Where it listens. */
  url: string
  /** Where the dashboard is reached; null where it is off. */
  dashboardUrl: string | null
  ports: OpenPorts
  /** Finishes running requests, keeps queued messages, closes everything. Never throws. */
  stop(): Promise<void>
}

/**
 * Starts a server: directory, lock, key, store, keyset, listeners, jobs, in this order. When a step
 * throws, the earlier ones are undone. Throws `StartupError`.
 */
export async function startRuntime(
  settings: Settings,
  io: RuntimeIo,
  openStore?: OpenOptions['openStore'],
): Promise<Running> {
  if (settings.developerMode && !isLoopback(settings.host)) {
    throw settingsAreWrong('developer mode listens on loopback only: set OTPMINT_HOST to 127.0.0.1')
  }
  const log = createLog({ level: settings.logLevel, write: io.write, clock: systemClock })
  const directory = dataDirectory(settings.dataDir)
  const held = settings.database ? holdForDoctor(directory, io.pid) : hold(directory, { log, io })
  const health = createHealth({ log, io })
  try {
    const opened = await open(settings, directory, { health, openStore })
    const close = async () => {
      await opened.close()
      held.release()
    }
    try {
      return await serve(settings, { ports: opened.ports, log, io, health, close })
    } catch (error) {
      health.end()
      await opened.close()
      throw error
    }
  } catch (error) {
    held.release()
    throw error
  }
}

function hold(directory: DataDirectory, { log, io }: { log: Log; io: RuntimeIo }) {
  const privacy = prepareDataDirectory(directory)
  const detail = 'it was open to other users'
  if (privacy !== 'private') log.warn(`data_directory_${privacy}`, { path: directory.root, detail })
  return holdDataDirectory(directory, io.pid)
}

type OpenWith = { health: Health; openStore: OpenOptions['openStore'] }

function open(
  settings: Settings,
  directory: DataDirectory,
  { health, openStore }: OpenWith,
): Promise<Opened> {
  const { database } = settings
  if (database) return openPostgres(settings, { database, directory, serves: true })
  refuseHalfRestored(directory)
  const { onDamage } = health
  const options = { onDamage, ...(openStore && { openStore }) }
  return openDirectory(settings, directory, directory.database, options)
}

type Base = { ports: OpenPorts; log: Log; io: RuntimeIo; health: Health; close(): Promise<void> }

async function serve(settings: Settings, base: Base): Promise<Running> {
  const { ports, log, io, health } = base
  const { directory, found } = ports
  await refuseMoved(ports)
  if (found.generated) {
    const detail = 'keep a copy apart from backups; a systemd credential is a better place'
    log.info('master_key_generated', { path: directory.masterKey, detail })
  }
  // The file of run ids lies beside a database of its own.
  if (!settings.database) {
    if (await isForeign(ports)) await adoptForeign(ports, log)
    await markRun(ports)
  }
  const admin = { token: settings.adminToken, log, tell: io.tell }
  const tokenHash = await adminTokenHash(ports, admin)
  await ports.nodes.forget(ports.clock.now() - dayMs)
  await ports.deliveries.releaseLeases(ports.node)
  await ports.webhooks.releaseLeases(ports.node)

  const assembly = assemble(settings, base, tokenHash)
  await assembly.beat()
  // Threads start before connections can take the open files that they need.
  health.begin(ports, settings.database ? null : directory.database)
  const listeners = listen(settings, assembly)
  const { url, metricsUrl, dashboardUrl } = listeners
  assembly.state.url = url
  const control = listenForControl(directory, {
    runtimeDirectory: io.runtimeDirectory ?? null,
    log,
    report: async (): Promise<ServerReport> => ({
      settings: redactedSettings(settings),
      findings: health.findings(url),
      dashboardUrl,
    }),
    pause: (seconds) => assembly.outbox.pause(seconds * 1000),
  })
  for (const job of [assembly.outbox, ...assembly.watches]) job.start()
  log.info('listening', { url, version })
  if (metricsUrl) log.info('metrics_listening', { url: metricsUrl })
  if (dashboardUrl) log.info('dashboard_listening', await dashboardLine(ports, dashboardUrl))
  const stop = createStop(settings, base, { assembly, listeners, control })
  return { url, dashboardUrl, ports, stop }
}

type Assembly = ReturnType<typeof assemble>

/** Creates and connects every part; starts none. */
function assemble(settings: Settings, { ports, log, io, health }: Base, tokenHash: Uint8Array) {
  const { maintenance } = ports
  const metrics = createMetrics()
  const follow = () => followRotation(ports)
  const { beat, seenAt, live, presence } = createSignsOf(settings, ports, {
    ...{ log, keys: health.keys, follow },
    adopt: () => adoptOnce(ports, log),
    drop: () => {
      outbox.drop()
      webhooks.drop()
    },
  })
  const isCurrent = presence?.isCurrent
  const egress = createEgress(ports)
  const channels = channelsOf(settings, ports)
  const outbox = createSender({
    ...ports,
    channels,
    log,
    metrics,
    connectionsMax: settings.connectionsMax,
    ...{ seenAt, live, isCurrent },
  })
  const { learned, job: learning } = createLearning({ ...ports, log, isCurrent })
  const state = { stopping: false, url: '', linkBase: null as string | null }
  const streams = createLive({ ...ports, log, flow: outbox.flow })
  const { openRegistration, developerMode, trustedProxies, publicUrl } = settings
  const httpPorts: HttpPorts = {
    ...ports,
    ...{ outbox, egress, learned, log, metrics, live: streams },
    inbox: inboxOf(ports, () => pageBaseOf(settings, URL.parse(state.url))),
    http: { openRegistration, developerMode, trustedProxies, publicUrl },
    dashboard: dashboardOf(settings, state),
    installation: createInstallation({
      ...{ settings, ports, log, health, environment: io.environment ?? {} },
      url: () => state.url,
    }),
    adminTokenHash: tokenHash,
    ready: () => health.ready(maintenance, presence),
    ...(presence && { enter: presence.enter }),
    stopping: () => state.stopping,
    seeForwarded: health.seeForwarded,
    testDelivery: (app, endpoint, message) => {
      return testEndpoint({ ...ports, egress }, app, endpoint, message)
    },
    proofs: createProofs(ports.keyring),
    testWebhook: (app, webhook) => testWebhook(ports, app, webhook),
    readBounce,
    takeCallback: (callback) => takeCallback({ ...ports, outbox, publicUrl }, callback),
    answerChallenge: (challenge) => answerChallenge(ports, challenge),
    testDns: (app) => testDns(ports, app),
    tryLogin: (app, endpoint) => tryLogin({ ...ports, egress }, app, endpoint),
  }
  const always = { ...ports, log, metrics, beat }
  const shared = { ...always, isCurrent }
  const webhooks = createWebhooks({ ...shared, post: createPostMessage(ports) })
  const watches = [
    webhooks,
    createFallBacks({ ...shared, outbox }),
    createSweeper(shared, retentionOf(settings)),
    learning,
    createFigures(shared),
    createSprayWatch(shared),
    createRefusalWatch(shared),
    createSpendingWatch(shared),
    createReportWatch(shared),
    createClockWatch(shared),
    createBotJob({ ...shared, reader: createBotReader(ports), publicUrl }),
    createBeat({ ...always, isDamaged: health.isDamaged, lostLines: io.lostLines ?? (() => 0) }),
    createRotationWatch({ ...always, follow, keys: health.keys }),
  ]
  const closeChannels = () => {
    for (const channel of Object.values(channels)) channel.close()
  }
  const servers = {
    server: createServer(httpPorts),
    dashboard: settings.dashboard.listen && createDashboard(httpPorts),
  }
  return { ...servers, metrics, outbox, watches, beat, state, streams, closeChannels }
}

function channelsOf(settings: Settings, ports: OpenPorts) {
  const { connectionsMax, publicUrl } = settings
  const linkBase = pageBaseOf(settings, null)
  return createChannels({ ...ports, connectionsMax, publicUrl, linkBase })
}

/** What the dashboard goes by; `state.linkBase` is known once it listens. */
function dashboardOf(
  { dashboard: { listen, url, idleMinutes, sessionHours } }: Settings,
  state: { linkBase: string | null },
): HttpPorts['dashboard'] {
  return {
    url,
    isLocal: listen !== null && isLoopback(listen.host),
    times: { idleMs: idleMinutes * 60_000, lifeMs: sessionHours * hourMs },
    linkBase: () => state.linkBase,
  }
}

type Present = Pick<
  Parameters<typeof createPresence>[0],
  'log' | 'keys' | 'follow' | 'adopt' | 'drop'
>

/** How this process marks itself as alive; only among several nodes can it have been missed. */
function createSignsOf(settings: Settings, ports: OpenPorts, present: Present) {
  const { keyring, nextKey, databaseClock } = ports
  const shared = databaseClock && { settings: sharedSettings(settings, keyring) }
  const about = async () => {
    const nextKeyId = await nextKey.id()
    return { keysetVersion: keyring.keyset().version, nextKeyId, ...shared }
  }
  const signs = createSigns({ ...ports, about, onLive: createSettingsWatch(present) })
  if (!databaseClock) return { ...signs, presence: null }
  const clocks = { clock: databaseClock, machine: systemClock }
  const presence = createPresence({ ...ports, ...present, ...clocks, signs })
  return { ...signs, beat: presence.confirm, presence }
}

/** What the other nodes compare with their own. */
function sharedSettings(
  { inForce, adminToken }: Settings,
  keyring: OpenPorts['keyring'],
): Record<string, string> {
  const names: readonly string[] = sharedOptions
  const shared = inForce.filter(({ name }) => names.includes(name))
  const values = Object.fromEntries(shared.map(({ name, value }) => [name, value]))
  if (adminToken === null) return values
  const hash = Buffer.from(keyring.limitIndex('shared_setting', adminToken)).toString('hex')
  return { ...values, OTPMINT_ADMIN_TOKEN: hashMark + hash }
}

function retentionOf({ retention }: Settings) {
  const { verificationDays, limitDays, eventDays, auditDays } = retention
  return {
    verificationsMs: verificationDays * dayMs,
    limitsMs: limitDays * dayMs,
    eventsMs: eventDays * dayMs,
    auditMs: auditDays * dayMs,
  }
}

/** The longest stop after the time for running requests, with the sender's ten seconds. */
export const stopMaxMs = 20_000

type Parts = {
  assembly: Assembly
  listeners: ReturnType<typeof listen>
  control: ReturnType<typeof listenForControl>
}

/** Stops in this order: readiness, new connections, running requests, sender, database. */
function createStop(
  { shutdownSeconds }: Settings,
  { ports, log, health, close }: Base,
  { assembly, listeners, control }: Parts,
): () => Promise<void> {
  const { nodes, node, timers } = ports
  const { outbox, watches, state, streams, closeChannels } = assembly
  const { main, dashboard, metrics } = listeners
  const finishMs = shutdownSeconds * 1000
  const finish = async () => {
    streams.stop()
    await Promise.race([Promise.all([main.stop(), dashboard?.stop()]), timers.sleep(finishMs)])
    await Promise.all([main.stop(true), dashboard?.stop(true)])
    await Promise.all([outbox.stop(), ...watches.map((watch) => watch.stop())])
    closeChannels()
    await Promise.all([metrics?.stop(true), control.close(), nodes.leave(node).catch(() => {})])
    await close()
    log.info('stopped')
  }
  const stop = async () => {
    state.stopping = true
    log.info('stopping')
    health.end()
    const late = timers.sleep(finishMs + stopMaxMs)
    await Promise.race([finish(), late]).catch((error: unknown) => {
      log.error('stop_failed', { detail: nameOf(error) })
    })
  }
  let stopped: Promise<void> | null = null
  return () => {
    stopped ??= stop()
    return stopped
  }
}
