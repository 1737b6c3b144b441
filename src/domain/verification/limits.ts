import type { App } from '../app/app.ts'
import type { EffectivePolicy } from '../app/policy.ts'
import type { Keyring } from '../keyring.ts'
import { lateMs } from '../ports.ts'
import type { DomainSettings } from '../settings.ts'
import type { Mode } from './verification.ts'

export const hourMs = 3_600_000
export const dayMs = 24 * hourMs
const monthMs = 30 * dayMs

/** Public names, as in docs/api.md, in a 429's `limit` and in metrics. */
export const limitNames = [
  'recipient_spacing',
  'recipient_quarter_hour',
  'recipient_day',
  'app_minute',
  'app_day',
  'app_bounces',
  'phone_prefix',
  'phone_country',
  'app_bindings',
  'bot_updates',
  'ip_failures',
  'page_checks',
  'page_sends',
  'server_logins',
  'sign_in',
] as const
export type LimitName = (typeof limitNames)[number]

/** `max` at once, then one each `windowMs / max` (GCRA with burst `max`). */
export type Rate = { name: LimitName; max: number; windowMs: number }

/** Up to three rates over one thing, which a store keeps in one row. */
export type LimitRow = {
  /** Keyed hash of what is counted. */
  key: Uint8Array
  rates: Rate[]
}

/** The theoretical arrival time of the next take from each rate, in their order. */
export type Arrivals = (number | null)[]

export type RowDecision =
  | { taken: true; arrivals: number[] }
  | { taken: false; name: LimitName; retryAt: number }

/**
 * Takes one from every rate of a row, or from none. An arrival later than a full window and `lateMs`
 * from now was written by a wrong clock: one take then succeeds at once, and the next after a step. So
 * no limit refuses for longer than that.
 */
export function takeRates(rates: Rate[], stored: Arrivals, now: number): RowDecision {
  const arrivals: number[] = []
  for (const [index, { name, max, windowMs }] of rates.entries()) {
    const step = Math.ceil(windowMs / max)
    // A whole number of steps, so that the burst is exactly `max` for every window.
    const window = step * max
    const known = stored[index] ?? now
    const isWrong = known > now + window + lateMs
    const arrival = isWrong ? now + window - step : Math.max(known, now)
    if (arrival + step > now + window) {
      return { taken: false, name, retryAt: arrival + step - window }
    }
    arrivals.push(arrival + step)
  }
  return { taken: true, arrivals }
}

/** Failures that a recipient may collect in a sliding window before codes become long. */
export type BudgetWindow = { max: number; windowMs: number }

export function guessBudget(settings: DomainSettings): BudgetWindow[] {
  return [
    { max: settings.guessBudgetPerDay, windowMs: dayMs },
    { max: settings.guessBudgetPerMonth, windowMs: monthMs },
  ]
}

/** True when `attempts` more fit into every window with what is spent or open in it. */
export function fitsBudget(windows: BudgetWindow[], spent: number[], attempts: number): boolean {
  return windows.every(({ max }, index) => (spent[index] ?? max) + attempts <= max)
}

/**
 * How many guesses an app's recipient can get in any year, in the worst case: as many whole windows
 * as begin in it, each used in full.
 */
export function guessesPerYear(windows: BudgetWindow[]): number {
  const yearMs = 365.25 * dayMs
  return Math.min(...windows.map(({ max, windowMs }) => max * Math.ceil(yearMs / windowMs)))
}

/**
 * The chance in a year, for one recipient of one app, that blind guessing hits a code (NIST
 * SP 800-63B-4 section 3.2.2 asks for a bound on failures).
 */
export function guessBoundPerYear(windows: BudgetWindow[], codeLength: number): number {
  return 1 - (1 - 10 ** -codeLength) ** guessesPerYear(windows)
}

type Subject = { app: App; mode: Mode }
type Numbers = { policy: EffectivePolicy; settings: DomainSettings }

/** The limits of a start: the app's, and those of each recipient by their folded form. */
export type StartLimits = {
  ofApp: LimitRow
  /** The first row also has the guess budget. */
  ofRecipient(folded: string): LimitRow[]
}

export function startLimits(
  keyring: Pick<Keyring, 'limitIndex'>,
  { app, mode }: Subject,
  { policy, settings }: Numbers,
): StartLimits {
  const ofApp: LimitRow = {
    key: keyring.limitIndex('app', `${app.id}\0${mode}`),
    rates: [
      { name: 'app_minute', max: policy.startsPerMinute, windowMs: 60_000 },
      { name: 'app_day', max: policy.startsPerDay, windowMs: dayMs },
    ],
  }
  const own: Rate[] = [
    { name: 'recipient_spacing', max: 1, windowMs: settings.recipientStartSpacingSeconds * 1000 },
    {
      name: 'recipient_quarter_hour',
      max: settings.recipientStartsPerQuarterHour,
      windowMs: 900_000,
    },
    { name: 'recipient_day', max: policy.recipientStartsPerDay, windowMs: dayMs },
  ]
  const anywhere: Rate[] = [
    { name: 'recipient_day', max: settings.recipientStartsPerDayAcrossApps, windowMs: dayMs },
  ]
  const pool = app.registeredBy === 'open' ? 'recipient_open_apps' : 'recipient_all_apps'
  const ofRecipient = (folded: string): LimitRow[] => {
    const inApp = { key: recipientKey(keyring, app.id, mode, folded), rates: own }
    // A test key sends nothing, so its starts do not count in limits of live messages.
    if (mode === 'test') return [inApp]
    return [inApp, { key: keyring.limitIndex(pool, folded), rates: anywhere }]
  }
  return { ofApp, ofRecipient }
}

/** Names the row of one recipient of one app and mode: its rates and its guess budget. */
export function recipientKey(
  keyring: Pick<Keyring, 'limitIndex'>,
  appId: string,
  mode: Mode,
  folded: string,
): Uint8Array {
  return keyring.limitIndex('recipient', `${appId}\0${mode}\0${folded}`)
}
