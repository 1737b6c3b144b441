import { expect, test } from 'bun:test'
import { cutAudit, linkAudit, verifyAudit } from '../../src/domain/audit.ts'
import type { Keyring } from '../../src/domain/keyring.ts'
import type { Stores } from '../../src/domain/stores.ts'
import {
  auditEntry,
  auditKeyring,
  bytes,
  noon,
  plainApp,
  times,
  withAudit,
} from '../support/commands.ts'
import type { OpenStores } from './contract.ts'

const keyring = auditKeyring as Keyring

async function addRecord({ audit }: Pick<Stores, 'audit'>, at = noon) {
  const append = linkAudit(auditKeyring, await audit.state(), auditEntry(at))
  return { append, outcome: await audit.append(append) }
}

/** Tests the rules of the audit chain that every store follows. */
export function auditContract(open: OpenStores): void {
  test('records come back as they were linked, and the state with them', async () => {
    const { audit } = await open()
    expect(await audit.state()).toBeNull()
    const added = [
      await addRecord({ audit }),
      await addRecord({ audit }),
      await addRecord({ audit }),
    ]

    const records = added.map(({ append }) => append.record)
    expect(await audit.after(0, 2)).toEqual(records.slice(0, 2))
    expect(await audit.after(2, 9)).toEqual(records.slice(2))
    expect(await audit.state()).toEqual(added[2]?.append.state as never)
    const page = await audit.list({ limit: 2, cursor: null })
    expect(page.items).toEqual(records.slice(1).reverse())
    const next = await audit.list({ limit: 2, cursor: page.nextCursor })
    expect(next).toEqual({ items: records.slice(0, 1), nextCursor: null })
  })

  test('of parallel appends to one head one succeeds, and the chain stays valid', async () => {
    const { audit } = await open()
    await addRecord({ audit })

    const head = await audit.state()
    const appends = times(200, () => linkAudit(auditKeyring, head, auditEntry()))
    const outcomes = await Promise.all(appends.map(audit.append))
    expect(outcomes.filter((outcome) => outcome === 'appended').length).toBe(1)
    expect(outcomes.filter((outcome) => outcome === 'head_moved').length).toBe(199)

    const verdict = await verifyAudit({ audit, keyring }, { now: noon, keptMs: 0 })
    expect(verdict).toMatchObject({ ok: true, records: 2 })
  })

  test('of parallel audited writes each is made once, and the chain stays valid', async () => {
    const stores = await open()
    const apps = times(100, () => plainApp())

    const outcomes = await Promise.all(
      apps.map((app) => {
        const create = { app, keys: [], secretKeyIndex: null, registeredFrom: null }
        return withAudit(stores, (append) => stores.apps.create(create, append))
      }),
    )

    expect(new Set(outcomes)).toEqual(new Set(['created']))
    expect((await stores.apps.list({ limit: 200, cursor: null })).items).toHaveLength(100)
    const verdict = await verifyAudit({ audit: stores.audit, keyring }, { now: noon, keptMs: 0 })
    expect(verdict).toMatchObject({ ok: true, records: 100 })
  })

  test('a write whose head has moved changes nothing', async () => {
    const stores = await open()
    const { apps, audit, meta } = stores
    const stale = linkAudit(auditKeyring, await audit.state(), auditEntry())
    const app = plainApp()
    const create = { app, keys: [], secretKeyIndex: null, registeredFrom: null }
    await withAudit(stores, (append) => apps.create(create, append))
    const key = { key: { ...keyOf(app.id) }, hash: bytes(32), activeMax: 2 }
    const other = { ...create, app: plainApp() }

    expect(await apps.create(other, stale)).toBe('head_moved')
    const change = { expectedVersion: 1, name: 'New', updatedAt: noon }
    expect(await apps.update(app.id, change, stale)).toBe('head_moved')
    expect(await apps.addKey(key, stale)).toBe('head_moved')
    const revoke = { appId: app.id, keyId: key.key.id, now: noon }
    expect(await apps.revokeKey(revoke, stale)).toBe('head_moved')
    expect(await apps.remove(app.id, stale)).toBe('head_moved')
    expect(await meta.write({ a: bytes(1) }, { audit: stale })).toBe(false)

    expect(await apps.get(app.id)).toEqual(app)
    expect(await apps.get(other.app.id)).toBeNull()
    expect(await apps.keys(app.id)).toEqual([])
    expect(await meta.read('a')).toBeNull()
    expect(await audit.after(0, 9)).toHaveLength(1)
  })

  test('a cut deletes records and writes the new state, unless the head has moved', async () => {
    const { audit } = await open()
    for (let at = 1; at <= 4; at++) await addRecord({ audit }, at)
    const [, second] = await audit.after(0, 9)
    const state = await audit.state()
    if (!second || !state) throw new Error('no records')
    const cut = cutAudit(auditKeyring, state, second)

    expect(await audit.cut({ expected: 3, state: cut })).toBe('head_moved')
    expect(await audit.after(0, 9)).toHaveLength(4)
    expect(await audit.cut({ expected: 4, state: cut })).toBe(2)

    expect((await audit.after(0, 9)).map(({ id }) => id)).toEqual([3, 4])
    expect(await audit.state()).toEqual(cut)
    // Its state is that before the cut, which it would undo.
    const late = linkAudit(auditKeyring, state, auditEntry())
    expect(await audit.append(late)).toBe('head_moved')
    await addRecord({ audit }, 5)
    const verdict = await verifyAudit({ audit, keyring }, { now: noon, keptMs: 0 })
    expect(verdict).toMatchObject({ ok: true, records: 3 })
  })
}

function keyOf(appId: string) {
  const visible = { prefix: 'otpm_live_', lastFour: 'abcd' }
  return { id: 'k', appId, mode: 'live' as const, ...visible, createdAt: noon, revokedAt: null }
}
