import type { LimitStore } from '../../domain/stores.ts'
import type { LimitName } from '../../domain/verification/limits.ts'
import { only } from './database.ts'
import type { Parts } from './parts.ts'

export function createLimitStore({ database }: Pick<Parts, 'database'>): LimitStore {
  return {
    async take({ key, rates }, now) {
      const { refusedBy, retryAt } = only(
        await database.write<Taken>(
          'select refused_by, retry_at from take_limit__v($key, $rates::jsonb, $now)',
          { key, rates: JSON.stringify(rates), now },
          'start',
        ),
      )
      return refusedBy === null ? { taken: true } : { taken: false, name: refusedBy, retryAt }
    },
    async remember(key, until) {
      await database.run(
        `insert into limits (key, kept_until) values ($key, $until)
        on conflict (key) do update set kept_until = excluded.kept_until`,
        { key, until },
      )
    },
    async remembers({ key, now, withinMs }) {
      const found = await database.read(
        `select 1 as found from limits
        where key = $key and kept_until > $now and kept_until <= $latest`,
        { key, now, latest: now + withinMs },
      )
      return found.length > 0
    },
  }
}

type Taken = { refusedBy: LimitName | null; retryAt: number }
