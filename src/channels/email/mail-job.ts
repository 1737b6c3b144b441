import type { App } from '../../domain/app/app.ts'
import type { EmailEndpoint } from '../../domain/app/endpoint.ts'
import type { SmtpSettings } from '../../domain/app/smtp-fields.ts'
import type { DeliveryOutcome, Handover } from '../../domain/delivery/delivery.ts'
import type { Queued, Turn } from '../../domain/ports.ts'
import type { Links } from '../../messages/links.ts'
import type { Wording } from '../wording.ts'

/** A mail server to connect to, with what to log in with in clear; in memory only. */
export type MailServer = {
  endpointId: string
  /** Counts up with every change of the app or its endpoints. */
  appVersion: number
  settings: SmtpSettings
  /** The password or the access token; null for no login. */
  credential: string | null
  /** With `open` only public addresses are dialled. */
  registeredBy: App['registeredBy']
}

/** The data of a mail, which can be passed to another thread. */
export type Mail = Pick<
  Handover,
  | ('deliveryId' | 'code' | 'codeFormat' | 'reference' | 'locale' | 'variables')
  | ('createdAt' | 'expiresAt')
> & {
  app: Pick<App, 'id' | 'version' | 'name' | 'policy'>
  recipient: string
  wording: Wording
  links: Links | null
}

/** The key that signs a mail; in memory only. */
export type DkimSigner = { domain: string; selector: string; privateKey: string }

export type MailJob = { server: MailServer; mail: Mail; dkim: DkimSigner | null }

/** `cancel` ends a job unless its message is on its way already; `drop` ends it in any state. */
export type Stop = 'cancel' | 'drop'

/** Hands mails over to mail servers, in this thread or in another one. */
export type Mailer = {
  /** `begun` is called when the message is on its way. Never rejects. */
  send(job: MailJob, signal: AbortSignal, begun?: () => void): Promise<DeliveryOutcome>
  /** As `send`, in turn with the other mails to the endpoint. */
  queue(job: MailJob, turn: Turn, begun?: () => void): Promise<Queued | null>
  /** Drops every connection, so that running jobs end soon. */
  close(): void
}

/** The server of an endpoint, to log in at with this credential. */
export function mailServer(
  { version: appVersion, registeredBy }: App,
  { id: endpointId, settings }: EmailEndpoint,
  credential: string | null,
): MailServer {
  return { endpointId, appVersion, settings, registeredBy, credential }
}

/** The reason that a signal was aborted with; any other reason drops the job. */
export function stopOf(signal: AbortSignal): Stop {
  return signal.reason === 'cancel' ? 'cancel' : 'drop'
}

/** The answer for a mail that no server was asked about, or that waited for no other. */
export function atOnce(outcome: DeliveryOutcome): Queued {
  return { outcome, tookMs: 0, others: 0 }
}
