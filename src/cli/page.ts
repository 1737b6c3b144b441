import { isTimedId } from '../domain/id.ts'
import { isMessageId } from '../domain/webhook/message.ts'
import { type Args, type Flags, wholeNumber, wrongUsage } from './command.ts'
import type { Io } from './io.ts'

/** The flags of every list that is longer than a page. */
export const pageFlags: Flags = {
  limit: { value: 'N', help: 'How many, 1 to 100; 20 by default.' },
  cursor: { value: 'CURSOR', help: 'Continues after the previous page.' },
}

/** The formats of cursors: event numbers, verification ids, message ids. */
const cursorKinds = {
  number: (text: string) => /^\d{1,15}$/.test(text),
  timedId: isTimedId,
  message: isMessageId,
}

/** Reads the flags of a page. Throws `wrongUsage` for an invalid cursor. */
export function pageOf(
  args: Args,
  cursors: keyof typeof cursorKinds,
): { limit: number; cursor: string | null } {
  const limit = wholeNumber(args, 'limit', { min: 1, max: 100, usual: 20 })
  const cursor = args.text('cursor') ?? null
  if (cursor !== null && !cursorKinds[cursors](cursor)) {
    throw wrongUsage('--cursor must be what the page before ended with')
  }
  return { limit, cursor }
}

/** Prints the flag for the next page, at a terminal. */
export function tellNext(io: Io, cursor: string | null): void {
  if (cursor !== null && io.terminal.output) io.err(`There are more: --cursor ${cursor}\n`)
}
