import type { Ports } from '../ports.ts'
import { Problem, secondsUntil } from '../problem.ts'
import { hourMs, type LimitRow } from '../verification/limits.ts'

/** The address of a browser: IPv6 by its /64, with the /48 around it. */
export type Client = { name: string; wide: string | null }

/** A /48 may do so many times as much, because it can have many customers (RFC 6177). */
const wideFactor = 8

/** Takes from the limits of a client address on hosted pages. Throws `rate_limited`. */
export async function takePageLimit(
  ports: Pick<Ports, 'limits' | 'keyring' | 'clock' | 'settings'>,
  kind: 'page_checks' | 'page_sends',
  { name, wide }: Client,
): Promise<void> {
  const { limits, keyring, clock, settings } = ports
  const { pageChecksPerTenMinutes, pageSendsPerHour } = settings
  const rate = {
    page_checks: { max: pageChecksPerTenMinutes, windowMs: 600_000 },
    page_sends: { max: pageSendsPerHour, windowMs: hourMs },
  }[kind]
  const row = (bucket: string, factor: number): LimitRow => ({
    key: keyring.limitIndex(kind, bucket),
    rates: [{ name: kind, max: rate.max * factor, windowMs: rate.windowMs }],
  })
  const now = clock.now()
  for (const each of wide === null ? [row(name, 1)] : [row(name, 1), row(wide, wideFactor)]) {
    const taken = await limits.take(each, now)
    if (taken.taken) continue
    const retryAfterSeconds = secondsUntil(taken.retryAt, now)
    throw new Problem('rate_limited', { limit: taken.name, retryAfterSeconds })
  }
}
