import type { DeliveryOutcome } from '../../domain/delivery/delivery.ts'
import type { MailJob, Stop } from './mail-job.ts'

/** What the main thread tells the mail thread. */
export type ToThread =
  | { kind: 'start'; ca: string[]; connectionsMax: number; begun: SharedArrayBuffer }
  | { kind: 'send'; id: number; slot: number; job: MailJob }
  | { kind: 'stop'; id: number; stop: Stop }

/** What the mail thread answers. */
export type FromThread = { id: number; outcome: DeliveryOutcome }
