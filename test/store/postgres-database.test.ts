import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { SQL } from 'bun'
import { Problem } from '../../src/domain/problem.ts'
import { createDatabase, type Database } from '../../src/store/postgres/database.ts'
import { createLanes, type Lanes, type Priority } from '../../src/store/postgres/lanes.ts'
import type { Values } from '../../src/store/postgres/placeholders.ts'
import { systemTimers } from '../../src/system.ts'
import { type PostgresServer, startPostgres } from '../postgres/server.ts'
import { problemCode } from './files.ts'

setDefaultTimeout(60_000)

let server: PostgresServer
let url: string
let database: Database
const opened: Lanes[] = []

beforeAll(async () => {
  server = await startPostgres()
  url = server.url(await server.createEmpty())
  database = createDatabase(open(4))
  await database.run('create table counted (id bigint primary key, sum_of_all bigint not null)')
  await database.run('create sequence tried')
})
afterAll(async () => {
  await Promise.all(opened.map((lanes) => lanes.close()))
  await server.stop()
})

function open(count: number, bounds: { waitMs?: number; waitingMax?: number } = {}): Lanes {
  const connect = () => new SQL({ url, max: 1, prepare: false, bigint: true })
  const lanes = createLanes({ connect, count, timers: systemTimers, ...bounds })
  opened.push(lanes)
  return lanes
}

const values: Record<string, [type: string, value: Values[string]]> = {
  text: ['text', `a "'\\ {é},\n`],
  'a time in milliseconds': ['bigint', 1_781_524_800_000],
  'a negative number': ['bigint', -1],
  bytes: ['bytea', Buffer.from([0, 255, 92, 39])],
  true: ['boolean', true],
  false: ['boolean', false],
  null: ['text', null],
  'a list of texts': ['text[]', ['a', '', 'b,"c"\\', '{}', 'null']],
  'a list with null': ['text[]', ['a', null]],
  'an empty list': ['text[]', []],
}
test.each(Object.keys(values))('%s comes back as it was given', async (name) => {
  const [type, value] = values[name] ?? []
  const [row] = await database.read<{ given: unknown }>(`select $given::${type} as given`, {
    given: value,
  })
  expect(row?.given).toEqual(value as never)
})

test.each([
  ['bytea[]', [Buffer.from([1, 0]), Buffer.from([92, 34])]],
  ['bigint[]', [1_781_524_800_000, -5]],
] as const)('a list of %s arrives element by element', async (type, list) => {
  const rows = await database.read<{ element: unknown }>(
    `select element from unnest($list::${type}) as element`,
    { list: [...list] },
  )
  expect(rows.map(({ element }) => element)).toEqual([...list])
})

test('names stand for values as often as they are used, and columns come back in the domain’s spelling', async () => {
  const rows = await database.read(
    'select $one::text as first_name, $two::bigint as t2, $one::text || $two::text as both_1',
    { one: 'a', two: 2, unused: 'x' },
  )
  expect(rows).toEqual([{ firstName: 'a', t2: 2, both1: 'a2' }])
})

test('a name without a value is a bug, and null is a value', async () => {
  const given = database.read('select $one::text as one', { one: undefined })
  expect(await given.catch(({ message }) => message)).toBe('no value for $one')
  expect(await database.read('select $one::text as one', { one: null })).toEqual([{ one: null }])
})

test('a write says how many rows it has changed', async () => {
  const insert = 'insert into counted select id, 0 from generate_series(101, 103) as id'
  expect(await database.run(insert)).toBe(3)
  expect(await database.run('update counted set sum_of_all = 1 where id > 102')).toBe(1)
  expect(await database.run('delete from counted where id = 5')).toBe(0)
})

const raise = (state: string) =>
  database.run(`do $$ begin raise exception using errcode = '${state}'; end $$`)

// A statement that may not be wrong, so that its caller is told to come again.
test.each([
  ...['08006', '53100', '53200', '53300', '57014', '55P03', '25006', '58030', '3D000', '57P03'],
])('an error of the state %s makes the store unavailable', async (state) => {
  expect(await problemCode(raise(state))).toBe('store_unavailable')
})

