import type { App } from '../../domain/app/app.ts'
import type { Timers } from '../../domain/ports.ts'
import { freeze } from '../freeze.ts'
import type { Database } from './database.ts'
import type { Session } from './lanes.ts'

/** A value that was read with the app that it belongs to; `stamp` is the app's, of the same snapshot. */
export type Loaded<Value> = { app: App; stamp: number; value: Value }

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
   * The app as this node has read it last, which is no older than the last answer of `get` for any
   * name of it; null when it is not in memory.
   */
  known(appId: string): App | null
}

/** The most names; an app has one for its id, and one for each key, secretKey and endpoint in use. */
export const cachedMax = 4000
/** Statements that look stamps up at the same time; what is asked meanwhile shares the next one. */
const lookupsAtOnce = 2

/** Says in its transaction that something has changed of an app that nodes keep in memory. */
export async function touchApp(session: Session, appId: string): Promise<void> {
  await session.run('update apps set stamp = stamp + 1 where id = $appId', { appId })
}

type Deps = { database: Pick<Database, 'read'>; timers: Pick<Timers, 'soon'>; max?: number }

/** A load that has begun; `begunAt` and the time of a question are counted, not measured. */
type Entry = { begunAt: number; loaded: Promise<Loaded<object> | null> }

/**
 * Keeps apps in memory, which are read with every request and change rarely. Any node may change
 * them, so that each answer is first compared with the app's stamp in the database; all questions of
 * a turn of the event loop share one statement, and all that need the same value one load.
 */
export function createAppCache({ database, timers, max = cachedMax }: Deps): AppCache {
  const stampOf = createStamps({ database, timers })
  const entries = new Map<string, Entry>()
  const apps = new Map<string, Loaded<object>>()
  let count = 0

  function begin(name: string, load: () => Promise<Loaded<object> | null>): Entry {
    const entry: Entry = { begunAt: ++count, loaded: load().then(keepApp) }
    put(entries, name, entry)
    const forget = () => void (entries.get(name) === entry && entries.delete(name))
    entry.loaded.then((loaded) => loaded ?? forget(), forget)
    return entry
  }

  function keepApp(loaded: Loaded<object> | null): Loaded<object> | null {
    if (!loaded) return null
    const { app, stamp } = freeze(loaded)
    if ((apps.get(app.id)?.stamp ?? 0) <= stamp) put(apps, app.id, loaded)
    return loaded
  }

  function put<Kept>(kept: Map<string, Kept>, name: string, value: Kept): void {
    kept.delete(name)
    const [oldest] = kept.keys()
    if (kept.size >= max && oldest !== undefined) kept.delete(oldest)
    kept.set(name, value)
  }

  return {
    async get(name, load) {
      const askedAt = ++count
      const kept = entries.get(name)
      if (kept) {
        // One that cannot be read is read again below.
        const loaded = await kept.loaded.catch(() => null)
        if (loaded && (await stampOf(loaded.app.id)) === loaded.stamp) return loaded.value as never
      }
      // Others that waited with this call may have begun to load, which is late enough for it too.
      const current = entries.get(name)
      const entry = current && current.begunAt > askedAt ? current : begin(name, load)
      return ((await entry.loaded)?.value ?? null) as never
    },
    known: (appId) => apps.get(appId)?.app ?? null,
  }
}

/** Looks up the stamps that apps have now; undefined for one that is gone. */
function createStamps({ database, timers }: Omit<Deps, 'max'>) {
  let next: Lookup | null = null
  let running = 0

  function start(lookup: Lookup): void {
    next = null
    running++
    const stamps = readStamps(database, [...lookup.ids])
    lookup.resolve(
      stamps.finally(() => {
        running--
        if (next?.isDue) start(next)
      }),
    )
  }

  function create(): Lookup {
    const { promise, resolve } = Promise.withResolvers<Stamps>()
    const lookup = { ids: new Set<string>(), isDue: false, stamps: promise, resolve }
    timers.soon(() => {
      lookup.isDue = true
      if (running < lookupsAtOnce) start(lookup)
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
