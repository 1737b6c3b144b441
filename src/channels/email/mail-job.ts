import type { App } from '../../domain/app/app.ts'
import type { SmtpSettings } from '../../domain/app/endpoint.ts'
import type { DeliveryOutcome, Handover } from '../../domain/delivery/delivery.ts'

/** A mail server as it is dialled, with its password in clear: in memory only. */
export type MailServer = {
  endpointId: string
  /** Counts up with every change of the app or its endpoints. */
  appVersion: number
  settings: SmtpSettings
  password: string | null
  /** Who registered the app: for a stranger only public addresses are dialled. */
  registeredBy: App['registeredBy']
}

/** What a mail is composed from: plain data, so that it can go to another thread. */
export type Mail = Pick<
  Handover,
  'deliveryId' | 'code' | 'codeFormat' | 'reference' | 'createdAt' | 'expiresAt'
> & {
  app: Pick<App, 'id' | 'version' | 'name' | 'policy'>
  recipient: string
}

export type MailJob = { server: MailServer; mail: Mail }

/** `cancel` ends a job unless the message is on its way already; `drop` ends it whatever it does. */
export type Stop = 'cancel' | 'drop'

/** Hands mails over to mail servers, in this thread or in one of its own. */
export type Mailer = {
  /** `begun` is called when the message is on its way. Never rejects. */
  send(job: MailJob, signal: AbortSignal, begun?: () => void): Promise<DeliveryOutcome>
  /** Drops every connection; what runs ends soon. */
  close(): void
}

/** Why a signal was aborted, as its reason; whatever else it is drops the job. */
export function stopOf(signal: AbortSignal): Stop {
  return signal.reason === 'cancel' ? 'cancel' : 'drop'
}
