import type { Arrivals, LimitName, LimitRow } from './limits.ts'
import { type BudgetWindow, fitsBudget, takeRates } from './limits.ts'

type Limited = { outcome: 'limited'; limit: LimitName; retryAt: number }
/** A row of limits after one take from each of its rates. */
export type Taken = { row: LimitRow; arrivals: number[] }

/** What a start takes from the limits, and what is left of its route. */
export type Admission<Stop> =
  | Limited
  | {
      outcome: 'admitted'
      /** The recipients that remain, in their order, with their rows. */
      recipients: { number: number; taken: Taken[] }[]
      app: Taken[]
      /** The channels that remain. */
      route: Stop[]
    }

type Request<Stop> = {
  recipients: { limits: LimitRow[] }[]
  /** Of the app. */
  limits: LimitRow[]
  route: Stop[]
}

/**
 * Charges every recipient of a start. One that is over a rate loses its channels, and nothing is
 * taken from it; the start goes on with the others. It is refused when no channel is left, until
 * the first recipient may be reached again, or when the app is over a rate.
 */
export function admit<Stop extends { recipient: number }>(
  request: Request<Stop>,
  stored: (row: LimitRow) => Arrivals,
  now: number,
): Admission<Stop> {
  const decided = request.recipients.map(({ limits }) => takeAll(limits, stored, now))
  const recipients = decided.flatMap((taken, number) =>
    'outcome' in taken ? [] : [{ number, taken }],
  )
  const isOpen = ({ recipient }: Stop) => recipients.some(({ number }) => number === recipient)
  const route = request.route.filter(isOpen)
  if (route.length === 0) return earliest(decided.filter((taken) => 'outcome' in taken))
  const app = takeAll(request.limits, stored, now)
  return 'outcome' in app ? app : { outcome: 'admitted', recipients, app, route }
}

/** True when so many attempts fit into the guess budget of every recipient. */
export function fitsEvery(windows: BudgetWindow[], spent: number[][], attempts: number): boolean {
  return spent.every((one) => fitsBudget(windows, one, attempts))
}

function takeAll(
  rows: LimitRow[],
  stored: (row: LimitRow) => Arrivals,
  now: number,
): Taken[] | Limited {
  const taken: Taken[] = []
  for (const row of rows) {
    const decision = takeRates(row.rates, stored(row), now)
    if (!decision.taken) {
      return { outcome: 'limited', limit: decision.name, retryAt: decision.retryAt }
    }
    taken.push({ row, arrivals: decision.arrivals })
  }
  return taken
}

function earliest(refusals: Limited[]): Limited {
  const [first] = refusals.toSorted((a, b) => a.retryAt - b.retryAt)
  if (!first) throw new Error('a start has a recipient')
  return first
}