test.each(['23505', '22001', '42P01', '42501', 'P0001'])(
  'an error of the state %s is a bug of the statement',
  async (state) => {
    const error = await raise(state).catch((reason: unknown) => reason)
    expect(error).not.toBeInstanceOf(Problem)
    expect((error as { errno?: string }).errno).toBe(state)
  },
)

test.each(['40001', '40P01'])('an operation that ends with %s is run once more', async (state) => {
  const first = await nextTry()
  expect(
    await problemCode(
      database.run(`do $$ begin perform nextval('tried');
      raise exception using errcode = '${state}'; end $$`),
    ),
  ).toBe('store_unavailable')
  expect(await nextTry()).toBe(first + 3)
})

async function nextTry(): Promise<number> {
  const [row] = await database.read<{ number: number }>("select nextval('tried') as number")
  return row?.number ?? 0
}

test('two transactions that wait for one another are both done, one of them anew', async () => {
  await database.run('insert into counted values (1, 0), (2, 0)')
  let runs = 0
  let arrived = 0
  let meet = () => {}
  const met = new Promise<void>((resolve) => {
    meet = resolve
  })
  const add = (ids: number[]) =>
    database.transaction(async (session) => {
      runs++
      for (const id of ids) {
        await session.run('update counted set sum_of_all = sum_of_all + 1 where id = $id', { id })
        if (++arrived === 2) meet()
        await met
      }
    })

  await Promise.all([add([1, 2]), add([2, 1])])

  expect(runs).toBe(3)
  expect(await database.read('select * from counted where id < 3 order by id')).toEqual([
    { id: 1, sumOfAll: 2 },
    { id: 2, sumOfAll: 2 },
  ])
})

test('a transaction that fails stores nothing, and its lane goes on', async () => {
  const lanes = createDatabase(open(1))
  const failing = lanes.transaction(async (session) => {
    await session.run('insert into counted values (50, 0)')
    throw new Error('no')
  })

  expect(await failing.catch(({ message }) => message)).toBe('no')
  expect(await lanes.read('select id from counted where id = 50')).toEqual([])
})

/** Holds the only lane until it is let go. */
async function hold(lanes: Lanes): Promise<() => Promise<void>> {
  let letGo = () => {}
  const holding = new Promise<void>((resolve) => {
    letGo = resolve
  })
  let isHeld = () => {}
  const held = new Promise<void>((resolve) => {
    isHeld = resolve
  })
  const work = lanes.use('background', async ({ query }) => {
    await query('select 1')
    isHeld()
    await holding
  })
  await held
  return async () => {
    letGo()
    await work
  }
}

test('a free lane goes to checks before starts, and to starts before everything else', async () => {
  const lanes = open(1)
  const letGo = await hold(lanes)
  const order: Priority[] = []
  const waiting = (['background', 'start', 'check', 'background', 'check'] as const).map((one) =>
    lanes.use(one, async ({ query }) => {
      order.push(one)
      await query('select 1')
    }),
  )

  await letGo()
  await Promise.all(waiting)

  expect(order).toEqual(['check', 'check', 'start', 'background', 'background'])
})

test('a wait for a lane ends, and who waited is not served afterwards', async () => {
  const lanes = open(1, { waitMs: 50 })
  const letGo = await hold(lanes)

  const code = await problemCode(createDatabase(lanes).run('insert into counted values (60, 0)'))
  await letGo()

  expect(code).toBe('store_unavailable')
  expect(await createDatabase(lanes).read('select id from counted where id = 60')).toEqual([])
})

test('of each priority no more may wait for a lane than the most', async () => {
  const lanes = open(1, { waitingMax: 2 })
  const limited = createDatabase(lanes)
  const letGo = await hold(lanes)
  const waiting = ['check', 'check', 'start'].map((one) =>
    limited.run('select 1', {}, one as Priority),
  )

  expect(await problemCode(limited.run('select 1', {}, 'check'))).toBe('store_unavailable')
  await letGo()
  expect(await Promise.all(waiting)).toEqual([1, 1, 1])
})

test('a close waits for what runs, and refuses what comes after it', async () => {
  const lanes = open(1)
  const letGo = await hold(lanes)
  let isClosed = false
  const closing = lanes.close().then(() => {
    isClosed = true
  })

  expect(await problemCode(createDatabase(lanes).read('select 1'))).toBe('store_unavailable')
  expect(isClosed).toBe(false)
  await letGo()
  await closing
})
