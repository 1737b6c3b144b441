import {
  afterAll,
  afterEach,
  beforeAll,
  describe,
  expect,
  setDefaultTimeout,
  spyOn,
  test,
} from 'bun:test'
import { SQL } from 'bun'
import type { Lane } from '../../src/domain/delivery/handover.ts'
import type { Timers } from '../../src/domain/ports.ts'
import type { StartCommand } from '../../src/domain/verification/stores.ts'
import { type ConnectOptions, readDatabaseUrl } from '../../src/store/postgres/connect.ts'
import { openPostgresStore, type PostgresStore } from '../../src/store/postgres/store.ts'
import { pauseMs, placesMax, testEveryMs } from '../../src/store/postgres/wake.ts'
import { systemRandom, systemTimers } from '../../src/system.ts'
import { startPgBouncer } from '../postgres/pgbouncer.ts'
import { type PostgresServer, startPostgres } from '../postgres/server.ts'
import {
  attempt,
  cancelCommand,
  due,
  keyOf,
  newDelivery,
  noon,
  settleCommand,
  startCommand,
  stopped,
  times,
} from '../support/commands.ts'
import { eventually } from '../support/executable.ts'

setDefaultTimeout(60_000)

let server: PostgresServer
let database = ''
const closers: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  server = await startPostgres()
})
afterEach(async () => {
  await Promise.all(closers.splice(0).map((close) => close()))
})
afterAll(() => server.stop())

async function newDatabase(): Promise<void> {
  database = await server.create('postgres')
}

function client(options?: ConnectOptions): SQL {
  return readDatabaseUrl(database, 'the URL').connect(options)
}

/** A node's store of its own. */
async function openNode(timers: Timers = systemTimers): Promise<PostgresStore> {
  const store = await openPostgresStore({ connect: client, timers, random: systemRandom })
  closers.push(store.close)
  return store
}

async function rows<Row = Record<string, unknown>>(statement: string): Promise<Row[]> {
  const sql = client()
  try {
    return [...((await sql.unsafe(statement)) as Row[])]
  } finally {
    await sql.close()
  }
}

const lane: Lane = { appId: 'app', channel: 'email', endpointId: 'endpoint' }

describe('claims of several nodes', () => {
  test('three nodes that claim at once get every delivery once, those of a silent node too', async () => {
    await newDatabase()
    const count = 3_000
    await rows(`
      insert into deliveries (id, app_id, mode, verification_id, channel, endpoint_id, status,
        created_at, expires_at, try_at, due_at, leased_by)
      select 'd' || number, 'app', 'live', 'v' || number, 'email', 'endpoint', 'queued', ${noon},
        ${noon + 600_000}, ${noon},
        case when number % 3 = 0 then ${noon + 90_000} else ${noon} end,
        case when number % 3 = 0 then 'silent' else '' end
      from generate_series(1, ${count}) as number`)
    const names = ['a', 'b', 'c']
    const nodes = await Promise.all(names.map(() => openNode()))
    for (const id of [...names, 'silent']) {
      const seenAt = id === 'silent' ? noon - 60_000 : noon
      await nodes[0]?.nodes.beat({ id, seenAt, keysetVersion: 1, nextKeyId: null })
    }
    const claimed: { id: string; node: string }[] = []

    await Promise.all(
      nodes.flatMap(({ deliveries }, index) =>
        // Two at a time on each node, as its lanes claim.
        times(2, async () => {
          const node = names[index] ?? ''
          while (claimed.length < count) {
            const command = { ...due(noon, { node }), lane, leaseUntil: noon + 90_000, limit: 40 }
            for (const { id } of await deliveries.claim(command)) claimed.push({ id, node })
          }
        }),
      ),
    )

    const stored = await rows<{ id: string; node: string }>(
      'select id, leased_by as node from deliveries order by id',
    )
    expect(stored).toHaveLength(count)
    expect(claimed.sort((a, b) => (a.id < b.id ? -1 : 1))).toEqual(stored)
    expect(new Set(claimed.map(({ node }) => node)).size).toBe(3)
  })
})

