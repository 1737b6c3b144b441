import { decideTry, type Try, type TryCommand } from '../../domain/account/tries.ts'
import { hex } from '../hex.ts'
import type { Session } from './lanes.ts'

type Row = Try & { key: Uint8Array }

/** Counts a try, as the domain decides on what is stored; in the order of keys, as others lock. */
export async function beginTry(
  session: Session,
  command: TryCommand,
): Promise<{ begun: true } | { begun: false; retryAt: number }> {
  const places = [...command.own, ...command.shared].map(({ key }) => key).toSorted(Buffer.compare)
  // A row that is not there cannot be locked, so each is made first.
  for (const key of places) {
    await session.run(
      'insert into sign_ins (key, count, at) values ($key, 0, $now) on conflict (key) do nothing',
      { key, now: command.now },
    )
  }
  const stored = new Map<string, Try>()
  for (const key of places) {
    const [row] = await session.query<Row>(
      'select key, count, at from sign_ins where key = $key for update',
      { key },
    )
    if (row) stored.set(hex(key), row)
  }
  const decided = decideTry(command, (key) => stored.get(hex(key)) ?? null)
  if (!decided.begun) return decided
  for (const row of decided.counted) {
    await session.run('update sign_ins set count = $count, at = $at where key = $key', row)
  }
  return { begun: true }
}

export async function takeTryBack(
  session: Session,
  { keys, forget }: { keys: Uint8Array[]; forget: Uint8Array | null },
): Promise<void> {
  const isForgotten = (key: Uint8Array) => forget !== null && Buffer.compare(key, forget) === 0
  const all = [...keys, ...(forget ? [forget] : [])].toSorted(Buffer.compare)
  for (const key of all) {
    await session.run(
      isForgotten(key)
        ? 'delete from sign_ins where key = $key'
        : 'update sign_ins set count = count - 1 where key = $key and count > 0',
      { key },
    )
  }
}
