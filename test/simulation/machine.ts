import { readBounce } from '../../src/channels/email/bounce.ts'
import { createInboxChannel, listInbox } from '../../src/channels/inbox.ts'
import { createPhones } from '../../src/channels/phones.ts'
import { createQueue } from '../../src/channels/queue.ts'
import { hashKey } from '../../src/domain/app/api-key.ts'
import { type ChannelKind, channelKinds } from '../../src/domain/delivery/channel.ts'
import type { Handover } from '../../src/domain/delivery/delivery.ts'
import type { Channel, Log, Random } from '../../src/domain/ports.ts'
import type { DomainSettings } from '../../src/domain/settings.ts'
import { dayMs } from '../../src/domain/verification/limits.ts'
import { createLive } from '../../src/http/live/live.ts'
import { createServer } from '../../src/http/server.ts'
import { createFallBacks } from '../../src/jobs/fall-backs.ts'
import { createSender } from '../../src/jobs/sender/sender.ts'
import { createSweeper } from '../../src/jobs/sweep.ts'
import {
  createBeat,
  createClockWatch,
  createRotationWatch,
  createSprayWatch,
} from '../../src/jobs/watches.ts'
import { dkimPairs } from '../../src/keys/dkim-pair.ts'
import { createKeyring } from '../../src/keys/keyring.ts'
import { loadKeyset } from '../../src/keys/keyset.ts'
import type { MasterKey } from '../../src/keys/master-key.ts'
import { createPasswords } from '../../src/keys/passwords.ts'
import { pem } from '../../src/keys/pem.ts'
import { createProofs } from '../../src/keys/proof.ts'
import { followRotation } from '../../src/keys/rotate.ts'
import { templating } from '../../src/messages/templating.ts'
import { createMetrics } from '../../src/metrics.ts'
import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import { systemRandom } from '../../src/system.ts'
import { recordingBots } from '../support/bots.ts'
import { dnsOf } from '../support/dns.ts'
import { plainInstallation } from '../support/installation.ts'
import { verificationsKeptMs } from './ledger.ts'
import type { Life, VirtualTime } from './virtual-time.ts'

export const adminToken = `otpm_admin_${'a'.repeat(36)}`
export const auditKeptMs = 400 * dayMs
const node = 'local'

export type MachineParts = {
  path: string
  life: Life
  time: VirtualTime
  random: Random
  settings: DomainSettings
  /** The newest first; one of them opens the keyset. */
  masterKeys: MasterKey[]
  email: Channel
  inInbox(handover: Handover): void
  log: Log
}

export type Machine = Awaited<ReturnType<typeof startMachine>>

/** Starts one server process: all that runtime.ts connects, without listeners and threads. */
export async function startMachine(parts: MachineParts) {
  const { path, life, time, random, settings, log } = parts
  const { clock } = time
  const timers = time.timersOf(life)
  const store = await openSqliteStore({ path, timers })
  const keyset = await openKeyset({ meta: store.meta, random, clock }, parts.masterKeys)
  const keyring = createKeyring(keyset, random)
  const egress = { reach: async () => 'public' as const }
  const phones = createPhones()
  const doors = { egress, dns: dnsOf(), mayReach: () => true, dkimPairs }
  const bots = recordingBots()
  const passwords = createPasswords({ keyring, random: systemRandom })
  const own = {
    ...{ clock, timers, random, keyring, pem, phones, templating, passwords, bots, settings, node },
  }
  const base = { ...store, ...doors, ...own }
  const metrics = createMetrics()
  const inbox = createInboxChannel(base)
  const watchedInbox: Channel = {
    deliver(handover, signal) {
      if (life.isOver) return new Promise(() => {})
      parts.inInbox(handover)
      return inbox.deliver(handover, signal)
    },
    close: inbox.close,
  }
  await store.deliveries.releaseLeases(node)
  // The queue of the mail thread; the thread itself is not simulated.
  const queue = createQueue({ clock, timers })
  const email: Channel = {
    ...parts.email,
    queue: (handover, turn) => {
      const { endpoint, expiresAt } = handover
      const send = () => parts.email.deliver(handover, turn.signal)
      return queue.run({ endpointId: endpoint?.id ?? 'none', expiresAt }, turn, send)
    },
  }
  // The other channels have no queue of their own.
  const others = Object.fromEntries(channelKinds.map((kind) => [kind, parts.email]))
  const channels = { ...(others as Record<ChannelKind, Channel>), email, inbox: watchedInbox }
  const outbox = createSender({ ...base, channels, log, metrics })
  const state = { isStopping: false }
  const keys = { right: true }
  const peers = new WeakMap<Request, string>()
  const server = createServer({
    ...base,
    ...{ outbox, log, metrics, adminTokenHash: hashKey(adminToken) },
    learned: { of: () => null },
    live: createLive({ ...base, log, flow: outbox.flow }),
    inbox: {
      list: () => listInbox(base, { appId: null, limit: 50 }),
      source: async () => null,
      clear: async () => 0,
    },
    installation: plainInstallation,
    http: { openRegistration: false, developerMode: false, publicUrl: null, trustedProxies: [] },
    dashboard: {
      url: null,
      isLocal: true,
      times: { idleMs: 1_800_000, lifeMs: 43_200_000 },
      linkBase: () => null,
    },
    ready: async () => true,
    stopping: () => state.isStopping,
    testDelivery: async () => ({ status: 'sent', detail: null, steps: [] }),
    proofs: createProofs(keyring),
    testWebhook: async () => ({ code: 204, retryAfterMs: null, detail: null }),
    testDns: async () => [],
    tryLogin: async () => null,
    readBounce,
    takeCallback: async () => ({ outcome: 'unsigned' }),
    answerChallenge: async () => null,
    peerAddress: (request) => peers.get(request) ?? null,
  })
  const beat = () =>
    store.nodes.beat({
      id: node,
      seenAt: clock.now(),
      keysetVersion: keyring.keyset().version,
      nextKeyId: null,
    })
  const shared = { ...base, log, metrics }
  const jobs = [
    outbox,
    createFallBacks({ ...shared, outbox }),
    createSweeper(shared, {
      verificationsMs: verificationsKeptMs,
      ...{ limitsMs: 31 * dayMs, eventsMs: 31 * dayMs, auditMs: auditKeptMs },
    }),
    createSprayWatch(shared),
    createClockWatch(shared),
    createBeat({ ...shared, beat, isDamaged: () => false, lostLines: () => 0 }),
    createRotationWatch({
      ...shared,
      ...{ beat, keys, follow: () => followRotation({ meta: store.meta, keyring }) },
    }),
  ]
  for (const job of jobs) job.start()

  return {
    ...{ life, store, ports: { ...base, outbox }, keys },
    /** Answers a request from this address. */
    handle(request: Request, from: string): Promise<Response> {
      peers.set(request, from)
      return Promise.resolve(server.handle(request))
    },
    /** Makes the server answer that it is not ready, as after SIGTERM. */
    refuse(): void {
      state.isStopping = true
    },
    /** Stops the jobs and closes the store. */
    async stop(): Promise<void> {
      await Promise.all(jobs.map((job) => job.stop()))
      await store.close()
    },
  }
}

/** Opens the keyset with the first master key that fits. */
async function openKeyset(ports: Parameters<typeof loadKeyset>[0], masterKeys: MasterKey[]) {
  const [first, ...others] = masterKeys
  if (!first) throw new Error('there is no master key')
  try {
    return await loadKeyset(ports, first)
  } catch (error) {
    if (others.length === 0) throw error
    return openKeyset(ports, others)
  }
}
