import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { SQL } from 'bun'
import type { App } from '../../src/domain/app/app.ts'
import { verifyAudit } from '../../src/domain/audit.ts'
import type { Keyring } from '../../src/domain/keyring.ts'
import type { AlarmChange, AppChange, Stores } from '../../src/domain/stores.ts'
import { createAppCache } from '../../src/store/postgres/cache.ts'
import type { Values } from '../../src/store/postgres/placeholders.ts'
import { openPostgresStore, type PostgresStore } from '../../src/store/postgres/store.ts'
import { versioned } from '../../src/store/postgres/versioned.ts'
import { systemRandom, systemTimers } from '../../src/system.ts'
import { type PostgresServer, startPostgres } from '../postgres/server.ts'
import {
  addPlainApp,
  appKey,
  auditKeyring,
  bytes,
  dkimKey,
  emailEndpoint,
  noon,
  plainApp,
  times,
  webhook,
  withAudit,
} from '../support/commands.ts'
import { eventually } from '../support/executable.ts'
import { refused } from './contract-suppressions.ts'

setDefaultTimeout(60_000)

let server: PostgresServer
const opened: PostgresStore[] = []

beforeAll(async () => {
  server = await startPostgres()
})
afterAll(async () => {
  await Promise.all(opened.map((store) => store.close()))
  await server.stop()
})

/** What goes over a node's connections. */
type Wire = {
  /** Every statement that was sent. */
  sent: string[]
  /** How many of them the server has answered. */
  answered: number
  /** Answers are held back until then. */
  held: Promise<void>
}

const newWire = (): Wire => ({ sent: [], answered: 0, held: Promise.resolve() })

/** Opens stores on one new database, as many nodes do. */
async function openNodes(wires: Wire[]): Promise<PostgresStore[]> {
  await Promise.all(opened.splice(0).map((store) => store.close()))
  const url = await server.create('otpmint')
  const opening = wires.map((wire) => {
    const connect = () => watched(new SQL({ url, max: 1, prepare: false, bigint: true }), wire)
    return openPostgresStore({ connect, timers: systemTimers, random: systemRandom })
  })
  opened.push(...(await Promise.all(opening)))
  return [...opened]
}

/** `wire` is that of the second node. */
async function openTwo(wire = newWire()): Promise<[PostgresStore, PostgresStore]> {
  const [one, two] = await openNodes([newWire(), wire])
  if (!one || !two) throw new Error('no stores')
  return [one, two]
}

function watched(sql: SQL, wire: Wire): SQL {
  const reserve = sql.reserve.bind(sql)
  sql.reserve = async () => {
    const connection = await reserve()
    const unsafe = connection.unsafe.bind(connection)
    const send = async (text: string, values: never) => {
      wire.sent.push(text)
      const rows = await unsafe(text, values)
      wire.answered++
      await wire.held
      return rows
    }
    connection.unsafe = send as never
    return connection
  }
  return sql
}

describe('audited writes of several nodes', () => {
  test('are each made once, and the chain stays valid', async () => {
    const nodes = await openNodes(times(3, newWire))
    const apps = times(100, () => plainApp())

    const outcomes = await Promise.all(
      apps.map((app, index) => {
        const node = nodes[index % 3] as PostgresStore
        const create = { app, keys: [], secretKeyIndex: null, registeredFrom: null }
        return withAudit(node, (append) => node.apps.create(create, append))
      }),
    )

    expect(new Set(outcomes)).toEqual(new Set(['created']))
    const { audit, apps: stored } = nodes[0] as PostgresStore
    const { items } = await stored.list({ limit: 200, cursor: null })
    expect(items.map(({ id }) => id).sort()).toEqual(apps.map(({ id }) => id).sort())
    const keyring = auditKeyring as Keyring
    const verdict = await verifyAudit({ audit, keyring }, { now: noon, keptMs: 0 })
    expect(verdict).toMatchObject({ ok: true, records: 100 })
  })

  test('are deleted up to where the sealed state says, and by no other way', async () => {
    const url = await server.create('otpmint')
    const sql = new SQL({ url, max: 1, prepare: false })
    const connect = () => new SQL({ url, max: 1, prepare: false, bigint: true })
    const options = { connect, timers: systemTimers, random: systemRandom }
    const store = await openPostgresStore(options)
    opened.push(store)
    for (const _ of times(3, () => null)) await addPlainApp(store)
    const state = 'cut_id bigint, single bigint'

    await expect(sql.unsafe('delete from audit')).rejects.toThrow('permission denied')
    await expect(sql.unsafe('update audit set id = id')).rejects.toThrow('permission denied')
    await sql.unsafe(`create temp table audit_state (${state}); insert into audit_state values (9)`)
    await sql.unsafe(versioned('select cut_audit__v()'))

    expect(await store.audit.after(0, 9)).toHaveLength(3)
    await sql.close()
  })
})

