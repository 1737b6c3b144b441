import { expect, test } from 'bun:test'
import type { Account } from '../../src/domain/account/account.ts'
import type { Link } from '../../src/domain/account/link.ts'
import type { Session } from '../../src/domain/account/session.ts'
import type { SaveAccount } from '../../src/domain/account/store.ts'
import { linkAudit } from '../../src/domain/audit.ts'
import { newId } from '../../src/domain/id.ts'
import type { Stores } from '../../src/domain/stores.ts'
import { systemRandom } from '../../src/system.ts'
import {
  auditEntry,
  auditKeyring,
  bytes,
  minuteMs,
  noon,
  sweepCommand,
  times,
  withAudit,
} from '../support/commands.ts'
import type { OpenStores } from './contract.ts'

type Given = Pick<Stores, 'accounts' | 'audit'>

function newAccount(change: Partial<Account> = {}): Account {
  const secondStep = { key: { keyId: 'k', bytes: bytes(60) }, sealed: bytes(40), usedStep: 7 }
  return {
    id: newId(systemRandom),
    name: 'Ada Lovelace',
    role: 'admin',
    password: { hash: '$argon2id$', isLong: true },
    secondStep,
    createdAt: noon,
    signedInAt: null,
    removedAt: null,
    ...change,
  }
}

function newSession(accountId: string, change: Partial<Session> = {}): Session {
  return {
    id: newId(systemRandom),
    accountId,
    tokenHash: bytes(32),
    createdAt: noon,
    seenAt: noon,
    expiresAt: noon + 60 * minuteMs,
    confirmedUntil: noon + 10 * minuteMs,
    client: '192.0.2.1',
    browser: 'Firefox on Linux',
    ...change,
  }
}

function newLink(accountId: string | null, change: Partial<Link> = {}): Link {
  const end = noon + 15 * minuteMs
  return { tokenHash: bytes(32), accountId, createdAt: noon, expiresAt: end, ...change }
}

const nothing = { usedLink: null, endsLinks: false, endsSessions: 'none' } as const

function save(stores: Given, change: Pick<SaveAccount, 'account'> & Partial<SaveAccount>) {
  const command: SaveAccount = { ...nothing, link: null, session: null, ...change }
  return withAudit(stores, (append) => stores.accounts.save(command, append))
}

async function saved(stores: Given, change: Partial<SaveAccount> & { account: Account }) {
  expect(await save(stores, change)).toBe('saved')
  return change.account
}

/** Tests the rules of accounts, sessions and links that every store follows. */
export function accountContract(open: OpenStores): void {
  rows(open)
  sessions(open)
  links(open)
  tries(open)
  sweeps(open)
}

function rows(open: OpenStores): void {
  test('an account is read as it was written, and written again as a whole', async () => {
    const stores = await open()
    const ada = await saved(stores, { account: newAccount() })
    const plain = newAccount({ name: 'Grace', role: 'viewer', createdAt: noon + 1 })
    const grace = await saved(stores, { account: { ...plain, password: null, secondStep: null } })

    expect(await stores.accounts.list()).toEqual([ada, grace])
    const change = { name: 'Ada', role: 'viewer', signedInAt: noon, secondStep: null } as const
    const changed = await saved(stores, { account: { ...ada, ...change } })
    expect(await stores.accounts.list()).toEqual([changed, grace])
  })

  test('a removed account is listed no more, and its name is known', async () => {
    const stores = await open()
    const ada = await saved(stores, { account: newAccount() })

    await saved(stores, { account: { ...ada, removedAt: noon } })

    expect(await stores.accounts.list()).toEqual([])
    const names = await stores.accounts.names([ada.id, newId(systemRandom)])
    expect(names).toEqual([{ id: ada.id, name: ada.name }])
  })

  test('a write onto a head that has moved changes nothing', async () => {
    const stores = await open()
    const ada = newAccount()
    const session = { session: newSession(ada.id), keep: 5 }
    const append = linkAudit(auditKeyring, await stores.audit.state(), auditEntry())
    await saved(stores, { account: newAccount({ name: 'first' }) })

    const command: SaveAccount = { ...nothing, account: ada, link: null, session }
    const answer = await stores.accounts.save(command, append)

    expect(answer).toBe('head_moved')
    expect((await stores.accounts.list()).map(({ name }) => name)).toEqual(['first'])
    expect(await stores.accounts.findSession(session.session.tokenHash)).toBe(null)
  })

  test('a second step is sealed again only while it is the one that was read', async () => {
    const stores = await open()
    const ada = await saved(stores, { account: newAccount() })
    const from = ada.secondStep?.sealed ?? bytes(1)
    const to = { keyId: 'next', key: bytes(60), sealed: bytes(40) }

    await stores.accounts.resealSecondStep({ accountId: ada.id, from: bytes(40), to })
    expect(await stores.accounts.list()).toEqual([ada])
    await stores.accounts.resealSecondStep({ accountId: ada.id, from, to })
    const key = { keyId: 'next', bytes: to.key }
    const [again] = await stores.accounts.list()
    expect(again?.secondStep).toEqual({ key, sealed: to.sealed, usedStep: 7 })
    await stores.accounts.resealSecondStep({ accountId: ada.id, from: to.sealed, to: null })
    expect((await stores.accounts.list())[0]?.secondStep).toBe(null)
  })
}

