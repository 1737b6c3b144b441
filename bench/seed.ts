import { Database } from 'bun:sqlite'
import { join } from 'node:path'
import { createComposer } from '../src/channels/email/compose.ts'
import { mailOf } from '../src/channels/email/email.ts'
import { loadSettings } from '../src/config/load.ts'
import { dkimRecord } from '../src/domain/app/dkim.ts'
import { addDkimKey, checkDkimKeys } from '../src/domain/app/dkim-keys.ts'
import { addEndpoint } from '../src/domain/app/endpoints.ts'
import { createApp, newKey, revokeKey } from '../src/domain/app/manage.ts'
import type { Handover } from '../src/domain/delivery/delivery.ts'
import { lifeLeft } from '../src/domain/delivery/life.ts'
import { newTimedId } from '../src/domain/id.ts'
import type { Outbox } from '../src/domain/ports.ts'
import { saveTemplate } from '../src/domain/template/templates.ts'
import { startVerification } from '../src/domain/verification/start.ts'
import { newWebhookSecret } from '../src/domain/webhook/secret.ts'
import { addWebhook } from '../src/domain/webhook/webhooks.ts'
import { starterTemplate } from '../src/messages/starter.ts'
import { dataDirectory, prepareDataDirectory } from '../src/runtime/data-directory.ts'
import { type OpenPorts, openDirectory, openPorts } from '../src/runtime/open.ts'
import { systemRandom } from '../src/system.ts'
import { environment } from './executable.ts'

const actor = { who: 'cli', requestId: null }

type Environment = Record<string, string>

/** A verification that waits for its code. */
export type Pending = { id: string; code: string }

export type Seeded = { liveKey: string; testKey: string; pending: Pending[]; revokedKeys: string[] }

type Seed = {
  /** The port of the app's mail server; null for one where nothing listens. */
  smtpPort: number | null
  /** The port of a second mail server, for when the first one fails. */
  spareSmtpPort?: number
  /** Where its webhook leads. */
  gatewayUrl?: string
  connectionsMax?: number
  /** Whether its mail is signed. */
  dkim?: boolean
  /** Languages in which the app has a template: the built-in message, edited. */
  templates?: readonly string[]
  /** How many verifications wait for their codes. */
  pending?: number
  startedBy?: 'v1' | 'original'
  /** How many live keys are made and revoked. */
  revokedKeys?: number
  /** A webhook that is told of sent messages, with so many messages that wait. */
  webhook?: { url: string; waiting: number }
}

/**
 * Puts an app into a data directory, or into the database that further settings name, and
 * verifications of it as the use cases make them.
 */
export async function seed(dataDir: string, wanted: Seed, more: Environment = {}): Promise<Seeded> {
  const { ports, close } = await openData(dataDir, more)
  const { smtpPort, connectionsMax = null, pending = 0, startedBy = 'v1' } = wanted
  const server = { host: '127.0.0.1', port: smtpPort ?? 25, security: 'none', user: null }
  const email = { ...server, from: 'codes@bench.example', connectionsMax }
  const { app, liveKey, testKey } = await createApp(ports, actor, { name: 'Bench', email })
  if (wanted.spareSmtpPort !== undefined) {
    const spare = { ...email, port: wanted.spareSmtpPort }
    await addEndpoint(ports, actor, { appId: app.id, kind: 'email', input: spare })
  }
  if (wanted.gatewayUrl !== undefined) {
    const secret = newWebhookSecret(systemRandom)
    const input = { url: wanted.gatewayUrl, secret }
    await addEndpoint(ports, actor, { appId: app.id, kind: 'webhook', input })
  }
  if (wanted.dkim) await addDkim(ports, app.id)
  for (const locale of wanted.templates ?? []) {
    const { text, ...template } = starterTemplate(app, locale)
    const input = { ...template, text: `${text}\n{{app}}\n` }
    await saveTemplate(ports, actor, { appId: app.id, locale, input })
  }
  const handovers = await start(ports, app.id, pending, startedBy)
  const revokedKeys: string[] = []
  for (let made = 0; made < (wanted.revokedKeys ?? 0); made++) {
    const { key, text } = await newKey(ports, actor, { appId: app.id, mode: 'live' })
    await revokeKey(ports, actor, { appId: app.id, keyId: key.id })
    revokedKeys.push(text)
  }
  if (wanted.webhook) await addTold(ports, app.id, wanted.webhook)
  await close()
  if (more['OTPMINT_DATABASE_URL'] === undefined) markSent(dataDir)
  return {
    liveKey,
    testKey,
    revokedKeys,
    pending: handovers.map(({ verificationId: id, code }) => ({ id, code })),
  }
}