/** An app with everything that can change, and what leads to it. */
function fullApp() {
  const { id } = plainApp()
  const endpoints = [emailEndpoint(id, 1), emailEndpoint(id, 2)] as const
  const parts = { dkim: [dkimKey()], webhooks: [webhook()], hasSecretKey: true }
  const app = plainApp({ id, endpoints: [...endpoints], ...parts })
  const [key, hash, secretKeyIndex] = [appKey(id), bytes(32), bytes(32)]
  return { app, key, hash, secretKeyIndex, endpoint: endpoints[0] }
}

type Full = ReturnType<typeof fullApp>

/** Every lookup that is answered from memory, and how it reads what is stored. */
const lookups = {
  get: ({ apps }: Stores, { app }: Full) => apps.get(app.id),
  findByKey: ({ apps }: Stores, { hash }: Full) => apps.findByKey(hash),
  findBySecretKey: ({ apps }: Stores, full: Full) => apps.findBySecretKey(full.secretKeyIndex),
  findByEndpoint: ({ apps }: Stores, { endpoint }: Full) => apps.findByEndpoint(endpoint.id),
}
type Lookup = keyof typeof lookups
const names = Object.keys(lookups) as Lookup[]

async function lookUp(stores: Stores, full: Full) {
  const found = await Promise.all(names.map((name) => lookups[name](stores, full)))
  return Object.fromEntries(names.map((name, index) => [name, found[index]]))
}

type Change = (stores: Stores, full: Full) => Promise<unknown>

/** A change of an app by `update`, from the values of its parts. */
const update = (toChange: (full: Full) => Partial<AppChange>): Change => {
  return (stores, full) => {
    const change = { expectedVersion: 1, updatedAt: noon + 1, ...toChange(full) }
    return withAudit(stores, (append) => stores.apps.update(full.app.id, change, append))
  }
}

const spray = ({ app }: Full, name: 'raised' | 'cleared'): AlarmChange => {
  const place = { kind: 'spray', appId: app.id, endpointId: null } as const
  return { ...place, now: noon + 1, event: `alarm.${name}`, data: {} }
}

const template = { subject: '{{code}}', text: '{{code}}', html: '<p>{{code}}</p>', variables: [] }
const secretOf = ({ endpoint }: Full) => endpoint.secretSealed ?? bytes(1)
const suppress: Change = (stores, { app }) => refused(stores, { appId: app.id })

/** Each kind of change, with what happened before the other node looks first. */
const changes: Record<string, { before?: Change; change: Change }> = {
  'a key that is revoked': {
    change: (stores, { app, key }) => {
      const command = { appId: app.id, keyId: key.id, now: noon + 1 }
      return withAudit(stores, (append) => stores.apps.revokeKey(command, append))
    },
  },
  'an app that is removed': {
    change: (stores, { app }) => withAudit(stores, (append) => stores.apps.remove(app.id, append)),
  },
  'another name': { change: update(() => ({ name: 'New' })) },
  'another policy': { change: update(() => ({ policy: { paused: true } })) },
  'another endpoint': { change: update(({ app }) => ({ endpoints: [emailEndpoint(app.id, 1)] })) },
  'another webhook': { change: update(() => ({ webhooks: [webhook()] })) },
  'another DKIM key': { change: update(() => ({ dkim: [dkimKey()] })) },
  'another brand': {
    change: update(() => ({ brand: { brand: { color: '#0a5c36', support: null, logo: null } } })),
  },
  'another template': { change: update(() => ({ template: { locale: 'en', template, keep: 9 } })) },
  'an alarm that is raised': {
    change: (stores, full) => stores.alarms.raise(spray(full, 'raised')),
  },
  'an alarm that ends': {
    before: (stores, full) => stores.alarms.raise(spray(full, 'raised')),
    change: (stores, full) => stores.alarms.clear(spray(full, 'cleared')),
  },
  'an alarm that ends with a change of the app': {
    before: (stores, full) => stores.alarms.raise(spray(full, 'raised')),
    change: update((full) => ({ clears: [spray(full, 'cleared')] })),
  },
  'a first suppression': { change: suppress },
  'no suppression any more': {
    before: suppress,
    change: async (stores, { app }) => {
      const page = { appId: app.id, now: noon + 1, limit: 1, cursor: null }
      const id = (await stores.suppressions.list(page)).items[0]?.id ?? ''
      const which = { appId: app.id, id }
      return withAudit(stores, (append) => stores.suppressions.remove(which, append))
    },
  },
  'a data key that is renewed': {
    change: async (stores, { app }) => {
      const dataKey = { keyId: 'new', bytes: bytes(61) }
      const rest = { secrets: [], dkim: [], webhooks: [] }
      await stores.apps.renewKeys([{ appId: app.id, expectedVersion: 1, dataKey, ...rest }])
    },
  },
  'a secret that is renewed': {
    change: (stores, full) => {
      const renewal = { from: secretOf(full), to: bytes(60) }
      const { app, endpoint } = full
      return stores.apps.renewSecret({ appId: app.id, endpointId: endpoint.id, ...renewal })
    },
  },
  'an endpoint that its server wants no more': {
    change: ({ apps }, { app, endpoint }) => {
      return apps.switchOff({ appId: app.id, endpointId: endpoint.id, now: noon + 1 })
    },
  },
  'a webhook that is switched off': {
    change: (stores, { app }) => {
      const place = { appId: app.id, webhookId: app.webhooks[0]?.id ?? '' }
      const data = {}
      const alarm = { kind: 'webhook_off', appId: app.id, endpointId: place.webhookId } as const
      const raised = { ...alarm, now: noon + 1, event: 'alarm.raised', data } as const
      const off = { cause: 'gone', alarm: raised } as const
      const settled = { ...place, results: [], failingSince: noon, off }
      return stores.webhooks.settle({ now: noon + 1, webhooks: [settled] })
    },
  },
}

