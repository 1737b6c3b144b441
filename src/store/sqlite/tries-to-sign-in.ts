import type { Database } from 'bun:sqlite'
import { decideTry, type Try, type TryCommand } from '../../domain/account/tries.ts'

/** Counts tries to sign in; the domain decides what they mean. */
export function createTries(database: Database) {
  const get = database.prepare<Try, { key: Uint8Array }>(
    'select count, at from sign_ins where key = $key',
  )
  const put = database.prepare<null, Try & { key: Uint8Array }>(
    'insert or replace into sign_ins (key, count, at) values ($key, $count, $at)',
  )
  const lower = database.prepare<null, { key: Uint8Array }>(
    'update sign_ins set count = count - 1 where key = $key and count > 0',
  )
  const drop = database.prepare<null, { key: Uint8Array }>('delete from sign_ins where key = $key')

  return {
    begin(command: TryCommand): { begun: true } | { begun: false; retryAt: number } {
      const decided = decideTry(command, (key) => get.get({ key }))
      if (!decided.begun) return decided
      for (const row of decided.counted) put.run(row)
      return { begun: true }
    },
    takeBack({ keys, forget }: { keys: Uint8Array[]; forget: Uint8Array | null }): void {
      for (const key of keys) lower.run({ key })
      if (forget) drop.run({ key: forget })
    },
  }
}
