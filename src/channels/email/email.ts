import type { App } from '../../domain/app/app.ts'
import { dkimPlace, signingKey } from '../../domain/app/dkim.ts'
import { type EmailEndpoint, isEmail } from '../../domain/app/endpoint.ts'
import { type DeliveryOutcome, deferredBy, type Handover } from '../../domain/delivery/delivery.ts'
import type { Channel, Ports, Queued, Turn } from '../../domain/ports.ts'
import { linksOf } from '../../messages/links.ts'
import { plainWording, type Wording } from '../wording.ts'
import { type Credential, type CredentialPorts, credentialOf } from './credential.ts'
import {
  atOnce,
  type DkimSigner,
  type Mail,
  type Mailer,
  type MailJob,
  mailServer,
} from './mail-job.ts'
import { createTokens, type TokenPorts } from './tokens.ts'

/** Without a wording the message has the built-in words. */
type Message = Handover & { wording?: Wording }

type MailChannel = Pick<Channel, 'close'> & {
  deliver(handover: Message, signal: AbortSignal): Promise<DeliveryOutcome>
  queue(handover: Message, turn: Turn): Promise<Queued | null>
}

/** `linkBase`: what links in mails begin with; null where there is no such address. */
type Given = TokenPorts & { linkBase?: string | null }

/**
 * Sends mail through each app's own servers. The password is opened here, where the keys are, or an
 * access token asked for, and goes to the mailer with the message, in memory only.
 */
export function createEmailChannel(given: Given, mailer: Mailer): MailChannel {
  const tokens = createTokens(given)
  const ports = { ...given, tokens }
  const { timers } = ports
  return {
    async deliver(handover, signal) {
      const refused = refusalOf(handover)
      if (refused) return refused
      for (let login = 1; ; login++) {
        const credential = await orStopped(credentialFor(ports, handover), signal)
        if (credential === null) return notBegun
        if ('outcome' in credential) return credential.outcome
        const outcome = await mailer.send(jobOf(given, handover, credential), signal)
        if (learn(handover, credential, outcome) === 'done' || login === loginsMax) return outcome
      }
    },
    async queue(handover, turn) {
      const refused = refusalOf(handover)
      if (refused) return atOnce(refused)
      const credential = credentialFor(ports, handover)
      if (credential instanceof Promise) return afterToken(handover, credential, turn)
      return send(handover, credential, turn)
    },
    close: mailer.close,
  }

  async function afterToken(
    handover: Message,
    asked: Promise<Credential>,
    turn: Turn,
  ): Promise<Queued | null> {
    const askedAt = timers.monotonic()
    const credential = await orStopped(asked, turn.signal)
    const tookMs = Math.round(timers.monotonic() - askedAt)
    if (credential === null) return null
    if ('outcome' in credential) return { ...atOnce(credential.outcome), tookMs }
    // It goes back to its place, so that its turn is no longer than others; the token is kept.
    return tookMs > tokenWaitMaxMs ? null : send(handover, credential, turn)
  }

  async function send(
    handover: Message,
    credential: Credential,
    turn: Turn,
  ): Promise<Queued | null> {
    if ('outcome' in credential) return atOnce(credential.outcome)
    const queued = await mailer.queue(jobOf(given, handover, credential), turn)
    // Begun again from its place in the lane, with another token.
    return queued && learn(handover, credential, queued.outcome) === 'again' ? null : queued
  }

  /** Notes whether the mail server took the token. `again`: another token may do. */
  function learn(
    handover: Handover,
    { credential }: { credential: string | null },
    outcome: DeliveryOutcome,
  ): 'done' | 'again' {
    const endpoint = serverOf(handover)
    if (!endpoint || endpoint.settings.auth === 'password' || credential === null) return 'done'
    if (outcome.status === 'refused' && outcome.cause === 'login') {
      return tokens.refused(endpoint.id, credential, outcome) === 'again' ? 'again' : 'done'
    }
    if (outcome.status === 'sent') tokens.accepted(endpoint.id, credential)
    return 'done'
  }
}

/** Logins of one message outside of a lane: with a token that was stale, and with others. */
const loginsMax = 3
/** A message that waited longer for a token, in ms, goes back to its lane. */
const tokenWaitMaxMs = 2_000

/** The mail server of a hand-over; null without one. */
function serverOf({ endpoint }: Handover): EmailEndpoint | null {
  return endpoint && isEmail(endpoint) ? endpoint : null
}

function refusalOf(handover: Handover): DeliveryOutcome | null {
  if (!serverOf(handover)) return noServer
  return oneAddress.test(handover.recipient.address) ? null : notAnAddress
}

function credentialFor(ports: CredentialPorts, handover: Handover) {
  const endpoint = serverOf(handover)
  return endpoint ? credentialOf(ports, handover.app, endpoint) : { outcome: noServer }
}

function jobOf(
  { keyring, linkBase }: Given,
  handover: Message,
  { credential }: { credential: string | null },
): MailJob {
  const { app } = handover
  const endpoint = serverOf(handover)
  if (!endpoint) throw new Error('a hand-over without an endpoint')
  const server = mailServer(app, endpoint, credential)
  return { server, mail: mailOf(handover, linkBase), dkim: dkimSigner(keyring, app, endpoint) }
}

/** Null where the signal comes first. */
function orStopped<Value>(value: Value | Promise<Value>, signal: AbortSignal) {
  return new Promise<Value | null>((resolve, reject) => {
    const stop = () => resolve(null)
    signal.addEventListener('abort', stop)
    if (signal.aborted) stop()
    Promise.resolve(value)
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', stop))
  })
}

/**
 * The key that signs the endpoint's mail, in clear. Null without one, and where it cannot be opened:
 * mail is better unsigned than wrongly signed.
 */
export function dkimSigner(
  keyring: Ports['keyring'],
  app: App,
  { settings }: EmailEndpoint,
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
const refused = { status: 'refused', code: null } as const
const notAnAddress: DeliveryOutcome = {
  ...refused,
  cause: 'recipient',
  detail: 'the recipient is not one address',
}
const noServer: Extract<DeliveryOutcome, { status: 'refused' }> = {
  ...refused,
  cause: 'server',
  detail: 'this app has no mail server',
}
const notBegun = deferredBy('network', 'it was stopped before it began')

export function mailOf(handover: Message, linkBase: string | null = null): Mail {
  const { deliveryId, code, codeFormat, reference, locale, variables } = handover
  const { id, version, name, policy } = handover.app
  return {
    ...{ deliveryId, code, codeFormat, reference, locale, variables },
    createdAt: handover.createdAt,
    expiresAt: handover.expiresAt,
    wording: handover.wording ?? plainWording,
    links: linksOf(handover, linkBase),
    app: { id, version, name, policy },
    recipient: handover.recipient.address,
  }
}