describe('what one node changes, another one sees with its next lookup', () => {
  test.each(Object.entries(changes))('%s', async (_, { before, change }) => {
    const [one, two] = await openTwo()
    const full = await create(one)
    await before?.(one, full)
    const known = await lookUp(two, full)

    await change(one, full)

    const seen = await lookUp(two, full)
    expect(seen).not.toEqual(known)
    // A list is never answered from memory.
    const [stored = null] = (await one.apps.list({ limit: 1, cursor: null })).items
    const [stays] = (await one.apps.keys(full.app.id)).filter(({ revokedAt }) => revokedAt === null)
    const hasEndpoint = stored?.endpoints.some(({ id }) => id === full.endpoint.id)
    expect(seen).toEqual({
      get: stored,
      findByKey: stored && stays ? { app: stored, key: stays } : null,
      findBySecretKey: stored,
      findByEndpoint: hasEndpoint ? stored : null,
    })
    expect(await lookUp(one, full)).toEqual(seen)
  })

  test('a key that is added', async () => {
    const [one, two] = await openTwo()
    const { id } = await addPlainApp(one)
    const command = { key: appKey(id), hash: bytes(32), activeMax: 2 }
    expect(await two.apps.findByKey(command.hash)).toBeNull()

    await withAudit(one, (append) => one.apps.addKey(command, append))

    expect((await two.apps.findByKey(command.hash))?.key).toEqual(command.key)
  })
})

/** Resolves in the next turn of the event loop. */
const nextTurn = () => new Promise<void>((resolve) => systemTimers.soon(resolve))

const isOfStamps = (text: string) => text.startsWith('select id, stamp from apps')

async function create(stores: Stores): Promise<Full> {
  const full = fullApp()
  const { app, key, hash, secretKeyIndex } = full
  const command = { app, keys: [{ key, hash }], secretKeyIndex, registeredFrom: null }
  await withAudit(stores, (append) => stores.apps.create(command, append))
  return full
}

const rename = (name: string) => update(() => ({ name }))