/** Adds a webhook, and tells it of alarms whose messages are as long as those of a delivery. */
async function addTold(
  ports: OpenPorts,
  appId: string,
  { url, waiting }: NonNullable<Seed['webhook']>,
): Promise<void> {
  await addWebhook(ports, actor, { appId, url, types: ['delivery.sent', 'app.alarm'] })
  const data = { kind: 'spray', note: 'x'.repeat(450) }
  const event = { appId, type: 'alarm.raised', verificationId: null, data } as const
  for (let told = 0; told < waiting; told += 1_000) {
    const at = ports.clock.now()
    const some = Math.min(1_000, waiting - told)
    await Promise.all(Array.from({ length: some }, () => ports.events.add({ ...event, at })))
  }
}

/** Adds a DKIM key, and a DNS that has it. */
async function addDkim(ports: OpenPorts, appId: string): Promise<void> {
  const key = await addDkimKey(ports, actor, { appId, domain: 'bench.example' })
  const dns = { ...ports.dns, txt: async () => [dkimRecord(key).value] }
  await checkDkimKeys({ ...ports, dns }, actor, appId)
}

/** Writes one message as OtpMint composes it; returns the file. */
export async function writeSample(dataDir: string): Promise<string> {
  const { ports, close } = await openData(dataDir)
  const from = { from: 'codes@bench.example', fromName: null }
  const server = { host: '127.0.0.1', port: 25, security: 'none', user: null }
  const email = { ...server, from: from.from }
  const { app } = await createApp(ports, actor, { name: 'Bench', email })
  const [handover] = await start(ports, app.id, 1, 'v1')
  await close()
  if (!handover) throw new Error('nothing was offered')
  const mail = mailOf(handover)
  const file = join(dataDir, 'sample.eml')
  await Bun.write(
    file,
    await createComposer().compose(mail, from, lifeLeft(mail.expiresAt, mail.createdAt)),
  )
  return file
}

/** Opens a data directory in this process, with the same code that serves it. */
async function openData(dataDir: string, more: Environment = {}) {
  const settings = loadSettings({ ...environment(dataDir), ...more })
  const directory = dataDirectory(dataDir)
  prepareDataDirectory(directory)
  if (settings.database !== null) return openPorts(settings)
  return openDirectory(settings, directory, directory.database)
}

/** Starts verifications, 256 at once; returns the deliveries for the sender. */
async function start(
  ports: OpenPorts,
  appId: string,
  count: number,
  startedBy: 'v1' | 'original',
): Promise<Handover[]> {
  const app = await ports.apps.get(appId)
  if (!app) throw new Error('there is no app')
  const handovers: Handover[] = []
  const outbox: Outbox = {
    expectedWaitMs: () => 0,
    reserve: () => true,
    release() {},
    offer: (_, handover) => void handovers.push(handover),
    wake() {},
    withdraw() {},
    settled: async () => null,
  }
  const host = `seeded-${ports.clock.now()}.example`
  for (let begun = 0; begun < count; begun += 256) {
    const batch = Array.from({ length: Math.min(256, count - begun) }, (_, index) =>
      startVerification(
        { ...ports, outbox, learned: { of: () => null } },
        { app, mode: 'live', startedBy, to: `person-${begun + index}@${host}` },
      ),
    )
    await Promise.all(batch)
  }
  return handovers
}

