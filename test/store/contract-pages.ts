import { expect, test } from 'bun:test'
import { newTimedId } from '../../src/domain/id.ts'
import type { Stores } from '../../src/domain/stores.ts'
import { systemRandom } from '../../src/system.ts'
import {
  addPlainApp,
  bytes,
  keyOf,
  noon,
  startCommand,
  sweepCommand,
  times,
  withAudit,
} from '../support/commands.ts'
import type { OpenStores } from './contract.ts'

const minute = 60_000

async function added(
  stores: Pick<Stores, 'pages'>,
  change: { appId?: string; keptUntil?: number } = {},
) {
  const id = newTimedId(systemRandom, noon)
  const page = {
    id,
    appId: 'app',
    mode: 'live' as const,
    addressMacs: ['a', 'b'],
    keptUntil: noon + minute,
    ...change,
  }
  await stores.pages.add({ ...page, returnUrl: 'https://app.example.com/done' })
  return page
}

/** Tests the rules of hosted pages that every store follows. */
export function pageContract(open: OpenStores): void {
  test('a page that is added again stays as it is', async () => {
    const stores = await open()
    const page = await added(stores)
    const browserHash = bytes(32)
    expect(await stores.pages.claim({ id: page.id, browserHash })).toBe(true)
    await stores.pages.add({ ...page, returnUrl: 'https://other.example.com/' })

    const returnUrl = 'https://app.example.com/done'
    const kept = { ...page, returnUrl, browserHash, redeemedAt: null }
    expect(await stores.pages.get(page.id)).toEqual(kept)
    expect(await stores.pages.get('unknown')).toBeNull()
  })

  test('of fifty browsers that open a page at once, one has it', async () => {
    const stores = await open()
    const { id } = await added(stores)
    const hashes = times(50, () => bytes(32))

    const claims = await Promise.all(
      hashes.map((browserHash) => stores.pages.claim({ id, browserHash })),
    )

    expect(claims.filter(Boolean)).toHaveLength(1)
    const owner = hashes[claims.indexOf(true)]
    expect((await stores.pages.get(id))?.browserHash).toEqual(owner as Uint8Array)
    expect(await stores.pages.claim({ id: 'unknown', browserHash: bytes(32) })).toBe(false)
  })

  test('a result is redeemed once, in time, by its app in its mode, and is the latest one', async () => {
    const { pages } = await open()
    const { id } = await added({ pages })
    const [first, second] = [bytes(32), bytes(32)]
    const until = noon + minute
    expect(await pages.offerResult({ id, resultHash: first, until })).toBe(true)
    expect(await pages.offerResult({ id, resultHash: second, until })).toBe(true)
    const redeem = { appId: 'app', mode: 'live' as const, resultHash: second, now: noon }

    expect(await pages.redeem({ ...redeem, resultHash: first })).toBeNull()
    expect(await pages.redeem({ ...redeem, appId: 'other' })).toBeNull()
    expect(await pages.redeem({ ...redeem, mode: 'test' })).toBeNull()
    expect(await pages.redeem({ ...redeem, now: until })).toBeNull()
    const races = await Promise.all(times(20, () => pages.redeem(redeem)))
    expect(races.filter((one) => one !== null)).toEqual([id])
    expect((await pages.get(id))?.redeemedAt).toBe(noon)
    expect(await pages.offerResult({ id, resultHash: bytes(32), until })).toBe(false)
    expect(await pages.offerResult({ id: 'unknown', resultHash: bytes(32), until })).toBe(false)
  })

  test('pages are swept after their time, in batches, and go with their app', async () => {
    const stores = await open()
    const { pages, maintenance, apps } = stores
    const app = await addPlainApp(stores)
    const old = await Promise.all(times(3, () => added(stores, { keptUntil: noon - 1 })))
    const young = await added(stores)
    const own = await added(stores, { appId: app.id })
    const left = async () => {
      const found = await Promise.all([...old, young, own].map(({ id }) => pages.get(id)))
      return found.filter((page) => page !== null).length
    }

    await maintenance.sweep(sweepCommand(noon, { pagesBefore: noon, limit: 2 }))
    expect(await left()).toBe(3)
    await maintenance.sweep(sweepCommand(noon, { pagesBefore: noon, limit: 2 }))
    expect(await left()).toBe(2)
    await withAudit(stores, (append) => apps.remove(app.id, append))
    expect(await pages.get(own.id)).toBeNull()
    expect(await pages.get(young.id)).not.toBeNull()
  })

  test('a report is written once for a verification, with one event, and counted by app and time', async () => {
    const { pages, events, verifications } = await open()
    const event = 'verification.reported' as const
    const commands = times(3, (index) => startCommand({ appId: index < 2 ? 'app' : 'other' }))
    for (const command of commands) await verifications.start(command)
    const [first, second, third] = commands.map(keyOf)
    if (!first || !second || !third) throw new Error('there are three')
    expect(await pages.find(first.id)).toEqual(first)
    expect(await pages.find('unknown')).toBeNull()

    const races = await Promise.all(times(20, () => pages.report({ ...first, now: noon, event })))
    expect(races.filter(Boolean)).toHaveLength(1)
    await pages.report({ ...second, now: noon + 1, event })
    await pages.report({ ...third, now: noon + 1, event })
    await pages.report({ ...third, id: 'a test', mode: 'test', now: noon + 1, event })

    const sorted = async (since: number) =>
      (await pages.reports({ since })).toSorted((a, b) => (a.appId < b.appId ? -1 : 1))
    expect(await sorted(noon)).toEqual([
      { appId: 'app', count: 2 },
      { appId: 'other', count: 1 },
    ])
    expect(await sorted(noon + 1)).toEqual([
      { appId: 'app', count: 1 },
      { appId: 'other', count: 1 },
    ])
    expect(await sorted(noon + 2)).toEqual([])
    const query = { appId: 'app', type: event, limit: 9, cursor: null }
    const { items } = await events.list(query)
    expect(items.map(({ verificationId }) => verificationId)).toEqual([second.id, first.id])
  })

  test('reports are swept after their time, in batches, and go with their app', async () => {
    const stores = await open()
    const { pages, maintenance, apps } = stores
    const app = await addPlainApp(stores)
    const event = 'verification.reported' as const
    const report = (id: string, appId: string, now: number) =>
      pages.report({ id, appId, mode: 'live', now, event })
    await Promise.all(times(3, (index) => report(`old ${index}`, 'app', noon - 1)))
    await report('young', 'app', noon)
    await report('own', app.id, noon)
    const left = async () => {
      const found = await pages.reports({ since: 0 })
      return found.reduce((sum, { count }) => sum + count, 0)
    }

    await maintenance.sweep(sweepCommand(noon, { reportsBefore: noon, limit: 2 }))
    expect(await left()).toBe(3)
    await maintenance.sweep(sweepCommand(noon, { reportsBefore: noon, limit: 2 }))
    expect(await left()).toBe(2)
    await withAudit(stores, (append) => apps.remove(app.id, append))
    expect(await left()).toBe(1)
  })
}
