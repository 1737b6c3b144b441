import type { Database } from 'bun:sqlite'
import type { Timers } from '../../domain/ports.ts'

export type AppCache = {
  /** The cached value of this name, or that of `load`, which is then cached unless it is null. */
  get<Value extends object>(name: string, load: () => Value | null): Value | null
  /** Drops everything, because an app changes in the running transaction. */
  forget(): void
}

/** The most entries; an app has one for its id and one for each key and secretKey in use. */
export const cachedMax = 3000

/**
 * Caches apps until one changes. Other processes (the command line) write to the database too, so
 * its `data_version` is read once a turn of the event loop.
 */
export function createAppCache(database: Database, timers: Pick<Timers, 'soon'>): AppCache {
  const version = database.prepare<{ data_version: number }, []>('pragma data_version')
  const kept = new Map<string, object>()
  let knownVersion: number | undefined
  let isChecked = false

  function check(): void {
    if (isChecked) return
    isChecked = true
    timers.soon(() => {
      isChecked = false
    })
    const current = version.get()?.data_version
    if (current === knownVersion) return
    kept.clear()
    knownVersion = current
  }

  return {
    get<Value extends object>(name: string, load: () => Value | null): Value | null {
      check()
      const known = kept.get(name)
      if (known) return known as Value
      const value = load()
      if (!value) return null
      const [oldest] = kept.keys()
      if (kept.size >= cachedMax && oldest !== undefined) kept.delete(oldest)
      kept.set(name, freeze(value))
      return value
    },
    forget: () => kept.clear(),
  }
}

/** Freezes a value, because callers share it. */
function freeze<Value extends object>(value: Value): Value {
  for (const inner of Object.values(value)) {
    // Bytes cannot be frozen.
    if (typeof inner === 'object' && inner !== null && !ArrayBuffer.isView(inner)) freeze(inner)
  }
  return Object.freeze(value)
}
