import { Database } from 'bun:sqlite'
import { loadSettings } from '../src/config/load.ts'
import type { Delivery, Handover } from '../src/domain/delivery.ts'
import { createApp } from '../src/domain/manage-apps.ts'
import type { Outbox } from '../src/domain/ports.ts'
import { startVerification } from '../src/domain/start-verification.ts'
import { createDataDirectory, dataDirectory } from '../src/runtime/data-directory.ts'
import { type OpenPorts, openDirectory } from '../src/runtime/open.ts'
import { environment } from './support-servers.ts'

export type Seeded = {
  liveKey: string
  testKey: string
  appId: string
  /** Verifications that wait for their code. */
  pending: { id: string; code: string }[]
}

export type Offer = { delivery: Delivery; handover: Handover }

/** Opens a data directory in this process, with the same code that serves it. */
export async function openData(dataDir: string) {
  const read = loadSettings(environment(dataDir))
  if (!read.ok) throw new Error(read.mistakes.join(', '))
  const directory = dataDirectory(dataDir)
  createDataDirectory(directory)
  const opened = await openDirectory(read.settings, directory, directory.database)
  if (!opened.ok) throw new Error(opened.reasons.join(', '))
  return opened
}

/** An app and verifications of it, as the use cases make them; `smtpPort` null: nowhere to mail. */
export async function seed(dataDir: string, count: number, smtpPort: number | null) {
  const { ports, close } = await openData(dataDir)
  const created = await createApp(ports, { who: 'cli', requestId: null }, appFields(smtpPort))
  const offers = await start(ports, created.app.id, count)
  close()
  markSent(dataDir)
  const pending = offers.map(({ delivery, handover }) => ({
    id: delivery.verificationId,
    code: handover.code,
  }))
  const { liveKey, testKey, app } = created
  return { liveKey, testKey, appId: app.id, pending } satisfies Seeded
}

export function appFields(smtpPort: number | null) {
  const mailServer = { host: '127.0.0.1', port: smtpPort ?? 25, security: 'none', user: null }
  return { name: 'Bench', email: { ...mailServer, from: 'codes@bench.example' } }
}

/** Starts verifications, 256 at once; answers what the sender would have got. */
export async function start(ports: OpenPorts, appId: string, count: number): Promise<Offer[]> {
  const app = await ports.apps.get(appId)
  if (!app) throw new Error('no app')
  const offers: Offer[] = []
  const outbox: Outbox = {
    offer: (delivery, handover) => void offers.push({ delivery, handover }),
    settled: async () => null,
  }
  const settings = { ...ports.settings, appStartsPerMinute: 1_000_000_000 }
  const host = `seeded-${ports.clock.now()}.example`
  const isFull = () => offers.length >= count
  while (!isFull()) {
    const left = Math.min(256, count - offers.length)
    const batch = Array.from({ length: left }, (_, index) =>
      startVerification(
        { ...ports, settings, outbox },
        { app, mode: 'live', to: `person-${offers.length + index}@${host}` },
      ),
    )
    await Promise.all(batch)
  }
  return offers
}

/** As the sender leaves them: the measures of checks are not measures of mail. */
function markSent(dataDir: string): void {
  const database = new Database(dataDirectory(dataDir).database)
  database.run(
    `update deliveries set status = 'sent', tries = 1, due_at = null, leased = 0
     where due_at is not null`,
  )
  database.run(
    `update verifications set delivery_status = 'sent', delivery_detail = '250 2.0.0 Ok'
     where delivery_status = 'queued'`,
  )
  database.close()
}
