import { Database } from 'bun:sqlite'
import { expect, test } from 'bun:test'
import type { Timers } from '../../src/domain/ports.ts'
import { Problem } from '../../src/domain/problem.ts'
import { openDatabase } from '../../src/store/sqlite/database.ts'
import { createFailures } from '../../src/store/sqlite/failure.ts'
import { createGroupCommit, type TransactionOptions } from '../../src/store/sqlite/group-commit.ts'
import { systemTimers } from '../../src/system.ts'
import { times } from '../support/commands.ts'
import { newPath, problemCode } from './files.ts'

/** A writer over a table of names, and the names that each group wrote. */
function openWriter(options: Partial<TransactionOptions> = {}, path = newPath()) {
  const database = openDatabase(path)
  database.run('create table things (name text primary key) strict')
  const insert = database.prepare<null, { name: string }>('insert into things values ($name)')
  const counted: string[] = []
  const groups: string[][] = []
  const collected = {
    counted,
    write() {
      groups.push(counted.splice(0))
    },
  }
  const failures = createFailures()
  const writer = createGroupCommit(database, {
    timers: systemTimers,
    failures,
    collected,
    ...options,
  })
  const add = (name: string, priority?: Parameters<typeof writer.write>[1]) =>
    writer.write(() => {
      counted.push(name)
      insert.run({ name })
      return name
    }, priority)
  const names = () =>
    database.query<[string], []>('select name from things order by name').values().flat()
  return { database, writer, add, insert, counted, groups, names }
}

/** Timers whose clock moves only when a test sets it; turns of the event loop are real. */
function stillTimers(): Timers & { now: number } {
  const timers = { ...systemTimers, now: 0, monotonic: () => timers.now }
  return timers
}

test('answers nobody before the commit is on disk', async () => {
  const path = newPath()
  const { add } = openWriter({ timers: stillTimers() }, path)
  const other = new Database(path, { readonly: true })

  await Promise.race(times(100, (index) => add(`n${index}`)))

  expect(other.query('select count(*) from things').values()).toEqual([[100]])
})

test('an operation that throws fails alone and leaves nothing behind', async () => {
  const { writer, add, insert, counted, groups, names } = openWriter()
  const results = await Promise.allSettled([
    add('a'),
    writer.write(() => {
      insert.run({ name: 'half' })
      counted.push('half')
      throw new Error('broken')
    }),
    add('a'),
    add('b'),
  ])

  expect(results.map(({ status }) => status)).toEqual([
    ...['fulfilled', 'rejected', 'rejected', 'fulfilled'],
  ] as never)
  expect(names()).toEqual(['a', 'b'])
  expect(groups.flat()).toEqual(['a', 'b'])
})

test('a commit that fails is rolled back and fails every operation of its group', async () => {
  let isBroken = true
  const collected = {
    get counted() {
      return [1]
    },
    write() {
      if (isBroken) throw new Error('no commit')
    },
  }
  const { writer, insert, names } = openWriter({ collected })
  const add = (name: string) => writer.write(() => insert.run({ name }))

  const results = await Promise.allSettled([add('a'), add('b')])
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  expect(names()).toEqual([])

  isBroken = false
  await add('c')
  expect(names()).toEqual(['c'])
})

test('a full disk refuses with Retry-After and leaves no partial write', async () => {
  const { database, add, names } = openWriter()
  const [[pages = 0] = []] = database.query<[number], []>('pragma page_count').values()
  database.run(`pragma max_page_count = ${pages}`)

  const big = times(20, (index) => problemCode(add(`${index}`.padEnd(9000, 'x'))))
  expect(new Set(await Promise.all(big))).toEqual(new Set(['store_unavailable']))
  expect(names()).toEqual([])

  database.run('pragma max_page_count = 100000')
  await add('again')
  expect(names()).toEqual(['again'])
})

test('a read-only database refuses in the same way', async () => {
  const { database, add, names } = openWriter()
  database.run('pragma query_only = on')
  expect(await problemCode(add('a'))).toBe('store_unavailable')

  database.run('pragma query_only = off')
  await add('b')
  expect(names()).toEqual(['b'])
})

test('the wait for another process’s lock does not block the event loop', async () => {
  const path = newPath()
  const { add, names } = openWriter({}, path)
  const other = new Database(path)
  other.run('begin immediate')

  const written = add('a')
  const gaps: number[] = []
  for (let last = performance.now(); gaps.length < 100; ) {
    await Bun.sleep(1)
    gaps.push(performance.now() - last)
    last = performance.now()
  }
  expect(names()).toEqual([])
  other.run('rollback')
  expect(await written).toBe('a')

  // No turn takes longer than one try to get the lock.
  expect(gaps.toSorted((a, b) => a - b)[50]).toBeLessThan(20)
})

test('a lock that is held too long refuses the waiting writes, and only those', async () => {
  const path = newPath()
  const timers = stillTimers()
  const { add, names } = openWriter({ timers }, path)
  const other = new Database(path)
  other.run('begin immediate')

  const early = problemCode(add('early'))
  await Bun.sleep(30)
  timers.now = 1999
  const late = add('late')
  await Bun.sleep(60)
  expect(await Promise.race([early, 'waits'])).toBe('waits')
  timers.now = 2000
  expect(await early).toBe('store_unavailable')
  other.run('rollback')

  expect(await late).toBe('late')
  expect(names()).toEqual(['late'])
})