/** In the SQL of both stores. */
export const sentStatements = [
  `update deliveries set status = 'sent', tries = 1, due_at = null, leased_by = ''
   where due_at is not null`,
  `update verifications set delivery_status = 'sent', delivery_detail = '250 2.0.0 Ok'
   where delivery_status = 'queued'`,
]

/** Settles the deliveries as sent, so that measures of checks include no mail. */
function markSent(dataDir: string): void {
  const database = new Database(dataDirectory(dataDir).database)
  for (const statement of sentStatements) database.run(statement)
  database.close()
}

const sixDaysMs = 6 * 86_400_000
const batchSize = 500_000

/**
 * Fills a database as after six days of work: verifications that were mailed and approved long ago,
 * one in ten after a wrong code, with all their rows. Copies the one existing verification by SQL,
 * because a million starts would take minutes.
 */
export function fillOld(dataDir: string, count: number): void {
  const database = new Database(dataDirectory(dataDir).database, { strict: true })
  database.run('pragma journal_mode = wal')
  database.run('pragma synchronous = off')
  database.run('pragma cache_size = -1000000')
  const begunAt = Date.now() - sixDaysMs
  for (let from = 0; from < count; from += batchSize) {
    database.transaction(() => {
      database.run('create temp table old (id text, delivery_id text, at integer, n integer)')
      const insert = database.prepare('insert into old values (?1, ?2, ?3, ?4)')
      for (let n = from; n < Math.min(count, from + batchSize); n++) {
        const at = begunAt + Math.floor((n * sixDaysMs) / count)
        insert.run(newTimedId(systemRandom, at), newTimedId(systemRandom, at), at, n)
      }
      for (const sql of oldRows) database.run(sql)
      database.run('drop table old')
    })()
    database.run('pragma wal_checkpoint(truncate)')
  }
  database.close(true)
}

const oldRows = [
  `insert into verifications (id, app_id, mode, started_by, recipient_key, recipient_index,
     recipient_masked, channel, purpose, status, code_key_id, code_format, code_length,
     code_generation, reference, attempts_spent, attempts_max, resends_max, created_at, expires_at,
     resend_at, delivery_id, delivery_status, delivery_detail)
   select old.id, app_id, mode, started_by, randomblob(length(recipient_key)),
     randomblob(length(recipient_index)), recipient_masked, channel, purpose, 'approved',
     code_key_id, code_format, code_length, code_generation, reference, 1 + (n % 10 = 0),
     attempts_max, resends_max, at, at + 600000, at + 30000, old.delivery_id, 'sent', '250 2.0.0 Ok'
   from old, (select * from verifications order by id desc limit 1) order by old.id`,
  `insert into deliveries (id, app_id, mode, verification_id, channel, endpoint_id, status, detail,
     tries, created_at, expires_at, try_at, leased_by)
   select old.delivery_id, v.app_id, v.mode, v.id, v.channel, d.endpoint_id, 'sent',
     '250 2.0.0 Ok', 1, at, at + 600000, at, ''
   from old join verifications v using (id),
     (select endpoint_id from deliveries order by id desc limit 1) d
   order by old.delivery_id`,
  `insert into delivery_tries (delivery_id, number, endpoint_id, at, took_ms, status, ambiguous,
     code, detail)
   select d.id, 1, d.endpoint_id, at, 100, 'sent', 0, '250 2.0.0', d.detail
   from old join deliveries d on d.id = old.delivery_id order by d.id`,
  ...['delivery.sent', 'verification.approved'].map(
    (type) => `insert into events (at, app_id, type, verification_id, data)
     select at, app_id, '${type}', id, '{"attempts_spent":1}'
     from old join verifications using (id) order by id`,
  ),
  `insert into limits (key, arrival_1, arrival_2, arrival_3, latest_id, kept_until)
   select recipient_key, at, at, at, id, at + 31 * 86400000
   from old join verifications using (id) order by recipient_key`,
]
