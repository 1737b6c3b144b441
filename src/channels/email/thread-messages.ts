import type { Queued } from '../../domain/ports.ts'
import type { ContentMessage, NamedWording } from './contents.ts'
import type { Mail, MailJob, Stop } from './mail-job.ts'

/** The first message to the mail thread. */
export type StartThread = { ca: string[]; connectionsMax: number; begun: SharedArrayBuffer }

/**
 * Further messages to the mail thread; those of one turn of the event loop come together as JSON
 * text, which a thread passes on several times faster than objects. `width` is null for a mail that
 * does not wait for its turn. `sureUntil` is the time of the system's clock until which its lease is sure,
 * because each thread has a monotonic clock of its own; null without a lease. `lease` answers `ask`.
 */
export type ToThread =
  | {
      kind: 'send'
      id: number
      slot: number
      width: number | null
      sureUntil: number | null
      job: ThreadJob
    }
  | { kind: 'lease'; id: number; isHeld: boolean }
  | { kind: 'stop'; id: number; stop: Stop }
  | ContentMessage

/** A job that names the contents of its wording. */
export type ThreadJob = Omit<MailJob, 'mail'> & {
  mail: Omit<Mail, 'wording'> & { wording: NamedWording }
}

/** Answers of the mail thread, also as JSON text, and questions whether a lease is still held. */
export type FromThread = { id: number; answer: Queued | null } | { id: number; ask: 'lease' }
