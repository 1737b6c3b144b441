import type { MetaStore } from '../../domain/stores.ts'
import { isSame } from '../same-bytes.ts'
import type { AuditChain } from './audit.ts'
import type { Parts } from './parts.ts'

export function createMetaStore({ database, read, write }: Parts, audit: AuditChain): MetaStore {
  const get = database.prepare<{ value: Uint8Array }, { name: string }>(
    'select value from meta where name = $name',
  )
  const set = database.prepare<null, { name: string; value: Uint8Array }>(
    'insert or replace into meta (name, value) values ($name, $value)',
  )
  const drop = database.prepare<null, { name: string }>('delete from meta where name = $name')
  const stored = (name: string) => get.get({ name })?.value ?? null

  return {
    read: (name) => read(() => stored(name)),
    write: (facts, { expected = {}, audit: append } = {}) =>
      write(() => {
        if (append && !audit.isNext(append)) return false
        const holds = Object.entries(expected).every(([name, value]) => isSame(stored(name), value))
        if (!holds) return false
        for (const [name, value] of Object.entries(facts)) {
          if (value === null) drop.run({ name })
          else set.run({ name, value })
        }
        if (append) audit.append(append)
        return true
      }),
  }
}
