import { lateMs } from '../../domain/ports.ts'
import { Problem, secondsUntil } from '../../domain/problem.ts'
import { hourMs, type LimitRow } from '../../domain/verification/limits.ts'
import type { HttpPorts } from '../ports.ts'
import type { ClientAddress } from './client-ip.ts'

/** Limits calls without a valid credential, by client address. */
export type CredentialLimit = {
  /**
   * Looks up a credential that could be guessed. Refused before the look-up when the address is
   * over the limit, unless it has used this valid credential in the last hour. Null when it is
   * unknown. Throws `rate_limited`.
   */
  judge<Found>(
    client: ClientAddress,
    credential: string,
    lookUp: () => Promise<Found | null>,
  ): Promise<Found | null>
  /** Counts a call without a valid credential. Throws `rate_limited`. */
  chargeFailure(client: ClientAddress): Promise<void>
}

type LimitPorts = Pick<HttpPorts, 'limits' | 'keyring' | 'clock' | 'settings'>

/** An address with a valid credential may try this many times as many others. */
const knownFactor = 10
/** A /48 may try this many times as much, because it can have many customers (RFC 6177). */
const wideFactor = 8

export function createCredentialLimit(
  ports: LimitPorts,
  onFailure: (client: ClientAddress, outcome: 'unknown' | 'refused') => void = () => {},
): CredentialLimit {
  const { limits, keyring, clock } = ports
  const good = createGoodRecords(ports)

  /** Takes one from every limit of the address. */
  async function take(client: ClientAddress, factor: number): Promise<void> {
    const now = clock.now()
    for (const row of rowsOf(ports, client, factor)) {
      const taken = await limits.take(row, now)
      if (taken.taken) continue
      onFailure(client, 'refused')
      const retryAfterSeconds = secondsUntil(taken.retryAt, now)
      throw new Problem('rate_limited', { limit: taken.name, retryAfterSeconds })
    }
  }

  async function chargeFailure(client: ClientAddress): Promise<void> {
    await take(client, 1)
    onFailure(client, 'unknown')
  }

  return {
    chargeFailure,
    async judge(client, credential, lookUp) {
      const address = keyring.limitIndex('good_address', client.name)
      const pair = keyring.limitIndex('good_credential', `${client.name}\0${credential}`)
      const isKnown = await good.remembers(pair)
      if (!isKnown) await take(client, (await good.remembers(address)) ? knownFactor : 1)
      const found = await lookUp()
      if (found !== null) await good.remember([pair, address])
      else if (isKnown) await chargeFailure(client)
      else onFailure(client, 'unknown')
      return found
    },
  }
}

/** The limits of the address and of its /48. */
function rowsOf(
  { keyring, settings }: Pick<LimitPorts, 'keyring' | 'settings'>,
  { name, wide }: ClientAddress,
  factor: number,
): LimitRow[] {
  const scope = factor === 1 ? 'ip_failures' : 'ip_failures_known'
  const row = (bucket: string, times: number): LimitRow => {
    const max = settings.ipFailuresPerMinute * factor * times
    return {
      key: keyring.limitIndex(scope, bucket),
      rates: [{ name: 'ip_failures', max, windowMs: 60_000 }],
    }
  }
  return wide === null ? [row(name, 1)] : [row(name, 1), row(wide, wideFactor)]
}

/** A record is written again after this time, not with every call. */
const refreshMs = 600_000

/** Remembers in the store which addresses used which valid credentials in the last hour. */
export function createGoodRecords(
  { limits, clock }: Pick<LimitPorts, 'limits' | 'clock'>,
  refreshedMax = 10_000,
) {
  // When each was last written; beyond `refreshedMax` the oldest is dropped and written again.
  const refreshed = new Map<string, number>()

  return {
    remembers: (key: Uint8Array) =>
      limits.remembers({ key, now: clock.now(), withinMs: hourMs + lateMs }),
    async remember(keys: Uint8Array[]): Promise<void> {
      const now = clock.now()
      for (const key of keys) {
        const name = Buffer.from(key).toString('base64')
        const before = refreshed.get(name)
        if (before !== undefined && Math.abs(now - before) < refreshMs) continue
        await limits.remember(key, now + hourMs)
        refreshed.delete(name)
        refreshed.set(name, now)
        const [oldest] = refreshed.keys()
        if (refreshed.size > refreshedMax && oldest !== undefined) refreshed.delete(oldest)
      }
    },
  }
}