function sessions(open: OpenStores): void {
  test('a session is found by its token’s hash, with its account', async () => {
    const stores = await open()
    const account = newAccount()
    const session = newSession(account.id)
    await saved(stores, { account, session: { session, keep: 5 } })

    expect(await stores.accounts.findSession(session.tokenHash)).toEqual({ account, session })
    expect(await stores.accounts.findSession(bytes(32))).toBe(null)
  })

  test('the time of its last use never goes back, and a confirmation is written', async () => {
    const stores = await open()
    const account = newAccount()
    const session = newSession(account.id)
    const { id, tokenHash } = session
    await saved(stores, { account, session: { session, keep: 5 } })

    await stores.accounts.touchSession({ id, seenAt: noon + 5 })
    await stores.accounts.touchSession({ id, seenAt: noon + 4 })
    await stores.accounts.confirmSession({ id, confirmedUntil: noon + 9 })

    const found = await stores.accounts.findSession(tokenHash)
    expect(found?.session).toEqual({ ...session, seenAt: noon + 5, confirmedUntil: noon + 9 })
  })

  test('beyond the most sessions of an account its oldest ends, and no other’s', async () => {
    const stores = await open()
    const [ada, grace] = [newAccount(), newAccount({ name: 'Grace' })]
    await saved(stores, { account: grace, session: { session: newSession(grace.id), keep: 3 } })
    const made = times(5, (index) => newSession(ada.id, { createdAt: noon + index }))
    for (const session of made) await saved(stores, { account: ada, session: { session, keep: 3 } })

    expect(await stores.accounts.sessions(ada.id)).toEqual(made.slice(2).toReversed())
    expect(await stores.accounts.sessions(grace.id)).toHaveLength(1)
  })

  test('an account’s sessions end together, with one left if wanted', async () => {
    const stores = await open()
    const account = newAccount()
    const made = times(3, (index) => newSession(account.id, { createdAt: noon + index }))
    for (const session of made) await saved(stores, { account, session: { session, keep: 5 } })

    await saved(stores, { account, endsSessions: { but: made[1]?.id ?? '' } })
    expect(await stores.accounts.sessions(account.id)).toEqual(made.slice(1, 2))
    await saved(stores, { account, endsSessions: 'all' })
    expect(await stores.accounts.sessions(account.id)).toEqual([])
  })

  test('a session is ended with an audit record, once and only for its account', async () => {
    const stores = await open()
    const account = newAccount()
    const session = newSession(account.id)
    await saved(stores, { account, session: { session, keep: 5 } })
    const end = (accountId: string) =>
      withAudit(stores, (append) =>
        stores.accounts.endSession({ accountId, id: session.id }, append),
      )
    const records = async () => (await stores.audit.list({ limit: 100, cursor: null })).items.length
    const before = await records()

    expect(await end('another')).toBe(false)
    expect(await end(account.id)).toBe(true)
    expect(await end(account.id)).toBe(false)
    expect(await records()).toBe(before + 1)
    expect(await stores.accounts.findSession(session.tokenHash)).toBe(null)
  })
}

