import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { auditText } from '../../src/domain/event.ts'
import { dayMs } from '../../src/domain/limit.ts'
import type { Ports } from '../../src/domain/ports.ts'
import { attempt, auditEntry, bytes, noon, plainApp, startCommand } from '../support/commands.ts'
import { verificationContract } from './contract-verifications.ts'

export type Store = Pick<Ports, 'verifications' | 'deliveries' | 'apps' | 'limits' | 'records'>
/** A fresh store whose audit links are SHA-256 of the previous link and the record. */
export type OpenStore = () => Promise<Store>

export function auditLink(previous: Uint8Array, record: string): Uint8Array {
  return new Bun.CryptoHasher('sha256').update(previous).update(record).digest()
}

const sweepNothing = {
  now: noon,
  verificationsBefore: 0,
  limitsBefore: 0,
  eventsBefore: 0,
  auditBefore: 0,
  limit: 100,
}

/** The promises of every store, in every adapter. */
export function storeContract(name: string, open: OpenStore): void {
  describe(`${name}: verifications`, () => verificationContract(open))
  describe(`${name}: limits`, () => limitContract(open))
  describe(`${name}: deliveries`, () => deliveryContract(open))
  describe(`${name}: apps`, () => appContract(open))
  describe(`${name}: records`, () => recordContract(open))
}

function limitContract(open: OpenStore): void {
  test('two hundred parallel takers get exactly the burst', async () => {
    const { limits } = await open()
    const limit = { name: 'x', key: bytes(16), max: 7, windowMs: 60_000 }
    const takes = Array.from({ length: 200 }, () => limits.take(limit, noon))
    expect((await Promise.all(takes)).filter(({ taken }) => taken).length).toBe(7)
  })

  test('a refused taker is served at the very time it was told, not before', async () => {
    const { limits } = await open()
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1000, max: 86_400_000 }),
        async (max, windowMs) => {
          const limit = { name: 'x', key: bytes(16), max, windowMs }
          let result = await limits.take(limit, noon)
          for (let i = 0; i < max && result.taken; i++) result = await limits.take(limit, noon)
          if (result.taken) throw new Error('the burst was larger than the limit')

          expect((await limits.take(limit, result.retryAt - 1)).taken).toBe(false)
          expect((await limits.take(limit, result.retryAt)).taken).toBe(true)
        },
      ),
      { numRuns: 50 },
    )
  })

  test('a start that one limit refuses takes from none of them', async () => {
    const { verifications, limits } = await open()
    const wide = { name: 'wide', key: bytes(16), max: 2, windowMs: dayMs }
    const narrow = { name: 'narrow', key: bytes(16), max: 1, windowMs: dayMs }
    await verifications.start(startCommand({ limits: [narrow] }))

    const refused = await verifications.start(startCommand({ limits: [wide, narrow] }))

    expect(refused).toMatchObject({ outcome: 'limited', limit: 'narrow' })
    expect((await limits.take(wide, noon)).taken).toBe(true)
    expect((await limits.take(wide, noon)).taken).toBe(true)
  })
}

function deliveryContract(open: OpenStore): void {
  const claim = { leaseUntil: noon + 200_000, limit: 10 }

  test('a lease keeps a delivery to its holder until it ends', async () => {
    const { verifications, deliveries } = await open()
    const command = startCommand()
    await verifications.start(command)

    expect(await deliveries.claimDue({ ...claim, now: noon + 89_999 })).toEqual([])
    const both = await Promise.all([
      deliveries.claimDue({ ...claim, now: noon + 90_000 }),
      deliveries.claimDue({ ...claim, now: noon + 90_000 }),
    ])
    expect(both.flat().map(({ id }) => id)).toEqual([command.delivery.id])
  })

  test('released leases are due at once', async () => {
    const { verifications, deliveries } = await open()
    await verifications.start(startCommand())
    await deliveries.releaseAll()
    expect((await deliveries.claimDue({ ...claim, now: noon })).length).toBe(1)
  })

  test('a deferred delivery comes back when told, a sent one never; both are shown', async () => {
    const { verifications, deliveries } = await open()
    const [deferred, sent] = [startCommand(), startCommand()]
    for (const [command, status] of [
      [deferred, 'deferred'],
      [sent, 'sent'],
    ] as const) {
      await verifications.start(command)
      const { appId, id: verificationId } = command.verification
      const retryAt = status === 'deferred' ? noon + 15_000 : null
      const { id } = command.delivery
      const words = { detail: '451 later', status, retryAt, now: noon }
      await deliveries.settle({ appId, id, verificationId, ...words })
      const stored = await verifications.get(appId, verificationId)
      expect(stored?.delivery).toEqual({ status, detail: '451 later' })
    }
    const due = await deliveries.claimDue({ ...claim, now: noon + 15_000 })
    expect(due.map(({ id, tries }) => [id, tries])).toEqual([[deferred.delivery.id, 1]])
  })

  test('the end of an older delivery does not hide how the latest stands', async () => {
    const { verifications, deliveries } = await open()
    const command = startCommand()
    await verifications.start(command)
    const { appId, id: verificationId } = command.verification
    const now = noon + 30_000
    const delivery = { id: 'second', leaseUntil: now + 90_000 }
    const resend = { appId, id: verificationId, now, nextResendAt: now + 30_000, delivery }
    await verifications.claimResend(resend)

    const end = { appId, verificationId, detail: null, retryAt: null, now }
    await deliveries.settle({ ...end, id: 'second', status: 'sent' })
    await deliveries.settle({ ...end, id: command.delivery.id, status: 'refused' })
    expect((await verifications.get(appId, verificationId))?.delivery.status).toBe('sent')
  })

  test('what is not delivered when its code expires ends as undeliverable', async () => {
    const { verifications, deliveries } = await open()
    const command = startCommand({ ttlMs: 1000 })
    await verifications.start(command)
    const { appId, id } = command.verification

    expect(await deliveries.expire({ now: noon + 999, limit: 10 })).toBe(0)
    expect(await deliveries.expire({ now: noon + 1000, limit: 10 })).toBe(1)
    expect((await verifications.get(appId, id))?.delivery.status).toBe('undeliverable')
    expect(await deliveries.claimDue({ ...claim, now: noon + 100_000 })).toEqual([])
  })
}

