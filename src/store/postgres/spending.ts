import { type Charge, type Conversion, countrySlotMs } from '../../domain/delivery/spending.ts'
import type { SpendingStore } from '../../domain/delivery/stores.ts'
import type { LimitName } from '../../domain/verification/limits.ts'
import { only } from './database.ts'
import type { Parts } from './parts.ts'

const slotOf = (at: number) => Math.floor(at / countrySlotMs)

export function createSpendingStore({ database }: Pick<Parts, 'database'>): SpendingStore {
  return {
    async charge({ limits, ...charge }: Charge) {
      const { outcome, refusedBy } = only(
        await database.write<Charged>(
          'select outcome, refused_by from charge__v($charge::jsonb, $keys::bytea[])',
          {
            charge: JSON.stringify({
              ...charge,
              rates: limits.map(({ rates }) => rates),
              slot: slotOf(charge.now),
            }),
            keys: limits.map(({ key }) => key),
          },
          'start',
        ),
      )
      return outcome === 'limited' ? { outcome, limit: refusedBy } : { outcome }
    },
    async giveBack({ appId, day, cost }) {
      await database.run(
        `update app_costs set spent = greatest(0, spent - $cost::bigint)
        where app_id = $appId and day = $day`,
        { appId, day, cost },
      )
    },
    conversions: ({ from, to }) =>
      database.read<Conversion & { appId: string }>(
        `select app_id, country, sum(handed)::bigint as handed, sum(approved)::bigint as approved
        from app_countries where slot >= $from and slot < $to
        group by app_id, country order by app_id, country`,
        { from: slotOf(from), to: slotOf(to) },
      ),
  }
}

type Charged =
  | { outcome: 'charged' | 'costly'; refusedBy: null }
  | { outcome: 'limited'; refusedBy: LimitName }