describe('lookups of apps', () => {
  test('of one turn share one statement, and with nothing changed they need no other', async () => {
    const wire = newWire()
    const [one, two] = await openTwo(wire)
    const apps = await Promise.all(times(5, () => create(one)))
    const all = () => Promise.all(times(40, (index) => lookUp(two, apps[index % 5] as Full)))
    const loaded = await all()
    wire.sent.length = 0

    expect(await all()).toEqual(loaded)
    expect(wire.sent.map(isOfStamps)).toEqual([true])
    await all()
    expect(wire.sent.map(isOfStamps)).toEqual([true, true])
  })

  test('of an app that has changed load it once for each way in which it is looked up', async () => {
    const wire = newWire()
    const [one, two] = await openTwo(wire)
    const full = await create(one)
    await lookUp(two, full)
    await rename('New')(one, full)
    wire.sent.length = 0

    const found = await Promise.all(times(40, () => lookUp(two, full)))

    expect(new Set(found.map(({ get }) => get && 'name' in get && get.name))).toEqual(
      new Set(['New']),
    )
    expect(wire.sent.map(isOfStamps)).toEqual([true, ...names.map(() => false)])
  })

  test('run one after another, two where one is held up, and share what comes meanwhile', async () => {
    const wire = newWire()
    const [one, two] = await openTwo(wire)
    const full = await create(one)
    await lookUp(two, full)
    wire.sent.length = 0
    const held = Promise.withResolvers<void>()
    wire.held = held.promise

    const found = []
    for (const _ of times(10, () => null)) {
      found.push(two.apps.get(full.app.id))
      await nextTurn()
    }
    const sentAtOnce = wire.sent.length
    await eventually(() => wire.sent.length > 1)
    found.push(two.apps.get(full.app.id))
    await nextTurn()
    const sentHeldUp = wire.sent.length
    held.resolve()
    await Promise.all(found)

    expect([sentAtOnce, sentHeldUp]).toEqual([1, 2])
    expect(wire.sent.map(isOfStamps)).toEqual([true, true, true])
  })

  test('never use an answer that was read before they were asked for', async () => {
    const wire = newWire()
    const [one, two] = await openTwo(wire)
    const full = await create(one)
    const nameOf = async (answer: Promise<App | null>) => (await answer)?.name
    /** What is looked up before a change whose answer comes after it, and what is after it. */
    const around = async (name: string, expectedVersion: number) => {
      const held = Promise.withResolvers<void>()
      wire.held = held.promise
      const { answered } = wire
      const before = nameOf(two.apps.get(full.app.id))
      while (wire.answered === answered) await nextTurn()
      const change = update(() => ({ name, expectedVersion }))
      await change(one, full)
      const after = nameOf(two.apps.get(full.app.id))
      held.resolve()
      return [await before, await after]
    }

    // The first one loads the app, the second one compares its stamp.
    expect((await around('First', 1))[1]).toBe('First')
    expect((await around('Second', 2))[1]).toBe('Second')
  })

  test('that fail are refused, and the next ones succeed', async () => {
    const wire = newWire()
    const [one, two] = await openTwo(wire)
    const full = await create(one)
    await lookUp(two, full)
    const code = (answer: Promise<unknown>) => answer.catch((problem) => problem.code)
    wire.held = Promise.reject(connectionLost())
    wire.held.catch(() => {})

    expect(await code(two.apps.get(full.app.id))).toBe('store_unavailable')
    expect(await code(two.apps.findByKey(bytes(32)))).toBe('store_unavailable')

    wire.held = Promise.resolve()
    expect((await two.apps.get(full.app.id))?.name).toBe('Acme')
    expect(await two.apps.findByKey(bytes(32))).toBeNull()
  })

  test('that waited for one that fails do not fail with it', async () => {
    const wire = newWire()
    const [one, two] = await openTwo(wire)
    const full = await create(one)
    const held = Promise.withResolvers<void>()
    wire.held = held.promise
    const first = two.apps.get(full.app.id).catch(({ code }) => code)
    while (wire.answered === 0) await nextTurn()
    const second = two.apps.get(full.app.id)

    wire.held = Promise.resolve()
    held.reject(connectionLost())

    expect(await first).toBe('store_unavailable')
    expect((await second)?.name).toBe('Acme')
  })

  test('keep so many names and no more; what is unknown takes no place', async () => {
    const database = {
      read: async <Row>(_: string, values?: Values) => {
        const ids = (values?.['ids'] ?? []) as string[]
        return ids.map((id) => ({ id, stamp: 1 })) as Row[]
      },
    }
    const cache = createAppCache({ database, timers: systemTimers, max: 3 })
    const loads: string[] = []
    const get = (id: string) =>
      cache.get(id, async () => {
        loads.push(id)
        if (id.startsWith('unknown')) return null
        return { appId: id, stamp: 1, value: { id } }
      })

    for (const id of ['a', 'b', 'c', 'd', 'b', 'c', 'd', 'a', 'd']) await get(id)
    expect(loads.splice(0)).toEqual(['a', 'b', 'c', 'd', 'a'])
    await Promise.all(times(9, (index) => get(`unknown ${index}`)))
    loads.length = 0
    for (const id of ['c', 'd', 'a']) await get(id)

    expect(loads).toEqual([])
  })

  test('share what they return, which nobody can change', async () => {
    const [one] = await openTwo()
    const full = await create(one)

    const app = await one.apps.get(full.app.id)

    expect(await one.apps.get(full.app.id)).toBe(app)
    expect(() => Object.assign(app?.policy ?? {}, { paused: true })).toThrow(TypeError)
    expect(() => app?.endpoints.pop()).toThrow(TypeError)
  })
})

const connectionLost = () =>
  Object.assign(new Error('lost'), { code: 'ERR_POSTGRES_CONNECTION_CLOSED' })
