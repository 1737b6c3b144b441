import type { App } from '../../domain/app/app.ts'
import { dkimPlace, signingKey } from '../../domain/app/dkim.ts'
import { type Endpoint, secretPlace } from '../../domain/app/endpoint.ts'
import type { DeliveryOutcome, Handover } from '../../domain/delivery/delivery.ts'
import type { Channel, Ports } from '../../domain/ports.ts'
import {
  atOnce,
  type DkimSigner,
  type Mail,
  type Mailer,
  type MailJob,
  type MailServer,
} from './mail-job.ts'

/**
 * Sends mail through each app's own servers. The password is opened here, where the keys are, and
 * goes to the mailer with the message, in memory only.
 */
export function createEmailChannel({ keyring }: Pick<Ports, 'keyring'>, mailer: Mailer): Channel {
  const jobOf = (handover: Handover): MailJob | DeliveryOutcome => {
    const { app, endpoint, recipient } = handover
    if (!endpoint) return refusedForNow('this app has no mail server')
    if (!oneAddress.test(recipient.address)) return notAnAddress
    const server = mailServer(keyring, app, endpoint)
    if (server === null) return refusedForNow('the password of the mail server cannot be opened')
    return { server, mail: mailOf(handover), dkim: dkimSigner(keyring, app, endpoint) }
  }
  return {
    async deliver(handover, signal) {
      const job = jobOf(handover)
      return 'status' in job ? job : mailer.send(job, signal)
    },
    async queue(handover, turn) {
      const job = jobOf(handover)
      return 'status' in job ? atOnce(job) : mailer.queue(job, turn)
    },
    close: mailer.close,
  }
}

/** The endpoint with its password in clear; null when that cannot be opened. */
export function mailServer(
  keyring: Ports['keyring'],
  app: App,
  { id: endpointId, settings, secretSealed }: Endpoint,
): MailServer | null {
  const { registeredBy, version: appVersion } = app
  const server = { endpointId, appVersion, settings, registeredBy }
  if (secretSealed === null) return { ...server, password: null }
  try {
    const place = secretPlace({ id: endpointId, settings })
    return { ...server, password: keyring.open(app.id, app.dataKey, place, secretSealed) }
  } catch {
    return null
  }
}

/**
 * The key that signs the endpoint's mail, in clear. Null without one, and where it cannot be opened:
 * mail is better unsigned than wrongly signed.
 */
export function dkimSigner(
  keyring: Ports['keyring'],
  app: App,
  { settings }: Endpoint,
): DkimSigner | null {
  const key = signingKey(app, settings.from)
  if (key === null) return null
  try {
    const privateKey = keyring.open(app.id, app.dataKey, dkimPlace(key), key.privateSealed)
    return { domain: key.domain, selector: key.selector, privateKey }
  } catch {
    return null
  }
}

/** A second check of the recipient, besides the domain's. */
const oneAddress = /^[^\p{C}\p{Z},;:<>()[\]"\\@]+@[^\p{C}\p{Z},;:<>()[\]"\\@]+$/u
const notAnAddress: DeliveryOutcome = {
  status: 'refused',
  cause: 'recipient',
  code: null,
  detail: 'the recipient is not one address',
}

function refusedForNow(detail: string): DeliveryOutcome {
  return { status: 'refused', cause: 'server', code: null, detail }
}

export function mailOf(handover: Handover): Mail {
  const { deliveryId, code, codeFormat, reference, locale, createdAt, expiresAt } = handover
  const { id, version, name, policy } = handover.app
  return {
    ...{ deliveryId, code, codeFormat, reference, locale, createdAt, expiresAt },
    app: { id, version, name, policy },
    recipient: handover.recipient.address,
  }
}