function appContract(open: OpenStore): void {
  const key = (appId: string, id: string, mode: 'live' | 'test' = 'live') => ({
    id,
    appId,
    mode,
    prefix: 'otpm_live_',
    lastFour: 'abcd',
    createdAt: noon,
    revokedAt: null,
  })

  test('an app comes back as it was created, by its id, key and secretKey', async () => {
    const { apps } = await open()
    const app = plainApp()
    const [hash, secretKeyIndex] = [bytes(32), bytes(16)]
    const keys = [{ key: key(app.id, 'k'), hash }]
    await apps.create({ app, keys, secretKeyIndex }, auditEntry())

    expect(await apps.get(app.id)).toEqual(app)
    expect((await apps.findByKey(hash))?.app).toEqual(app)
    expect(await apps.findBySecretKey(secretKeyIndex)).toEqual(app)
    expect(await apps.findByKey(bytes(32))).toBeNull()
  })

  test('a secretKey is registered once, however many ask together', async () => {
    const { apps } = await open()
    const secretKeyIndex = bytes(16)
    const creations = Array.from({ length: 50 }, () =>
      apps.create({ app: plainApp(), keys: [], secretKeyIndex }, auditEntry()),
    )
    const outcomes = await Promise.all(creations)
    expect(outcomes.filter((outcome) => outcome === 'created').length).toBe(1)
  })

  test('a mode has two active keys at most, and a revoked one opens nothing', async () => {
    const { apps } = await open()
    const app = plainApp()
    await apps.create({ app, keys: [], secretKeyIndex: null }, auditEntry())
    const hashes = [bytes(32), bytes(32), bytes(32)] as const
    const add = (index: 0 | 1 | 2) =>
      apps.addKey(key(app.id, `k${index}`), hashes[index], auditEntry())

    expect(await Promise.all([add(0), add(1), add(2)])).toEqual(['added', 'added', 'too_many'])
    expect(await apps.revokeKey(app.id, 'k0', auditEntry())).toBe(true)
    expect(await apps.revokeKey(app.id, 'k0', auditEntry())).toBe(false)
    expect(await apps.findByKey(hashes[0])).toBeNull()
    expect(await add(2)).toBe('added')
  })

  test('a change leaves the rest alone, and null takes the channel away', async () => {
    const { apps } = await open()
    const app = plainApp()
    await apps.create({ app, keys: [], secretKeyIndex: null }, auditEntry())
    const email = {
      host: 'mail.example.com',
      port: 587,
      security: 'starttls' as const,
      user: 'u',
      from: 'a@example.com',
      fromName: null,
      passwordSealed: bytes(40),
      publicOnly: true,
      updatedAt: noon + 1,
    }
    const changed = await apps.update(app.id, { email, updatedAt: noon + 1 }, auditEntry())
    expect(changed).toEqual({ ...app, email, updatedAt: noon + 1 })

    const policy = { codeLength: 8 }
    const renamed = await apps.update(app.id, { policy, updatedAt: noon + 2 }, auditEntry())
    expect(renamed?.email).toEqual(email)
    const bare = await apps.update(app.id, { email: null, updatedAt: noon + 3 }, auditEntry())
    expect(bare).toEqual({ ...app, policy, updatedAt: noon + 3 })
  })

  test('a removed app takes its keys and verifications with it', async () => {
    const { apps, verifications } = await open()
    const app = plainApp()
    const hash = bytes(32)
    const keys = [{ key: key(app.id, 'k'), hash }]
    await apps.create({ app, keys, secretKeyIndex: null }, auditEntry())
    const command = startCommand({ appId: app.id })
    await verifications.start(command)

    expect(await apps.remove(app.id, auditEntry())).toBe(true)
    expect(await apps.remove(app.id, auditEntry())).toBe(false)
    expect(await apps.findByKey(hash)).toBeNull()
    expect(await verifications.get(app.id, command.verification.id)).toBeNull()
  })
}

