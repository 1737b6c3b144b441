import { createPhones } from '../../../src/channels/phones.ts'
import type { App } from '../../../src/domain/app/app.ts'
import { addEndpoint, updateEndpoint } from '../../../src/domain/app/endpoints.ts'
import { type ChannelKind, channelKinds } from '../../../src/domain/delivery/channel.ts'
import type { Delivery } from '../../../src/domain/delivery/delivery.ts'
import { firstLane, type Lane } from '../../../src/domain/delivery/handover.ts'
import type { Channel, Log, LogFields, Outbox, Ports } from '../../../src/domain/ports.ts'
import { defaultSettings } from '../../../src/domain/settings.ts'
import { type StartRequest, startVerification } from '../../../src/domain/verification/start.ts'
import type { VerificationKey } from '../../../src/domain/verification/verification.ts'
import { createSender, type Sender } from '../../../src/jobs/sender/sender.ts'
import { dkimPairs } from '../../../src/keys/dkim-pair.ts'
import { createKeyring } from '../../../src/keys/keyring.ts'
import { firstKeyset } from '../../../src/keys/keyset.ts'
import { createPasswords } from '../../../src/keys/passwords.ts'
import { pem } from '../../../src/keys/pem.ts'
import { templating } from '../../../src/messages/templating.ts'
import { createMetrics } from '../../../src/metrics.ts'
import { openSqliteStore } from '../../../src/store/sqlite/store.ts'
import { systemRandom } from '../../../src/system.ts'
import { recordingBots } from '../../support/bots.ts'
import { dnsOf } from '../../support/dns.ts'
import { noHttpOut } from '../../support/http.ts'
import { addApp, type SqliteStore } from '../../support/world.ts'
import { simulatedServers } from './simulated-servers.ts'
import { type SimulatedTime, seededRandom, simulatedTime } from './simulated-time.ts'

/** Of every endpoint. */
type Limits = { connectionsMax?: number; ratePerMinute?: number }
type Options = { seed?: number; connectionsMax?: number }

/** A sender over a real store, with simulated time and mail servers. */
export type Stage = {
  time: SimulatedTime
  ports: Omit<Ports, 'outbox'>
  store: SqliteStore
  servers: ReturnType<typeof simulatedServers>
  /** The running sender; `restart` replaces it. */
  sender: Sender
  app: App
  /** The log lines. */
  lines: { event: string; fields: LogFields }[]
  /** Adds an app with so many endpoints; returns them by rank. */
  newApp(options?: { endpoints?: number } & Limits): Promise<App>
  /** Starts verifications for new recipients, without waiting between them. */
  start(count: number, options?: StartOptions): Promise<Started[]>
  /** Starts a sender as another process would; the earlier one is left as it is. */
  restart(options?: {
    node?: string
    ports?: Partial<Ports>
    channel?: Channel
    seenAt?: () => number
    isCurrent?: () => boolean
    live?: () => number
  }): Sender
  /** Marks a node as alive. */
  beat(node: string): Promise<void>
  history(started: Started): ReturnType<Ports['deliveries']['history']>
  close(): Promise<void>
}

type StartOptions = { app?: App; ttlSeconds?: number; mode?: 'live' | 'test' } & Partial<
  Pick<StartRequest, 'to' | 'channel' | 'fallbackAfterSeconds'>
>
export type Started = VerificationKey & { lane: Lane }

const actor = { who: 'cli', requestId: null }
/** The highest limits, so that none refuses a start. */
const many = 1_000_000
const settings = {
  ...defaultSettings,
  appStartsPerMinute: many,
  appStartsPerDay: many,
  ttlSeconds: 600,
}

