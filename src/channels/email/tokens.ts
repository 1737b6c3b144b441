import type { App } from '../../domain/app/app.ts'
import { type EmailEndpoint, secretPlace } from '../../domain/app/endpoint.ts'
import type { OAuthSecret } from '../../domain/app/smtp-login.ts'
import type { DeliveryOutcome } from '../../domain/delivery/delivery.ts'
import type { Ports } from '../../domain/ports.ts'
import { type Granted, requestToken } from './token-request.ts'

export type Refused = Exclude<DeliveryOutcome, { status: 'sent' }>

/** The access tokens of every endpoint that logs in with OAuth; in memory only. */
export type Tokens = {
  /** A token, at once where one is known; or why there is none. */
  get(app: App, endpoint: EmailEndpoint): Token | Promise<Token>
  /** The mail server accepted a login with this token. */
  accepted(endpointId: string, token: string): void
  /**
   * The mail server refused a login with this token. `again`: another token may do. `final`: a
   * fresh one was refused too, and none is asked for in the next minute.
   */
  refused(endpointId: string, token: string, outcome: Refused): 'again' | 'final'
}

export type Token = { credential: string } | { outcome: Refused }

export type TokenPorts = Pick<Ports, 'keyring' | 'clock' | 'timers' | 'httpOut'> & {
  apps: Pick<Ports['apps'], 'renewSecret'>
}

type Entry = {
  /** The secret that is stored by now, and the version of the app that has it. */
  sealed: Uint8Array
  version: number
  /** When the admin last changed the endpoint. */
  updatedAt: number
  token: string | null
  renewAt: number
  endsAt: number
  /** One request at a time, which all messages wait for. */
  running: Promise<Token> | null
  /** The mail server has refused a token, and none since was accepted. */
  isDoubted: boolean
  /** No request before this time, in monotonic ms. */
  pause: { until: number; outcome: Refused } | null
}

/** A token is renewed so long before its end, in ms, or at half its life. */
const renewBeforeMs = 60_000
/** After a login was refused, nothing is asked for so long. */
const refusedPauseMs = 60_000
/** After a failed request, the next comes after so long, or as the server asks. */
const failedPauseMs = 1_000
const pauseMaxMs = 900_000
export const entriesMax = 1_000

export function createTokens(ports: TokenPorts): Tokens {
  const { timers } = ports
  const entries = new Map<string, Entry>()

  const entryOf = (app: App, endpoint: EmailEndpoint, sealed: Uint8Array): Entry => {
    const [{ version }, { id, updatedAt }] = [app, endpoint]
    const known = entries.get(id)
    // Messages of an older version still come for a while after a change.
    if (known && (version < known.version || isSame(known.sealed, sealed))) return known
    // Another node has stored a new refresh token, or a key rotation the same secret: the token stays.
    if (known?.updatedAt === updatedAt && openSecret(ports, app, endpoint)) {
      return Object.assign(known, { sealed, version })
    }
    const state = { token: null, renewAt: 0, endsAt: 0, running: null }
    const entry: Entry = { sealed, version, updatedAt, ...state, isDoubted: false, pause: null }
    entries.delete(id)
    entries.set(id, entry)
    const [oldest] = entries.keys()
    if (entries.size > entriesMax && oldest !== undefined) entries.delete(oldest)
    return entry
  }
  const request = (app: App, endpoint: EmailEndpoint, entry: Entry): Promise<Token> => {
    entry.running ??= ask(ports, app, endpoint, entry).finally(() => {
      entry.running = null
    })
    return entry.running
  }
  return {
    get(app, endpoint) {
      const { secretSealed } = endpoint
      if (!secretSealed) return { outcome: notOpened }
      const entry = entryOf(app, endpoint, secretSealed)
      const now = timers.monotonic()
      const mayAsk = !entry.pause || now >= entry.pause.until
      if (entry.token !== null && now < entry.endsAt) {
        // Renewed while messages still use the old one.
        if (now >= entry.renewAt && mayAsk) void request(app, endpoint, entry)
        return { credential: entry.token }
      }
      if (entry.pause && !mayAsk) return { outcome: entry.pause.outcome }
      return request(app, endpoint, entry)
    },
    accepted(endpointId, token) {
      const entry = entries.get(endpointId)
      if (entry?.token === token) entry.isDoubted = false
    },
    refused(endpointId, token, outcome) {
      const entry = entries.get(endpointId)
      if (entry?.token !== token) return 'again'
      entry.token = null
      if (entry.isDoubted) {
        entry.pause = { until: timers.monotonic() + refusedPauseMs, outcome }
        return 'final'
      }
      entry.isDoubted = true
      return 'again'
    },
  }
}

/** Asks for a token and notes it, or until when none is asked for. */
async function ask(
  ports: TokenPorts,
  app: App,
  endpoint: EmailEndpoint,
  entry: Entry,
): Promise<Token> {
  const { timers } = ports
  const secret = openSecret(ports, app, endpoint)
  if (!secret) return { outcome: notOpened }
  const granted = await requestToken(ports, endpoint.settings, secret)
  const now = timers.monotonic()
  if ('outcome' in granted) {
    entry.pause = { until: now + pauseOf(granted.outcome), outcome: granted.outcome }
    return granted
  }
  const { token, lifeMs } = granted
  const renewAt = now + lifeMs - Math.min(renewBeforeMs, lifeMs / 2)
  Object.assign(entry, { token, renewAt, endsAt: now + lifeMs, pause: null })
  await keepRefreshToken(ports, { app, endpoint, entry, secret }, granted)
  return { credential: token }
}

function pauseOf(outcome: Refused): number {
  if (outcome.status === 'refused') return refusedPauseMs
  return Math.min(outcome.retryAfterMs ?? failedPauseMs, pauseMaxMs)
}

type Renewal = { app: App; endpoint: EmailEndpoint; entry: Entry; secret: OAuthSecret }

/**
 * Stores the refresh token that Microsoft gives in place of the one used: each ends 90 days after it
 * was given. Where it cannot be stored the one before is used again, which stays valid as long.
 */
async function keepRefreshToken(
  { keyring, apps }: TokenPorts,
  { app, endpoint, entry, secret }: Renewal,
  { refreshToken }: Extract<Granted, { token: string }>,
): Promise<void> {
  if (refreshToken === null || refreshToken === secret.refreshToken) return
  const text = JSON.stringify({ ...secret, refreshToken })
  const sealed = keyring.seal(app.id, app.dataKey, secretPlace(endpoint), text)
  const from = entry.sealed
  const renewal = { appId: app.id, endpointId: endpoint.id, from, to: sealed }
  const isStored = await apps.renewSecret(renewal).catch(() => false)
  // Storing it made the next version.
  if (isStored) Object.assign(entry, { sealed, version: app.version + 1 })
}

function openSecret(
  { keyring }: Pick<Ports, 'keyring'>,
  app: App,
  { id, settings, secretSealed }: EmailEndpoint,
): OAuthSecret | null {
  if (!secretSealed) return null
  try {
    const place = secretPlace({ id, settings })
    return JSON.parse(keyring.open(app.id, app.dataKey, place, secretSealed))
  } catch {
    return null
  }
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one === other || Buffer.compare(one, other) === 0
}

export const notOpened: Refused = {
  status: 'refused',
  cause: 'server',
  code: null,
  detail: 'the stored secret does not open with this master key; set it again',
}
