import type { Database } from 'bun:sqlite'
import type { Charge } from '../../domain/delivery/spending.ts'
import {
  type ChargeResult,
  type Conversion,
  countrySlotMs,
} from '../../domain/delivery/spending.ts'
import type { SpendingStore } from '../../domain/delivery/stores.ts'
import { takeRates } from '../../domain/verification/limits.ts'
import type { VerificationKey } from '../../domain/verification/verification.ts'
import type { LimitRows } from './limits.ts'
import type { Parts } from './parts.ts'

type Deps = Parts & { limits: LimitRows }

export function createSpendingStore({ database, read, write, limits }: Deps): SpendingStore {
  const statements = prepareSpending(database)

  /** Takes from every limit and from the day's cost, or from none. */
  function charge(command: Charge): ChargeResult {
    const { appId, day, cost, costMax, now } = command
    const taken = []
    for (const row of command.limits) {
      const found = limits.find(row.key)
      const decision = takeRates(row.rates, found.arrivals, now)
      if (!decision.taken) return { outcome: 'limited', limit: decision.name }
      taken.push({ key: row.key, arrivals: decision.arrivals, latestId: found.latestId })
    }
    const spent = statements.spent.get({ appId, day })?.spent ?? 0
    if (cost > 0 && spent + cost > costMax) return { outcome: 'costly' }
    for (const { key, ...row } of taken) limits.set(key, row, Math.max(...row.arrivals))
    if (cost > 0) statements.spend.run({ appId, day, cost })
    countHandOver(command)
    return { outcome: 'charged' }
  }

  /** Counts the first hand-over of a verification to a telephone number. */
  function countHandOver({ appId, mode, verificationId: id, country, now }: Charge): void {
    if (country === null) return
    if (statements.mark.run({ appId, mode, id, country, now }).changes === 0) return
    statements.handed.run({ appId, country, slot: Math.floor(now / countrySlotMs) })
  }

  return {
    charge: (command) => write(() => charge(command), 'start'),
    giveBack: (command) => write(() => void statements.giveBack.run(command)),
    conversions: ({ from, to }) =>
      read(() =>
        statements.conversions.all({
          from: Math.floor(from / countrySlotMs),
          to: Math.floor(to / countrySlotMs),
        }),
      ),
  }
}

function prepareSpending(database: Database) {
  return {
    spent: database.prepare<{ spent: number }, { appId: string; day: number }>(
      'select spent from app_costs where app_id = $appId and day = $day',
    ),
    spend: database.prepare<null, { appId: string; day: number; cost: number }>(`
      insert into app_costs (app_id, day, spent) values ($appId, $day, $cost)
      on conflict (app_id, day) do update set spent = spent + excluded.spent`),
    giveBack: database.prepare<null, { appId: string; day: number; cost: number }>(`
      update app_costs set spent = max(0, spent - $cost) where app_id = $appId and day = $day`),
    mark: database.prepare<null, VerificationKey & { country: string; now: number }>(`
      update verifications set phone_country = $country, phone_at = $now
      where id = $id and app_id = $appId and mode = $mode and phone_country is null`),
    handed: database.prepare<null, { appId: string; country: string; slot: number }>(`
      insert into app_countries (app_id, country, slot, handed, approved)
      values ($appId, $country, $slot, 1, 0)
      on conflict (app_id, country, slot) do update set handed = handed + 1`),
    conversions: database.prepare<Conversion & { appId: string }, { from: number; to: number }>(`
      select app_id as appId, country, sum(handed) as handed, sum(approved) as approved
      from app_countries where slot >= $from and slot < $to group by app_id, country`),
  }
}

/** Counts the approval of a verification for the country and time of its first hand-over. */
export function createApprovals(database: Database) {
  const approved = database.prepare<null, { appId: string; country: string; slot: number }>(`
    update app_countries set approved = approved + 1
    where app_id = $appId and country = $country and slot = $slot`)
  return ({ appId, phoneCountry: country, phoneAt: at }: HandedOver): void => {
    if (country === null || at === null) return
    approved.run({ appId, country, slot: Math.floor(at / countrySlotMs) })
  }
}

/** The columns that name the first hand-over to a telephone number. */
export type HandedOver = { appId: string; phoneCountry: string | null; phoneAt: number | null }