test('a group has at most a thousand operations, and other work runs between groups', async () => {
  const { add, groups } = openWriter({ timers: stillTimers() })
  const written = Promise.all(times(3000, (index) => add(`n${index}`)))
  const turns: number[] = []
  const look = () => {
    turns.push(groups.length)
    if (groups.length < 3) setImmediate(look)
  }
  setImmediate(look)

  await written

  expect(groups.map(({ length }) => length)).toEqual([1024, 1024, 952])
  expect(turns).toContain(1)
})

test('after a group of four the next one begins two milliseconds later', async () => {
  const timers = { ...stillTimers(), waits: [] as { ms: number; run(): void }[] }
  timers.monotonic = () => timers.now
  timers.after = (ms, run) => {
    const wait = { ms, run }
    timers.waits.push(wait)
    return () => void timers.waits.splice(timers.waits.indexOf(wait), 1)
  }
  const { add, groups } = openWriter({ timers })
  await Promise.all(times(4, (index) => add(`first ${index}`)))
  const second = add('second')
  expect(timers.waits.map(({ ms }) => ms)).toEqual([2])
  timers.now = 2
  timers.waits[0]?.run()
  await second

  // After a smaller one it begins at once.
  await add('third')
  expect(groups.map(({ length }) => length)).toEqual([4, 1, 1])
})

test('a group does not rest while thirty-two operations wait', async () => {
  const timers = stillTimers()
  timers.after = () => () => {}
  const { add, groups } = openWriter({ timers })
  await Promise.all(times(4, (index) => add(`first ${index}`)))
  await Promise.all(times(32, (index) => add(`second ${index}`)))

  expect(groups.map(({ length }) => length)).toEqual([4, 32])
})

test('a group takes nothing more after four milliseconds', async () => {
  const timers = stillTimers()
  const { writer, groups, counted } = openWriter({ timers })
  const written = times(10, () =>
    writer.write(() => {
      counted.push('x')
      timers.now += 1.5
    }),
  )

  await Promise.all(written)

  expect(groups.map(({ length }) => length)).toEqual([3, 3, 3, 1])
})

test('checks go before starts, and starts before everything else', async () => {
  const { add } = openWriter({ grouped: false })
  const order: string[] = []
  const write = async (name: string, priority: 'check' | 'start' | 'background') => {
    order.push(await add(name, priority))
  }

  await Promise.all([
    write('background 1', 'background'),
    write('start 1', 'start'),
    write('check 1', 'check'),
    write('background 2', 'background'),
    write('start 2', 'start'),
    write('check 2', 'check'),
  ])

  expect(order).toEqual([
    ...['check 1', 'check 2', 'start 1', 'start 2', 'background 1', 'background 2'],
  ])
})

test('a write that waits behind many checks gets its place after eight groups', async () => {
  const { add, groups } = openWriter({ grouped: false, timers: stillTimers() })
  let isOver = false
  let count = 0
  const flood = async () => {
    while (!isOver) await add(`check ${count++}`, 'check')
  }
  const floods = times(20, flood)

  await Promise.all([add('start', 'start'), add('background')])
  isOver = true
  await Promise.all(floods)

  const places = groups.flat().flatMap((name, index) => (name.startsWith('check') ? [] : [index]))
  expect(places).toEqual([8, 9])
})

test('overdue work takes no more than a quarter of a group', async () => {
  const timers = stillTimers()
  const { writer, groups, counted } = openWriter({ timers })
  const write = (name: string, priority: 'check' | 'background') =>
    writer.write(() => {
      counted.push(name)
      timers.now += 0.5
    }, priority)
  const written = [
    ...times(100, () => write('background', 'background')),
    ...times(100, () => write('check', 'check')),
  ]

  await Promise.all(written)

  // The first groups are checks only, then two of eight places are for overdue writes.
  expect(groups[0]).toEqual(times(8, () => 'check'))
  expect(groups[8]).toEqual([...times(2, () => 'background'), ...times(6, () => 'check')])
})

test('more than twenty thousand waiting writes are refused', async () => {
  const timers = { ...systemTimers, soon: () => {} }
  const { writer, add, names } = openWriter({ timers })
  const waiting = times(20_000, (index) => add(`n${index}`))

  expect(await problemCode(add('one more'))).toBe('store_unavailable')

  await writer.close()
  expect((await Promise.all(waiting)).length).toBe(20_000)
  expect(names().length).toBe(20_000)
})

test('a writer that closes commits the queued writes and takes no more', async () => {
  const { writer, add, names } = openWriter()
  const queued = add('a')

  await writer.close()

  expect(await queued).toBe('a')
  expect(await problemCode(add('b'))).toBe('store_unavailable')
  expect(names()).toEqual(['a'])
})

test('an error that is not of the database is thrown unchanged', async () => {
  const { writer } = openWriter()
  const broken = () => {
    throw new Problem('app_not_found')
  }

  expect(await problemCode(writer.write(broken))).toBe('app_not_found')
  expect(await problemCode(writer.write(() => null))).toBe('null')
})
