import { createPhones } from '../../src/channels/phones.ts'
import { newApiKey } from '../../src/domain/app/api-key.ts'
import type { App } from '../../src/domain/app/app.ts'
import { createApp, type ManagePorts } from '../../src/domain/app/manage.ts'
import type { Policy } from '../../src/domain/app/policy.ts'
import type { Delivery, Handover } from '../../src/domain/delivery/delivery.ts'
import type { Lane } from '../../src/domain/delivery/handover.ts'
import type { DeliveryState, Ports } from '../../src/domain/ports.ts'
import { Problem } from '../../src/domain/problem.ts'
import { type DomainSettings, defaultSettings } from '../../src/domain/settings.ts'
import { dkimPairs } from '../../src/keys/dkim-pair.ts'
import { createKeyring, type LiveKeyring } from '../../src/keys/keyring.ts'
import { firstKeyset } from '../../src/keys/keyset.ts'
import { createPasswords } from '../../src/keys/passwords.ts'
import { pem } from '../../src/keys/pem.ts'
import { templating } from '../../src/messages/templating.ts'
import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import { systemRandom, systemTimers } from '../../src/system.ts'
import { type RecordingBots, recordingBots } from './bots.ts'
import { dnsOf } from './dns.ts'
import { noHttpOut } from './http.ts'

export { defaultSettings }

export type SqliteStore = Awaited<ReturnType<typeof openSqliteStore>>

/** Real ports, except for a clock that the test moves and an outbox that only records. */
export type World = Ports & {
  store: SqliteStore
  keyring: LiveKeyring
  clock: { now(): number; advance(ms: number): void }
  /** What was handed to the outbox, the newest last. */
  sent: { delivery: Delivery; handover: Handover }[]
  outboxState: {
    /** What `settled` answers. */
    settled: DeliveryState | null
    /** What `expectedWaitMs` answers. */
    waitMs: number
    /** Whether `reserve` finds a place. */
    hasRoom: boolean
    /** Places that were reserved and neither used nor given back. */
    reserved: number
    woken: Lane[]
    withdrawn: string[]
  }
  dns: ReturnType<typeof dnsOf>
  bots: RecordingBots
  app: App
  liveKey: string
  testKey: string
}

/** Noon of a day in 2026: far from the boundaries of days and months. */
export const noon = Date.UTC(2026, 5, 15, 12)

export async function world(
  options: { settings?: Partial<DomainSettings>; policy?: Policy; path?: string } = {},
): Promise<World> {
  const keyring = createKeyring(firstKeyset(new Uint8Array(32).map((_, i) => i + 1)), systemRandom)
  const { path = ':memory:' } = options
  const store = await openSqliteStore({ path, timers: systemTimers })
  let now = noon
  const clock = {
    now: () => now,
    advance: (ms: number) => {
      now += ms
    },
  }
  const sent: World['sent'] = []
  const outboxState: World['outboxState'] = {
    settled: { status: 'sent', detail: null, maybeTaken: true, nextAt: null },
    waitMs: 0,
    hasRoom: true,
    reserved: 0,
    woken: [],
    withdrawn: [],
  }
  const dns = dnsOf()
  const bots = recordingBots()
  const ports: Ports = {
    ...store,
    clock,
    timers: systemTimers,
    keyring,
    pem,
    phones: createPhones(),
    random: systemRandom,
    node: 'local',
    outbox: {
      expectedWaitMs: () => outboxState.waitMs,
      reserve: () => {
        if (outboxState.hasRoom) outboxState.reserved++
        return outboxState.hasRoom
      },
      release: () => void outboxState.reserved--,
      offer: (delivery, handover) => {
        outboxState.reserved--
        sent.push({ delivery, handover })
      },
      wake: (lane) => void outboxState.woken.push(lane),
      withdraw: (id) => void outboxState.withdrawn.push(id),
      settled: async () => outboxState.settled,
    },
    learned: { of: () => null },
    egress: { reach: async () => 'public' },
    dns,
    httpOut: noHttpOut,
    mayReach: () => true,
    dkimPairs,
    templating,
    bots,
    passwords: createPasswords({ keyring, random: systemRandom }),
    settings: { ...defaultSettings, ...options.settings },
  }
  const { app, liveKey, testKey } = await addApp(ports, { policy: options.policy ?? {} })
  return { ...ports, keyring, store, clock, dns, bots, sent, outboxState, app, liveKey, testKey }
}

/** An app with an email endpoint and one key of each mode. */
export async function addApp(
  ports: Omit<ManagePorts, 'settings' | 'pem'>,
  { name = 'Acme', policy = {} }: { name?: string; policy?: Policy } = {},
): Promise<{ app: App; liveKey: string; testKey: string }> {
  const email = {
    ...{ host: 'mail.example.com', port: 587, security: 'starttls', user: null },
    ...{ from: 'codes@example.com', fromName: name },
  }
  return createApp(
    { settings: defaultSettings, pem, ...ports },
    { who: 'cli', requestId: null },
    { name, policy, email },
  )
}

/** A well-formed key that belongs to no app. */
export function strangeKey(mode: 'live' | 'test' | 'inbound' | 'admin' = 'live'): string {
  return newApiKey(systemRandom, mode)
}

/** The code in a message that was handed over. */
export function codeOf(sent: { handover: Handover } | undefined): string {
  if (!sent) throw new Error('nothing was handed over')
  return sent.handover.code
}

/** A wrong code of the same length. */
export function wrongCode(right: string): string {
  const first = right.charAt(0) === '0' ? '1' : '0'
  return first + right.slice(1)
}

/** The problem that a call ends with. */
export async function problemOf(promise: Promise<unknown>) {
  const error = await promise.then(
    () => null,
    (reason: unknown) => reason,
  )
  if (!(error instanceof Problem)) throw new Error(`no problem but ${error}`)
  return { code: error.code, ...error.extra }
}