test('nodes that write to the same verifications at once never wait in a circle', async () => {
  await newDatabase()
  const nodes = await Promise.all(times(3, () => openNode()))
  const pick = (index: number) => nodes[index % nodes.length] as PostgresStore
  const route = [
    { channel: 'email', recipient: 0, endpointId: 'endpoint' },
    { channel: 'webhook', recipient: 0, endpointId: 'other' },
  ] as const
  const commands = times(60, (index) =>
    startCommand({ route: [...route], fallBackMs: 60_000, now: noon + index }),
  )
  await Promise.all(commands.map((command, index) => pick(index).verifications.start(command)))
  const delivery = (channel: 'email' | 'webhook', endpointId: string) => {
    return { ...newDelivery({ now: noon + 100, endpointId }), channel }
  }
  const deferred = { status: 'deferred', event: 'delivery.deferred' } as const
  const refused = { status: 'refused', event: 'delivery.refused' } as const
  const writes: ((index: number) => Promise<unknown>)[] = [
    ...times(4, (turn) => async (index: number) => {
      const command = commands[(turn % 2 ? index : 59 - index) % 60] as StartCommand
      const again = { endpointId: 'endpoint', at: noon, lease: null }
      const counted = { endpointId: 'endpoint', isRefusal: turn === 0 }
      const id = `s${turn}${index}`
      const suppress = { id, endpointId: 'endpoint', cause: 'refused', code: '550' } as const
      await pick(index + turn).deliveries.settle(
        turn === 0
          ? settleCommand(command, { ...refused, counted, suppress })
          : settleCommand(command, { ...deferred, counted, again }),
      )
    }),
    (index) => {
      const command = commands[59 - index] as StartCommand
      const move = { delivery: delivery('webhook', 'other'), hasNext: false, stopped }
      const fallBackAt = command.verification.createdAt + 60_000
      const now = noon + 70_000
      return pick(index).verifications.fallBack({ ...keyOf(command), now, fallBackAt, move })
    },
    (index) => pick(index).verifications.cancel(cancelCommand(commands[index] as StartCommand)),
    (index) => pick(index + 1).verifications.chargeAttempt(attempt(commands[index] as never, true)),
    (index) =>
      pick(index).deliveries.claim({ ...due(noon + 1), lane, leaseUntil: noon + 9, limit: 20 }),
    (index) => {
      const ids = commands.map((command) => command.delivery.id)
      return pick(index + 2).deliveries.release({ node: 'a', ids: index % 2 ? ids : ids.reverse() })
    },
    (index) => {
      const bounce = { detail: 'gone', cause: null, code: null, event: 'delivery.bounced' } as const
      const { delivery } = settleCommand(commands[index] as StartCommand)
      const suppress = { id: `b${index}`, endpointId: null, cause: 'bounced', code: null } as const
      return pick(index).deliveries.bounce({
        delivery,
        ...bounce,
        suppress,
        follow: null,
        now: noon,
      })
    },
    () =>
      pick(0).deliveries.expire({ now: noon + 700_000, limit: 7, event: 'delivery.undeliverable' }),
  ]

  const done = await Promise.allSettled(
    times(60, (index) => writes.map((write) => write(index))).flat(),
  )

  expect(done.filter(({ status }) => status === 'rejected')).toEqual([])
  // What a process has counted is visible once it has ended.
  await Promise.all(closers.splice(0).map((close) => close()))
  await eventually(async () => {
    const [open] = await rows(`select count(*)::int as count from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid()`)
    return open?.['count'] === 0
  })
  expect(
    await rows(
      'select deadlocks::int as deadlocks from pg_stat_database where datname = current_database()',
    ),
  ).toEqual([{ deadlocks: 0 }])
})

describe('an announcement', () => {
  test('reaches every other node, and not the node that made it', async () => {
    await newDatabase()
    const [first, ...others] = await Promise.all(times(3, () => openNode()))
    const heard = [...(first ? [first] : []), ...others].map(listenOn)
    await eventually(async () => (await listeners()).length === 3)
    const noEndpoint = { ...lane, endpointId: null }

    for (const each of [lane, noEndpoint]) first?.deliveries.announce(each)

    await eventually(() => heard.slice(1).every((lanes) => lanes.length === 2))
    expect(heard).toEqual([[], [lane, noEndpoint], [lane, noEndpoint]])
  })

  test('is made of what a node gives up', async () => {
    await newDatabase()
    const [first, second] = [await openNode(), await openNode()]
    const heard = listenOn(second)
    await eventually(async () => (await listeners()).length === 1)
    await rows(`
      insert into deliveries (id, app_id, mode, verification_id, channel, endpoint_id, status,
        created_at, expires_at, try_at, due_at, leased_by)
      select 'd' || number, 'app', 'live', 'v', 'email', 'endpoint', 'queued', 0, 9, 0, 9,
        case when number = 1 then 'b' else 'a' end
      from generate_series(1, 9) as number`)

    await first.deliveries.release({ node: 'c', ids: ['d1', 'd2'] })
    await first.deliveries.release({ node: 'a', ids: ['d2', 'd3'] })
    await first.deliveries.announce({ ...lane, appId: 'last' })

    await eventually(() => heard.length === 2)
    expect(heard).toEqual([lane, { ...lane, appId: 'last' }])
  })

  test('names each lane once, fifty in a notification, and no more than wait', async () => {
    await newDatabase()
    const [first, second] = [await openNode(), await openNode()]
    const heard = listenOn(second)
    await eventually(async () => (await listeners()).length === 1)
    const payloads = await payloadsOf()
    const lanes = times(placesMax + 20, (index) => ({ ...lane, appId: `app${index}` }))

    for (const each of [...lanes, ...lanes]) first.deliveries.announce(each)

    // All that waits is sent by then, and notifications come in their order.
    await first.close()
    const last = JSON.stringify({ from: 'test', lanes: [['last', 'email', null]], webhooks: [] })
    await rows(`select pg_notify('otpmint_due', '${last}')`)
    await eventually(() => heard.at(-1)?.appId === 'last')
    await eventually(() => payloads.at(-1) === last)
    heard.pop()
    payloads.pop()
    expect(heard).toEqual(lanes.slice(0, placesMax))
    expect(payloads).toHaveLength(placesMax / 50)
    for (const payload of payloads) expect(payload.length).toBeLessThan(8_000)
  })

  test('waits while the one before it is young', async () => {
    await newDatabase()
    const waits: number[] = []
    const after: Timers['after'] = (ms, callback) => {
      if (ms !== pauseMs) return systemTimers.after(ms, callback)
      waits.push(ms)
      return () => {}
    }
    const [first, second] = [await openNode({ ...systemTimers, after }), await openNode()]
    const heard = listenOn(second)
    await eventually(async () => (await listeners()).length === 1)

    first.deliveries.announce(lane)
    await eventually(() => waits.length === 1)
    first.deliveries.announce({ ...lane, appId: 'second' })
    await first.close()

    // The end of the pause never comes here; the close has sent what waited.
    await eventually(() => heard.length === 2)
    expect(waits).toEqual([pauseMs])
  })
})

