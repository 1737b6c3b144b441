import type { MetaStore } from '../domain/stores.ts'
import { cannotStart } from '../startup-error.ts'
import { isClosed, moveFact, parseMark } from '../store/move/mark.ts'

/** Throws `StartupError` for a database that was moved away, or is not all there yet. */
export async function refuseMoved({ meta }: { meta: Pick<MetaStore, 'read'> }): Promise<void> {
  const fact = await meta.read(moveFact)
  const mark = fact && parseMark(fact)
  if (!mark || !isClosed(mark)) return
  if (mark.state === 'arriving') {
    throw cannotStart('this database is being filled by "otpmint move": wait until it has ended')
  }
  const where = mark.state === 'moved' ? 'was moved' : 'is being moved'
  const advice = 'serve that one, or open this one again with "otpmint move --reopen"'
  throw cannotStart(`this database ${where} to ${mark.place}: ${advice}`)
}
