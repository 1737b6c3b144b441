import type { App, Policy } from '../../src/domain/app.ts'
import type { Delivery, Handover } from '../../src/domain/delivery.ts'
import { createApp, type ManagePorts } from '../../src/domain/manage-apps.ts'
import type { DeliveryState, DomainSettings, Ports } from '../../src/domain/ports.ts'
import { createKeyring } from '../../src/keys/keyring.ts'
import { firstKeyset } from '../../src/keys/keyset.ts'
import { systemRandom } from '../../src/random.ts'
import { openSqliteStore, type SqliteStore } from '../../src/store/sqlite/store.ts'

export const defaultSettings: DomainSettings = {
  codeLength: 6,
  ttlSeconds: 600,
  attemptsMax: 5,
  resendAfterSeconds: 30,
  resendsMax: 3,
  recipientStartSpacingSeconds: 30,
  recipientStartsPerQuarterHour: 5,
  recipientStartsPerDay: 20,
  recipientStartsPerDayAcrossApps: 30,
  appStartsPerMinute: 600,
  ipFailuresPerMinute: 10,
  guessBudgetPerDay: 25,
  guessBudgetPerMonth: 80,
}

/** Every port, real but for time, which moves when told, and the outbox, which records. */
export type World = Ports & {
  store: SqliteStore
  clock: { now(): number; advance(ms: number): void }
  /** What was handed to the outbox, the newest last. */
  sent: { delivery: Delivery; handover: Handover }[]
  /** What `outbox.settled` answers; set it to try another end of a delivery. */
  deliveryState: { current: DeliveryState | null }
  app: App
  liveKey: string
  testKey: string
}

/** Noon of a day in 2026: far from any boundary by chance. */
const start = Date.UTC(2026, 5, 15, 12)

export async function world(
  options: { settings?: Partial<DomainSettings>; policy?: Policy; path?: string } = {},
): Promise<World> {
  const keyring = createKeyring(firstKeyset(new Uint8Array(32).map((_, i) => i + 1)))
  const store = openSqliteStore({
    path: options.path ?? ':memory:',
    auditLink: (previous, record) => keyring.auditLink(previous, record),
  })
  let now = start
  const clock = {
    now: () => now,
    advance: (ms: number) => {
      now += ms
    },
  }
  const sent: World['sent'] = []
  const deliveryState: World['deliveryState'] = { current: { status: 'sent', detail: null } }
  const ports: Ports = {
    ...store,
    clock,
    keyring,
    random: systemRandom,
    outbox: {
      offer: (delivery, handover) => {
        sent.push({ delivery, handover })
      },
      settled: async () => deliveryState.current,
    },
    egress: { reach: async () => 'public' },
    settings: { ...defaultSettings, ...options.settings },
  }
  const { app, liveKey, testKey } = await addApp(ports, { policy: options.policy ?? {} })
  return { ...ports, store, clock, sent, deliveryState, app, liveKey, testKey }
}

/** An app with an email channel and one key of each mode. */
export async function addApp(
  ports: Omit<ManagePorts, 'settings'>,
  { name = 'Acme', policy = {} }: { name?: string; policy?: Policy } = {},
): Promise<{ app: App; liveKey: string; testKey: string }> {
  const email = {
    ...{ host: 'mail.example.com', port: 587, security: 'starttls', user: null },
    ...{ from: 'codes@example.com', fromName: name },
  }
  return createApp(
    { settings: defaultSettings, ...ports },
    { who: 'cli', requestId: null },
    { name, policy, email },
  )
}

/** The code that a handed-over message carries. */
export function codeOf(sent: { handover: Handover } | undefined): string {
  if (!sent) throw new Error('nothing was handed over')
  return sent.handover.code
}

/** A code of the same shape that is surely wrong. */
export function wrongCode(right: string): string {
  const first = right.charAt(0) === '0' ? '1' : '0'
  return first + right.slice(1)
}