describe('a connection that listens', () => {
  test('listens again after it was cut', async () => {
    await newDatabase()
    const [first, second] = [await openNode(), await openNode()]
    const heard = listenOn(second)
    await eventually(async () => (await listeners()).length === 1)
    const [before] = await listeners()

    await rows(`select pg_terminate_backend(${before})`)
    await eventually(async () => {
      const now = await listeners()
      return now.length === 1 && now[0] !== before
    })
    first.deliveries.announce(lane)

    await eventually(() => heard.length === 1)
  })

  test('listens again after the database was away, without a line of the runtime’s own', async () => {
    const warned = spyOn(console, 'warn')
    await newDatabase()
    const after: Timers['after'] = (ms, callback) =>
      systemTimers.after(ms === testEveryMs ? 200 : ms, callback)
    const [first, second] = [await openNode(), await openNode({ ...systemTimers, after })]
    const heard = listenOn(second)
    await eventually(async () => (await listeners()).length === 1)

    server.postmaster().signal('SIGQUIT')
    await server.postmaster().exited
    first.deliveries.announce(lane)
    await server.restart()

    await eventually(() => {
      first.deliveries.announce(lane)
      return heard.length > 0
    })
    expect(warned).not.toHaveBeenCalled()
    warned.mockRestore()
  })

  test('goes past PgBouncer, whose transaction mode drops notifications', async () => {
    await newDatabase()
    const pooler = await startPgBouncer(server.port)
    const options = { max: 1, prepare: false, bigint: true } as const
    const connection = { application_name: 'direct' }
    const node = await openPostgresStore({
      connect: () => new SQL({ url: pooler.through(database), ...options }),
      connectDirect: () => new SQL({ url: database, ...options, connection }),
      timers: systemTimers,
      random: systemRandom,
    })
    const heard = listenOn(node)
    await eventually(async () => (await listeners("application_name = 'direct'")).length === 1)
    const announcing = await openNode()

    announcing.deliveries.announce(lane)

    await eventually(() => heard.length === 1)
    expect(await listeners()).toHaveLength(1)
    await node.close()
    await pooler.stop()
  })

  test('is replaced when it hears nothing any more', async () => {
    await newDatabase()
    const after: Timers['after'] = (ms, callback) =>
      systemTimers.after(ms === testEveryMs ? 200 : ms, callback)
    const [first, second] = [await openNode(), await openNode({ ...systemTimers, after })]
    const heard = listenOn(second)
    await eventually(async () => (await listeners()).length === 1)
    const [frozen = 0] = await listeners()

    process.kill(frozen, 'SIGSTOP')
    try {
      await eventually(async () => (await listeners()).some((pid) => pid !== frozen))
      first.deliveries.announce(lane)
      await eventually(() => heard.length === 1)
    } finally {
      process.kill(frozen, 'SIGCONT')
    }
  })
})

function listenOn({ deliveries }: PostgresStore): Lane[] {
  const heard: Lane[] = []
  deliveries.onAnnounced((each) => heard.push(each))
  return heard
}

/** The processes of the server whose connection listens. */
async function listeners(which = 'true'): Promise<number[]> {
  const found = await rows<{ pid: number }>(`
    select pid from pg_stat_activity
    where datname = current_database() and query like 'LISTEN%' and ${which} order by pid`)
  return found.map(({ pid }) => pid)
}

/** The notifications of others that name lanes, as they come. */
async function payloadsOf(): Promise<string[]> {
  const payloads: string[] = []
  const sql = client()
  closers.push(() => sql.close({ timeout: 0 }))
  await sql.listen('otpmint_due', (payload) => {
    if (JSON.parse(payload).lanes.length > 0) payloads.push(payload)
  })
  return payloads
}
