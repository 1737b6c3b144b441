import type { Database } from 'bun:sqlite'
import type { Chosen } from '../../domain/learning/chosen.ts'
import type { DayCount, Judged, JudgedTry } from '../../domain/learning/scores.ts'
import type {
  CountCommand,
  JudgedQuery,
  KeptScores,
  LearningStore,
  Total,
  TotalsQuery,
} from '../../domain/learning/store.ts'
import type { Parts } from './parts.ts'

export function createLearningStore({ database, read, write }: Parts): LearningStore {
  const reads = prepareReads(database)
  const writes = prepareWrites(database)

  function judge({ isApproved, isSeen, ...row }: JudgedRow): Judged {
    const tries = reads.tries.all({ id: row.id }).map(toTry)
    return { ...row, isApproved: isApproved === 1, isSeen: isSeen === 1, tries }
  }

  function count({ appId, expectedVersion, ...command }: CountCommand): boolean {
    const { after, scores, seen, counts, folded } = command
    const row = { appId, after, scores: JSON.stringify(scores) }
    const { changes } =
      expectedVersion === 0
        ? writes.first.run(row)
        : writes.next.run({ ...row, version: expectedVersion })
    if (changes === 0) return false
    for (const each of seen) writes.see.run({ ...each, appId })
    for (const each of counts) writes.add.run({ ...each, appId })
    if (folded.groups.length > 0) {
      const { from, before, to } = folded
      const place = { appId, from, before, groups: JSON.stringify(folded.groups) }
      writes.fold.run({ ...place, to })
      writes.removeFolded.run(place)
    }
    return true
  }

  return {
    apps: (query) => read(() => reads.apps.all(query)),
    scores: (appId) =>
      read(() => {
        const row = reads.scores.get({ appId })
        return row && { ...row, scores: JSON.parse(row.scores) }
      }),
    judged: (query) => read(() => reads.judged.all(query).map(judge)),
    count: (command) => write(() => count(command)),
    totals: ({ appId, ...range }) =>
      read(() => {
        return appId === null ? reads.totals.all(range) : reads.totalsOf.all({ appId, ...range })
      }),
  }
}

function toTry({ chosen, channel, ambiguous, ...row }: TryRow): JudgedTry {
  const { groups, options }: Chosen = JSON.parse(chosen)
  return {
    ...row,
    ambiguous: ambiguous === 1,
    group: groups[channel] ?? '',
    candidates: options.map((option) => {
      return { endpointId: option.endpointId, group: groups[option.channel] ?? '' }
    }),
  }
}

function prepareReads(database: Database) {
  const totals = (isOfApp: string) => `
    select app_id as appId, endpoint_id as endpointId, recipient_group as "group",
      sum(handed_over) as handedOver, sum(approved) as approved
    from learned_days where ${isOfApp} day >= $from and day < $to
    group by app_id, endpoint_id, recipient_group
    order by handedOver desc, app_id, endpoint_id, recipient_group limit $limit`
  return {
    apps: database.prepare<{ appId: string; version: number }, { after: string; limit: number }>(`
      select id as appId, ifnull(version, 0) as version
      from (select id from apps indexed by apps_that_learn
        where policy ->> 'learnedRoute' = 1 and id > $after order by id limit $limit)
      left join learned_scores on app_id = id order by id`),
    scores: database.prepare<KeptRow, { appId: string }>(`
      select version, after_id as after, scores from learned_scores where app_id = $appId`),
    judged: database.prepare<JudgedRow, JudgedQuery>(`
      select id, created_at as createdAt, recipient_key as recipientKey,
        status = 'approved' as isApproved,
        exists (select 1 from learned_recipients as seen where seen.app_id = $appId
          and seen.day = created_at / $dayMs
          and seen.recipient_key = verifications.recipient_key) as isSeen
      from verifications
      where app_id = $appId and mode = 'live' and id > $after and id < $before
      order by id limit $limit`),
    tries: database.prepare<TryRow, { id: string }>(`
      select channel, chosen, delivery_tries.endpoint_id as endpointId, delivery_tries.status, cause,
        ambiguous
      from deliveries join delivery_tries on delivery_id = deliveries.id
      where verification_id = $id and chosen is not null
        and delivery_tries.endpoint_id is not null
      order by deliveries.id, number`),
    totals: database.prepare<Total, Omit<TotalsQuery, 'appId'>>(totals('')),
    totalsOf: database.prepare<Total, TotalsQuery>(totals('app_id = $appId and')),
  }
}

function prepareWrites(database: Database) {
  type Row = { appId: string; after: string; scores: string }
  type Fold = { appId: string; from: number; before: number; groups: string }
  const isFolded = `app_id = $appId and day >= $from and day < $before
    and recipient_group in (select value from json_each($groups))`
  const adds = `on conflict (app_id, day, recipient_group, endpoint_id) do update set
    handed_over = handed_over + excluded.handed_over, approved = approved + excluded.approved`

  return {
    first: database.prepare<null, Row>(`
      insert into learned_scores (app_id, version, after_id, scores)
      select id, 1, $after, $scores from apps where id = $appId
      on conflict (app_id) do nothing`),
    next: database.prepare<null, Row & { version: number }>(`
      update learned_scores set version = version + 1, after_id = $after, scores = $scores
      where app_id = $appId and version = $version`),
    see: database.prepare<null, { appId: string; day: number; recipientKey: Uint8Array }>(`
      insert into learned_recipients (app_id, day, recipient_key)
      values ($appId, $day, $recipientKey) on conflict do nothing`),
    add: database.prepare<null, DayCount & { appId: string }>(`
      insert into learned_days
        (app_id, day, recipient_group, endpoint_id, handed_over, approved)
      values ($appId, $day, $group, $endpointId, $handedOver, $approved) ${adds}`),
    fold: database.prepare<null, Fold & { to: string }>(`
      insert into learned_days
        (app_id, day, recipient_group, endpoint_id, handed_over, approved)
      select app_id, day, $to, endpoint_id, sum(handed_over), sum(approved) from learned_days
      where ${isFolded} group by app_id, day, endpoint_id ${adds}`),
    removeFolded: database.prepare<null, Fold>(`delete from learned_days where ${isFolded}`),
  }
}

type KeptRow = Omit<KeptScores, 'scores'> & { scores: string }
type JudgedRow = Omit<Judged, 'isApproved' | 'isSeen' | 'tries'> & {
  isApproved: 0 | 1
  isSeen: 0 | 1
}
type TryRow = Pick<JudgedTry, 'endpointId' | 'status' | 'cause'> & {
  channel: keyof Chosen['groups']
  chosen: string
  ambiguous: 0 | 1
}
