import type { MessageStatus } from '../domain/webhook/message.ts'
import type { ReplayCommand, Replayed } from '../domain/webhook/stores.ts'

export type Found = { id: string; status: MessageStatus }

/**
 * Which of the found messages wait again: those that wait anyway, and others while there is room.
 * `added`: how many more wait then.
 */
export function chooseReplayed(
  found: Found[],
  room: number,
  { which, limit }: Pick<ReplayCommand, 'which' | 'limit'>,
): { ids: string[]; added: number; replayed: Replayed } {
  const taken = found.filter(({ status }, index) => status === 'waiting' || index < room)
  const isFull = taken.length < found.length
  const hasMore = !('id' in which) && !isFull && found.length === limit
  return {
    ids: taken.map(({ id }) => id),
    added: taken.filter(({ status }) => status !== 'waiting').length,
    replayed: { count: taken.length, after: hasMore ? (found.at(-1)?.id ?? null) : null, isFull },
  }
}
