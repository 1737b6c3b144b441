import type { EffectivePolicy } from '../app/policy.ts'
import type { Keyring } from '../keyring.ts'
import { dayMs, hourMs, type LimitName, type LimitRow } from '../verification/limits.ts'
import { type PhoneNumber, prefixOf } from '../verification/phone.ts'
import type { Mode } from '../verification/verification.ts'
import type { DeliveryOutcome, RefusalCause } from './delivery.ts'

/** What one hand-over takes before it begins: from rates of its number, and from the day's cost. */
export type Charge = {
  appId: string
  mode: Mode
  verificationId: string
  /** Of the number's block and country; empty for an address of another kind. */
  limits: LimitRow[]
  /** The country of the number; null for another kind of address. */
  country: string | null
  /** In millionths of the admin's currency; 0 for an endpoint without a cost. */
  cost: number
  /** The most that may be spent on the day. */
  costMax: number
  /** Days since 1970, UTC. */
  day: number
  now: number
}

/** `costly`: the day's cost would be exceeded. */
export type ChargeResult =
  | { outcome: 'charged' }
  | { outcome: 'limited'; limit: LimitName }
  | { outcome: 'costly' }

type Charging = {
  appId: string
  mode: Mode
  verificationId: string
  /** The recipient, where it is a telephone number. */
  number: PhoneNumber | null
  cost: number
  policy: EffectivePolicy
  now: number
}

/** The charge of a hand-over that costs something or goes to a telephone number. */
export function chargeOf(
  keyring: Pick<Keyring, 'limitIndex'>,
  { number, policy, ...charging }: Charging,
): Charge {
  return {
    ...charging,
    limits: number ? phoneLimits(keyring, { appId: charging.appId, number, policy }) : [],
    country: number && (number.country ?? nowhere),
    costMax: policy.costPerDay,
    day: Math.floor(charging.now / dayMs),
  }
}

/** In place of a country, for numbers of none (ISO 3166 leaves ZZ to its users). */
const nowhere = 'ZZ'

/** Every message counts, so that resends and retries are no way around it. */
function phoneLimits(
  keyring: Pick<Keyring, 'limitIndex'>,
  { appId, number, policy }: { appId: string; number: PhoneNumber; policy: EffectivePolicy },
): LimitRow[] {
  const { phonePrefixPerHour, phoneCountryPerHour } = policy
  const prefix = { name: 'phone_prefix', max: phonePrefixPerHour, windowMs: hourMs } as const
  const country = { name: 'phone_country', max: phoneCountryPerHour, windowMs: hourMs } as const
  const key = (kind: string, what: string) => keyring.limitIndex(kind, `${appId}\0${what}`)
  return [
    { key: key('phone_prefix', prefixOf(number.e164)), rates: [prefix] },
    { key: key('phone_country', number.country ?? nowhere), rates: [country] },
  ]
}

/** The outcome of a hand-over that was not begun because of its charge. */
export function outcomeOfCharge(
  result: Exclude<ChargeResult, { outcome: 'charged' }>,
): Extract<DeliveryOutcome, { status: 'refused' }> {
  const because = (cause: RefusalCause, detail: string) => {
    return { status: 'refused', cause, code: null, detail } as const
  }
  if (result.outcome === 'costly') return because('cost', 'cost_per_day of the app is used up')
  return because('capped', `${result.limit}_per_hour of the app is used up`)
}

/**
 * True when the gateway surely has not taken the message, so that its cost is given back. What may
 * have been taken stays charged.
 */
export function isGivenBack(outcome: DeliveryOutcome | null): boolean {
  if (outcome === null || outcome.status === 'refused') return true
  return outcome.status === 'deferred' && !outcome.ambiguous
}

/** The unit in which hand-overs and approvals are counted by country. */
export const countrySlotMs = 600_000

/** Verifications of a country that were handed over in a span, and those of them approved. */
export type Conversion = { country: string; handed: number; approved: number }

/** Fewer say nothing about a country. */
const handedMin = 50
/** The span that is judged ends here: who just got a code may still type it. */
const conversionFromMs = dayMs
const conversionToMs = countrySlotMs

/** The span whose conversions are judged now. */
export function conversionSpan(now: number): { from: number; to: number } {
  return { from: now - conversionFromMs, to: now - conversionToMs }
}

/**
 * The country whose share of approved verifications is the smallest below the threshold, with 50 or
 * more handed over; null when there is none.
 */
export function worstConversion(found: Conversion[], percent: number): Conversion | null {
  const low = found.filter(({ handed, approved }) => {
    return handed >= handedMin && approved * 100 < percent * handed
  })
  const share = ({ handed, approved }: Conversion) => approved / handed
  return low.sort((one, other) => share(one) - share(other))[0] ?? null
}

/** How long costs and conversions are kept, in ms: longer than any span that is judged. */
export const spendingKeptMs = 2 * dayMs
