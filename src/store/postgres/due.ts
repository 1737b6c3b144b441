import type { Lane } from '../../domain/delivery/handover.ts'
import type { DeliveryStore, Due } from '../../domain/delivery/stores.ts'
import { type DeliveryRow, deliveryColumns, toDelivery } from '../delivery-row.ts'
import type { Parts } from './parts.ts'
import type { Wake } from './wake.ts'

type LaneMethods = Pick<DeliveryStore, 'dueLanes' | 'claim' | 'releaseLeases' | 'release'>

/** Lanes that one statement looks into. */
const lanesAtOnce = 100
/** Leases that one statement gives up. */
const releasedAtOnce = 1000

type DueDeps = Pick<Parts, 'database'> & { wake: Pick<Wake['lanes'], 'announce'> }

/** Finds and leases queued deliveries, by lane. */
export function createDue({ database, wake }: DueDeps): LaneMethods {
  return {
    async dueLanes({ after, limit, ...due }) {
      const found: Lane[] = []
      for (let last = after; ; ) {
        const values = { ...valuesOf(due), ...toKey(last), count: lanesAtOnce }
        const seen = await database.read<LaneRow & { isDue: boolean }>(nextLanes, values)
        for (const row of seen) {
          last = toLane(row)
          if (row.isDue) found.push(last)
          if (found.length >= limit) return found
        }
        if (seen.length < lanesAtOnce) return found
      }
    },
    async claim({ lane, leaseUntil, limit, ...due }) {
      const values = { ...valuesOf(due), ...toKey(lane), leaseUntil, limit }
      const rows = await database.write<DeliveryRow & { tryAt: number }>(claim, values, 'start')
      return rows
        .sort((a, b) => a.tryAt - b.tryAt || (a.id < b.id ? -1 : 1))
        .map(({ tryAt: _, ...row }) => toDelivery(row))
    },
    async releaseLeases(node) {
      const values = { node, limit: releasedAtOnce }
      while ((await database.run(releaseAll, values)) === releasedAtOnce);
    },
    async release({ node, ids }) {
      const lanes = await database.write<LaneRow>(release, { node, ids })
      for (const lane of lanes) wake.announce(toLane(lane))
    },
  }
}

/** The first condition leaves out the partitions of earlier days when the statement is planned. */
const isOpen = 'id >= $from and due_at is not null'

const never = Number.MAX_SAFE_INTEGER

/**
 * Nodes with deliveries in a lane, by steps over the index. Those up to `before` are due, and those
 * after `beyond`, which a wrong clock has written. A node has its leased deliveries in memory until
 * the lease ends, whatever the clock shows; of a node that is gone everything is due.
 */
const holdersOf = (lane: string) => `
  with recursive nodes_with (node) as (
    select min(leased_by) from deliveries where ${isOpen} and ${lane}
    union all
    select (select min(leased_by) from deliveries
      where ${isOpen} and ${lane} and leased_by > node)
    from nodes_with where node is not null)
  select node, case when is_gone then ${never} else $now::bigint end as before,
    case when is_gone or node = $node then ${never}
      else $now::bigint + $dueWithinMs::bigint end as beyond
  from (
    select node, node <> '' and node <> $node and not exists (
      select 1 from nodes where id = node and seen_at >= $silentSince) as is_gone
    from nodes_with where node is not null) as judged`

const dueOf = (lane: string, columns: string, rest: string) => {
  const held = `select ${columns} from deliveries where ${isOpen} and ${lane}
    and leased_by = holders.node and expires_at > $now`
  return `
    select * from (${held} and due_at <= holders.before order by due_at ${rest}) as usual
    union all
    select * from (${held} and due_at > holders.beyond order by due_at ${rest}) as far`
}

const thisLane = 'app_id = $appId and channel = $channel and endpoint_id = $endpointId'

/**
 * A row that another node claims or settles at this moment is skipped, and one that was claimed since
 * this statement began is judged as it is now. When several holders have due deliveries, more than
 * the limit are locked until the end of the statement.
 */
const claim = `
  with holders as (${holdersOf(thisLane)}),
  due as (
    select mine.id from holders cross join lateral (
      ${dueOf(thisLane, 'id, try_at', 'limit $limit for update skip locked')}) as mine
    order by mine.try_at, mine.id limit $limit)
  update deliveries set due_at = $leaseUntil, leased_by = $node
  where id >= $from and id = any(array(select id from due))
  returning ${deliveryColumns}, try_at`

const laneOf = `app_id = lanes.app_id and channel = lanes.channel
  and endpoint_id = lanes.endpoint_id`
const firstLane = `order by app_id, channel, endpoint_id limit 1`

/** The next lanes with queued deliveries, in the order of the index, and whether any is due. */
const nextLanes = `
  with recursive lanes as (
    (select app_id, channel, endpoint_id, 1 as number from deliveries
      where ${isOpen}
        and (app_id, channel, endpoint_id) > ($appId, $channel, $endpointId) ${firstLane})
    union all
    select following.*, lanes.number + 1 from lanes cross join lateral (
      select app_id, channel, endpoint_id from deliveries
      where ${isOpen}
        and (app_id, channel, endpoint_id) > (lanes.app_id, lanes.channel, lanes.endpoint_id)
      ${firstLane}) as following
    where lanes.number < $count)
  select app_id, channel, endpoint_id, exists (
    select 1 from (${holdersOf(laneOf)}) as holders cross join lateral (
      ${dueOf(laneOf, 'id', 'limit 1')}) as one) as is_due
  from lanes order by number`

/** Locks in the order of ids, as every transaction does. */
const releaseAll = `
  with held as (
    select id from deliveries where due_at is not null and leased_by = $node
    order by id limit $limit for update)
  update deliveries set due_at = try_at, leased_by = ''
  where id = any(array(select id from held)) and leased_by = $node`

const release = `
  with held as (
    select id from deliveries
    where id = any($ids::text[]) and leased_by = $node and due_at is not null
    order by id for update)
  update deliveries set due_at = try_at, leased_by = ''
  where id = any(array(select id from held)) and leased_by = $node and due_at is not null
  returning app_id, channel, endpoint_id`

type LaneRow = { appId: string; channel: Lane['channel']; endpointId: string }

function toLane({ appId, channel, endpointId }: LaneRow): Lane {
  return { appId, channel, endpointId: endpointId === '' ? null : endpointId }
}

function valuesOf({ node, now, from, dueWithinMs, silentSince }: Due) {
  return { node, now, from, dueWithinMs, silentSince }
}

/** Before every lane for null. */
function toKey(lane: Lane | null) {
  if (lane === null) return { appId: '', channel: '', endpointId: '' }
  const { appId, channel, endpointId } = lane
  return { appId, channel, endpointId: endpointId ?? '' }
}