function links(open: OpenStores): void {
  test('a link is found by its hash until it is used or the account’s links end', async () => {
    const stores = await open()
    const account = newAccount()
    const [used, ended] = [newLink(account.id), newLink(account.id, { expiresAt: noon + 1 })]
    await saved(stores, { account, link: { link: used, keep: 5 } })
    await saved(stores, { account, link: { link: ended, keep: 5 } })
    const found = () =>
      Promise.all([used, ended].map(({ tokenHash }) => stores.accounts.findLink(tokenHash)))

    expect(await found()).toEqual([used, ended])
    await saved(stores, { account, usedLink: used.tokenHash })
    expect(await found()).toEqual([null, ended])
    await saved(stores, { account, endsLinks: true })
    expect(await found()).toEqual([null, null])
  })

  test('beyond the most links those end that would end first', async () => {
    const stores = await open()
    const made = times(5, (index) => newLink(null, { expiresAt: noon + index }))
    for (const link of made) {
      await withAudit(stores, (append) => stores.accounts.addLink({ link, keep: 3 }, append))
    }

    const found = await Promise.all(
      made.map(({ tokenHash }) => stores.accounts.findLink(tokenHash)),
    )
    expect(found).toEqual([null, null, ...made.slice(2)])
  })
}

function tries(open: OpenStores): void {
  const place = (key: Uint8Array) => ({ key, free: 3, pauseMaxMs: 15 * minuteMs })

  test('of parallel tries at one place no more are begun than are free', async () => {
    const { accounts } = await open()
    const command = { own: [place(bytes(16))], shared: [place(bytes(16))], now: noon }

    const begun = await Promise.all(times(20, () => accounts.beginTry(command)))

    expect(begun.filter((one) => one.begun)).toHaveLength(3)
    expect(begun.find((one) => !one.begun)).toEqual({ begun: false, retryAt: noon + 2000 })
  })

  test('a try that was none is taken back, and a success forgets the place', async () => {
    const { accounts } = await open()
    const [pair, address] = [bytes(16), bytes(16)]
    const command = { own: [place(pair), place(address)], shared: [], now: noon }
    const begin = async () => (await accounts.beginTry(command)).begun

    for (const _ of times(3, () => 0)) await begin()
    expect(await begin()).toBe(false)
    await accounts.takeTryBack({ keys: [pair, address], forget: null })
    expect([await begin(), await begin()]).toEqual([true, false])
    await accounts.takeTryBack({ keys: [], forget: pair })
    expect(await begin()).toBe(false)
    await accounts.takeTryBack({ keys: [address, address], forget: pair })
    expect([await begin(), await begin(), await begin()]).toEqual([true, true, false])
    await accounts.takeTryBack({ keys: [bytes(16)], forget: bytes(16) })
  })
}

function sweeps(open: OpenStores): void {
  test('a sweep deletes what has ended, and nothing else', async () => {
    const { maintenance, ...stores } = await open()
    const ada = newAccount({ name: 'Ada' })
    const gone = newAccount({ name: 'gone', removedAt: noon - 2 })
    const removed = newAccount({ name: 'removed', removedAt: noon })
    const [old, live] = [
      newSession(ada.id, { expiresAt: noon, createdAt: noon - 1 }),
      newSession(ada.id, { expiresAt: noon + 1 }),
    ]
    const [past, waiting] = [
      newLink(ada.id, { expiresAt: noon }),
      newLink(ada.id, { expiresAt: noon + 1 }),
    ]
    for (const account of [gone, removed]) await saved(stores, { account })
    for (const session of [old, live]) {
      await saved(stores, { account: ada, session: { session, keep: 5 } })
    }
    for (const link of [past, waiting]) {
      await saved(stores, { account: ada, link: { link, keep: 5 } })
    }
    const own = [bytes(16), bytes(16)].map((key) => ({ key, free: 1, pauseMaxMs: minuteMs }))
    const [first, second] = own
    if (!first || !second) throw new Error('two places')
    await stores.accounts.beginTry({ own: [first], shared: [], now: noon - 2 })
    await stores.accounts.beginTry({ own: [second], shared: [], now: noon })

    const { rows } = await maintenance.sweep(
      sweepCommand(noon, { accountsBefore: noon - 1, triesBefore: noon - 1 }),
    )

    expect(rows).toBe(4)
    expect(await stores.accounts.sessions(ada.id)).toEqual([live])
    expect(await stores.accounts.findLink(past.tokenHash)).toBe(null)
    expect(await stores.accounts.findLink(waiting.tokenHash)).toEqual(waiting)
    const names = await stores.accounts.names([ada.id, gone.id, removed.id])
    expect(names.map(({ name }) => name).sort()).toEqual(['Ada', 'removed'])
    const begin = (place: (typeof own)[number]) =>
      stores.accounts.beginTry({ own: [place], shared: [], now: noon })
    expect([(await begin(first)).begun, (await begin(second)).begun]).toEqual([true, false])
  })
}