function recordContract(open: OpenStore): void {
  test('counts, events and audit tell what happened', async () => {
    const { verifications, records } = await open()
    const command = startCommand()
    await verifications.start(command)
    await verifications.chargeAttempt(attempt(command, false))
    await verifications.chargeAttempt(attempt(command, true))

    const range = { from: noon - dayMs, to: noon + dayMs, bucketMs: 3_600_000 }
    const [hour] = await records.stats({ appId: 'app', ...range })
    expect(hour).toMatchObject({ at: noon, starts: 1, checks: 2, failures: 1, approvals: 1 })
    const query = { appId: 'app', type: null, limit: 10, cursor: null }
    const { items } = await records.events(query)
    expect(items.map(({ type }) => type)).toEqual(['verification.approved'])
  })

  test('each audit link covers its record and the one before', async () => {
    const { records } = await open()
    for (const object of ['a', 'b', 'c']) await records.addAudit(auditEntry(noon, object))

    let link: Uint8Array = new Uint8Array(32)
    for (const record of await records.auditAfter(0, 10)) {
      link = auditLink(link, auditText(record))
      expect(Buffer.compare(record.link, link)).toBe(0)
    }
  })

  test('facts change together, and only if nobody changed them before', async () => {
    const { records } = await open()
    const [one, two] = [new Uint8Array([1]), new Uint8Array([2])]
    expect(await records.writeFacts({ a: one, b: two }, { a: null })).toBe(true)
    expect(await records.writeFacts({ a: two }, { a: null })).toBe(false)
    expect(await records.readFact('a')).toEqual(one)
    expect(await records.writeFacts({ a: null }, { a: one })).toBe(true)
    expect(await records.readFact('a')).toBeNull()
  })

  test('a spray of failures raises one alarm and calm clears it', async () => {
    const { apps, verifications, records } = await open()
    const app = plainApp()
    await apps.create({ app, keys: [], secretKeyIndex: null }, auditEntry())
    for (let i = 0; i < 51; i++) {
      const command = startCommand({ appId: app.id })
      await verifications.start(command)
      await verifications.chargeAttempt(attempt(command, false))
    }

    expect(await records.watchSpray({ now: noon })).toEqual([{ appId: app.id, alarmed: true }])
    expect(await records.watchSpray({ now: noon })).toEqual([])
    expect((await apps.get(app.id))?.alarmAt).toBe(noon)
    const later = noon + 11 * 60_000
    expect(await records.watchSpray({ now: later })).toEqual([{ appId: app.id, alarmed: false }])
  })

  test('the sweep forgets addresses at expiry and rows after their time, bit by bit', async () => {
    const { verifications, records } = await open()
    const commands = Array.from({ length: 5 }, () => startCommand({ ttlMs: 1000 }))
    for (const command of commands) await verifications.start(command)
    const ids = commands.map(({ verification }) => verification.id)
    const sealed = () => Promise.all(ids.map((id) => verifications.sealedRecipient('app', id)))

    expect(await records.sweep({ ...sweepNothing, now: noon + 999 })).toBe(0)
    expect(await records.sweep({ ...sweepNothing, now: noon + 1000, limit: 3 })).toBe(3)
    expect((await sealed()).filter((address) => address !== null).length).toBe(2)
    const all = { ...sweepNothing, now: noon + 1000, verificationsBefore: noon + 1 }
    while ((await records.sweep(all)) > 0);
    expect(await verifications.get('app', ids[0] ?? '')).toBeNull()
  })

  test('swept audit records leave an anchor that the chain goes on from', async () => {
    const { records } = await open()
    for (let at = 1; at <= 3; at++) await records.addAudit(auditEntry(at))
    await records.sweep({ ...sweepNothing, auditBefore: 4 })
    await records.addAudit(auditEntry(5))

    const [record] = await records.auditAfter(0, 10)
    const anchor = await records.readFact('audit_anchor')
    if (!record || !anchor) throw new Error('the record or the anchor is missing')
    expect(record.id).toBe(4)
    expect(record.link).toEqual(auditLink(anchor.slice(8), auditText(record)))
  })
}