export async function openStage(options: Options = {}): Promise<Stage> {
  const time = simulatedTime()
  const { clock, timers } = time
  const random = seededRandom(options.seed ?? 1)
  const opening = openSqliteStore({ path: ':memory:', timers })
  const store = await time.until(opening)
  const keyring = createKeyring(firstKeyset(new Uint8Array(32).fill(7)), random)
  const egress: Ports['egress'] = { reach: async () => 'public' }
  const doors = { egress, dns: dnsOf(), httpOut: noHttpOut, mayReach: () => true, dkimPairs }
  const own = {
    clock,
    timers,
    random,
    keyring,
    pem,
    phones: createPhones(),
    learned: { of: () => null },
    templating,
    passwords: createPasswords({ keyring, random: systemRandom }),
    bots: recordingBots(),
    settings,
    node: 'a',
  }
  const ports = { ...store, ...doors, ...own }
  const servers = simulatedServers(time)
  const lines: Stage['lines'] = []
  const write = (event: string, fields: LogFields = {}) => void lines.push({ event, fields })
  const log: Log = { debug: write, info: write, warn: write, error: write }
  let recipients = 0

  const newSender: Stage['restart'] = ({
    node = 'a',
    channel = servers.newChannel(),
    ...rest
  } = {}) => {
    const channels = channelsOf(channel)
    const { connectionsMax = 500 } = options
    const { seenAt, live, isCurrent } = rest
    const seen = { ...(seenAt && { seenAt }), ...(live && { live }), isCurrent }
    const own = { ...ports, ...rest.ports, ...seen, node, channels, log, metrics: createMetrics() }
    return createSender({ ...own, connectionsMax })
  }
  const newApp: Stage['newApp'] = async ({ endpoints = 1, ...limits } = {}) => {
    const { app } = await time.until(addApp(ports))
    const [first] = app.endpoints
    if (first) {
      const command = { appId: app.id, id: first.id, input: limits }
      await time.until(updateEndpoint(ports, actor, command))
    }
    const fields = { host: 'mail.example.com', port: 587, user: null, from: 'codes@example.com' }
    const email = { ...fields, ...limits }
    for (let count = 1; count < endpoints; count++) {
      const command = { appId: app.id, kind: 'email', input: email } as const
      await time.until(addEndpoint(ports, actor, command))
    }
    const ready = await time.until(ports.apps.get(app.id))
    if (!ready) throw new Error('the app is gone')
    return ready
  }
  const stage: Stage = {
    ...{ time, ports, store, servers, lines, newApp, sender: newSender() },
    app: await newApp(),
    restart(options) {
      stage.sender = newSender(options)
      return stage.sender
    },
    async start(count, { app = stage.app, ttlSeconds = 600, mode = 'live', ...options } = {}) {
      const outbox: Outbox = stage.sender
      const starts = Array.from({ length: count }, async () => {
        const to = options.to ?? `person${recipients++}@example.com`
        const request = { app, mode, startedBy: 'v1', ...options, to, ttlSeconds } as const
        const { verification } = await startVerification({ ...ports, outbox }, request)
        return { ...keyOf(verification), lane: firstLane(app, verification.channel, null) }
      })
      return time.until(Promise.all(starts))
    },
    beat: (id) => {
      return time.until(
        ports.nodes.beat({ id, seenAt: clock.now(), keysetVersion: 1, nextKeyId: null }),
      )
    },
    history: (started) => time.until(ports.deliveries.history(started)),
    async close() {
      await time.until(stage.sender.stop(0))
      await time.until(store.close())
    },
  }
  return stage
}

function keyOf({ id, appId, mode }: VerificationKey): VerificationKey {
  return { id, appId, mode }
}

/** The state of the only delivery of a verification. */
export function only(deliveries: Delivery[]): Delivery {
  const [delivery] = deliveries
  if (!delivery || deliveries.length > 1) throw new Error('there is not one delivery')
  return delivery
}

/** The highest number of these times, in ms, within 60 s. */
export function mostInAMinute(times: number[]): number {
  const counts = times.map((from) => times.filter((at) => at >= from && at < from + 60_000).length)
  return Math.max(0, ...counts)
}

/** One channel for messages of every kind. */
function channelsOf(channel: Channel): Record<ChannelKind, Channel> {
  const entries = channelKinds.map((kind) => [kind, channel])
  return Object.fromEntries(entries) as Record<ChannelKind, Channel>
}
