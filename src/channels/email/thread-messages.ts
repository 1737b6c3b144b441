import type { DeliveryOutcome } from '../../domain/delivery/delivery.ts'
import type { MailJob, Stop } from './mail-job.ts'

/** Messages from the main thread to the mail thread. */
export type ToThread =
  | { kind: 'start'; ca: string[]; connectionsMax: number; begun: SharedArrayBuffer }
  | { kind: 'send'; id: number; slot: number; job: MailJob }
  | { kind: 'stop'; id: number; stop: Stop }

/** Answers of the mail thread. */
export type FromThread = { id: number; outcome: DeliveryOutcome }
