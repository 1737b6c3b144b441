import type { Chosen } from '../../domain/learning/chosen.ts'
import type { Judged, JudgedTry } from '../../domain/learning/scores.ts'
import type {
  CountCommand,
  JudgedQuery,
  KeptScores,
  LearningStore,
  Total,
} from '../../domain/learning/store.ts'
import type { Database } from './database.ts'
import type { Session } from './lanes.ts'
import type { Parts } from './parts.ts'

/**
 * Ids are followed forwards here, up to a time that is minutes ago: a start that was still being
 * committed then, for example because no standby confirmed it, is not counted, and nothing else is
 * lost with it.
 */
export function createLearningStore({ database }: Pick<Parts, 'database'>): LearningStore {
  return {
    apps: (query) => database.read<{ appId: string; version: number }>(apps, query),
    async scores(appId) {
      const [row] = await database.read<KeptRow>(
        'select version, after_id as after, scores from learned_scores where app_id = $appId',
        { appId },
      )
      return row ? { ...row, scores: JSON.parse(row.scores) } : null
    },
    judged: (query) => judge(database, query),
    count: (command) => database.transaction((session) => count(session, command)),
    totals: ({ appId, from, to, limit }) =>
      database.read<Total>(
        `select app_id, endpoint_id, recipient_group as "group",
          sum(handed_over)::bigint as handed_over, sum(approved)::bigint as approved
        from learned_days
        where ${appId === null ? '' : 'app_id = $appId and'} day >= $from and day < $to
        group by app_id, endpoint_id, recipient_group
        order by sum(handed_over) desc, app_id, endpoint_id, recipient_group limit $limit`,
        { appId, from, to, limit },
      ),
  }
}

type KeptRow = Omit<KeptScores, 'scores'> & { scores: string }

const apps = `
  select id as app_id, coalesce(version, 0) as version
  from (select id from apps
    where policy::jsonb ->> 'learnedRoute' = 'true' and id > $after order by id limit $limit) as found
  left join learned_scores on app_id = id order by id`

async function judge(database: Pick<Database, 'read'>, query: JudgedQuery): Promise<Judged[]> {
  const rows = await database.read<Omit<Judged, 'tries'>>(judged, query)
  if (rows.length === 0) return []
  const tries = await database.read<TryRow>(triesOf, { ids: rows.map(({ id }) => id) })
  const byVerification = Map.groupBy(tries, ({ verificationId }) => verificationId)
  return rows.map((row) => ({ ...row, tries: (byVerification.get(row.id) ?? []).map(toTry) }))
}

const judged = `
  select id, created_at, recipient_key, status = 'approved' as is_approved,
    exists (select from learned_recipients as seen where seen.app_id = $appId
      and seen.day = created_at / $dayMs::bigint
      and seen.recipient_key = verifications.recipient_key) as is_seen
  from verifications
  where app_id = $appId and mode = 'live' and id > $after and id < $before
  order by id limit $limit`

const triesOf = `
  select verification_id, channel, chosen, delivery_tries.endpoint_id, delivery_tries.status, cause,
    ambiguous
  from deliveries join delivery_tries on delivery_id = deliveries.id
  where verification_id = any($ids::text[]) and chosen is not null
    and delivery_tries.endpoint_id is not null
  order by deliveries.id, number`

type TryRow = Pick<JudgedTry, 'endpointId' | 'status' | 'cause' | 'ambiguous'> & {
  verificationId: string
  channel: keyof Chosen['groups']
  chosen: string
}

function toTry({ verificationId: _, chosen, channel, ...row }: TryRow): JudgedTry {
  const { groups, options }: Chosen = JSON.parse(chosen)
  return {
    ...row,
    group: groups[channel] ?? '',
    candidates: options.map((option) => {
      return { endpointId: option.endpointId, group: groups[option.channel] ?? '' }
    }),
  }
}

/** The row of the scores is written first: of two that count at once, the other finds it changed. */
async function count(session: Session, command: CountCommand): Promise<boolean> {
  const { appId, expectedVersion, after, seen, counts, folded } = command
  const row = { appId, after, scores: JSON.stringify(command.scores) }
  const changed =
    expectedVersion === 0
      ? await session.run(first, row)
      : await session.run(next, { ...row, version: expectedVersion })
  if (changed === 0) return false
  if (seen.length > 0) {
    const recipients = seen.map(({ day, recipientKey }) => ({ day, key: recipientKey.toHex() }))
    await session.run(see, { appId, recipients: JSON.stringify(recipients) })
  }
  if (counts.length > 0) await session.run(add, { appId, counts: JSON.stringify(counts) })
  if (folded.groups.length > 0) {
    const { from, before, groups, to } = folded
    await session.run(fold, { appId, from, before, groups, to })
    await session.run(removeFolded, { appId, from, before, groups })
  }
  return true
}

const first = `
  insert into learned_scores (app_id, version, after_id, scores)
  select id, 1, $after, $scores from apps where id = $appId
  on conflict (app_id) do nothing`

const next = `
  update learned_scores set version = version + 1, after_id = $after, scores = $scores
  where app_id = $appId and version = $version`

const see = `
  insert into learned_recipients (app_id, day, recipient_key)
  select $appId, day, decode(key, 'hex')
  from jsonb_to_recordset($recipients::jsonb) as seen (day bigint, key text)
  on conflict do nothing`

const adds = `
  on conflict (app_id, day, recipient_group, endpoint_id) do update set
    handed_over = learned_days.handed_over + excluded.handed_over,
    approved = learned_days.approved + excluded.approved`

const add = `
  insert into learned_days (app_id, day, recipient_group, endpoint_id, handed_over, approved)
  select $appId, day, "group", "endpointId", sum("handedOver"), sum(approved)
  from jsonb_to_recordset($counts::jsonb) as counted
    (day bigint, "group" text, "endpointId" text, "handedOver" bigint, approved bigint)
  group by day, "group", "endpointId" ${adds}`

const isFolded = `app_id = $appId and day >= $from and day < $before
  and recipient_group = any($groups::text[])`

const fold = `
  insert into learned_days (app_id, day, recipient_group, endpoint_id, handed_over, approved)
  select app_id, day, $to, endpoint_id, sum(handed_over), sum(approved) from learned_days
  where ${isFolded} group by app_id, day, endpoint_id ${adds}`

const removeFolded = `delete from learned_days where ${isFolded}`
