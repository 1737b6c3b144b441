import type { Timers } from '../../domain/ports.ts'
import { freeze } from '../freeze.ts'
import type { Database } from './database.ts'
import type { Session } from './lanes.ts'

/** A value that was read with the stamp that its app had in the same snapshot. */
export type Loaded<Value> = { appId: string; stamp: number; value: Value }

export type AppCache = {
  /**
   * The value of this name as it is in the database at some time after the call: from memory if its
   * app's stamp has not moved, else that of `load`. What is null is not kept.
   */
  get<Value extends object>(
    name: string,
    load: () => Promise<Loaded<Value> | null>,
  ): Promise<Value | null>
  /**
   * The value of this name from memory, which may be out of date, else that of `load`: with the stamp
   * that its app had then, for a statement that compares it.
   */
  recall<Value extends object>(
    name: string,
    load: () => Promise<Loaded<Value> | null>,
  ): Promise<Loaded<Value> | null>
  /** For a database that was put back, in which a stamp may come again for something else. */
  forget(): void
}

/** The most names; an app has one for its id, and one for each key, secretKey and endpoint in use. */
const cachedMax = 4000
/** Statements that look stamps up at the same time; what is asked meanwhile shares the next one. */
const lookupsAtOnce = 2
/** A lookup that takes longer, in ms, is held up: the next one does not wait for it. */
const aloneMs = 20

/** Says in its transaction that something has changed of an app that nodes keep in memory. */
export async function touchApp(session: Session, appId: string): Promise<void> {
  await session.run('update apps set stamp = stamp + 1 where id = $appId', { appId })
}

type Deps = {
  database: Pick<Database, 'read'>
  timers: Pick<Timers, 'soon' | 'after'>
  max?: number
}

/**
 * Keeps apps in memory, which are read with every request and change rarely. Any node may change
 * them, so that each answer is first compared with the app's stamp in the database; all questions of
 * a turn of the event loop share one statement, and all that need the same value one load.
 */
export function createAppCache({ database, timers, max = cachedMax }: Deps): AppCache {
  const stampOf = createStamps({ database, timers })
  const kept = new Map<string, Loaded<object>>()
  const loads = new Map<string, Promise<Loaded<object> | null>>()

  function begin(name: string, load: () => Promise<Loaded<object> | null>) {
    const loading = load()
      .then((loaded) => keep(name, loaded && freeze(loaded)))
      .finally(() => loads.delete(name))
    loads.set(name, loading)
    return loading
  }

  function keep(name: string, loaded: Loaded<object> | null): Loaded<object> | null {
    kept.delete(name)
    if (!loaded) return null
    const [oldest] = kept.keys()
    if (kept.size >= max && oldest !== undefined) kept.delete(oldest)
    kept.set(name, loaded)
    return loaded
  }

  return {
    async get(name, load) {
      // One that has begun before this call may have read before it; its failure is not this one's.
      await loads.get(name)?.catch(() => null)
      const known = kept.get(name)
      if (known && (await stampOf(known.appId)) === known.stamp) return known.value as never
      // One that others have begun meanwhile reads late enough.
      const loaded = await (loads.get(name) ?? begin(name, load))
      return (loaded?.value ?? null) as never
    },
    async recall(name, load) {
      return (kept.get(name) ?? (await (loads.get(name) ?? begin(name, load)))) as never
    },
    forget: () => kept.clear(),
  }
}

/** Looks up the stamps that apps have now; undefined for one that is gone. */
function createStamps({ database, timers }: Omit<Deps, 'max'>) {
  let next: Lookup | null = null
  let running = 0
  /** Of those the ones that are not held up. */
  let fresh = 0

  function startNext(): void {
    if (next?.isDue && running < lookupsAtOnce && fresh === 0) start(next)
  }

  function start(lookup: Lookup): void {
    next = null
    running++
    fresh++
    let isFresh = true
    const age = () => {
      if (isFresh) fresh--
      isFresh = false
    }
    const cancel = timers.after(aloneMs, () => {
      age()
      startNext()
    })
    const stamps = readStamps(database, [...lookup.ids])
    lookup.resolve(
      stamps.finally(() => {
        cancel()
        age()
        running--
        startNext()
      }),
    )
  }

  function create(): Lookup {
    const { promise, resolve } = Promise.withResolvers<Stamps>()
    const lookup = { ids: new Set<string>(), isDue: false, stamps: promise, resolve }
    timers.soon(() => {
      lookup.isDue = true
      startNext()
    })
    return lookup
  }

  return async (appId: string): Promise<number | undefined> => {
    next ??= create()
    next.ids.add(appId)
    return (await next.stamps).get(appId)
  }
}

type Stamps = Map<string, number>

/** `isDue`: the turn of the event loop is over in which it was asked first. */
type Lookup = {
  ids: Set<string>
  isDue: boolean
  stamps: Promise<Stamps>
  resolve(stamps: Promise<Stamps>): void
}

async function readStamps(database: Deps['database'], ids: string[]): Promise<Stamps> {
  const rows = await database.read<{ id: string; stamp: number }>(
    'select id, stamp from apps where id = any($ids::text[])',
    { ids },
    'check',
  )
  return new Map(rows.map(({ id, stamp }) => [id, stamp]))
}
