import type { Database } from 'bun:sqlite'
import type { Lane } from '../../domain/delivery/handover.ts'
import type { DeliveryStore, Due } from '../../domain/delivery/stores.ts'
import type { Timers } from '../../domain/ports.ts'
import { type DeliveryRow, deliveryColumns, toDelivery } from '../delivery-row.ts'
import type { Parts } from './parts.ts'

type LaneMethods = Pick<DeliveryStore, 'dueLanes' | 'claim' | 'releaseLeases' | 'release'>

/** Lanes that are read before other work gets a turn of the event loop. */
const lanesAtOnce = 100

export type LaneDeps = Parts & { timers: Pick<Timers, 'soon'> }

/** Finds and leases queued deliveries, by lane. */
export function createLanes({ database, read, write, timers }: LaneDeps): LaneMethods {
  const dueIn = createDueIn(database)
  const next = prepareNextLane(database)
  const leases = prepareLeases(database)
  const otherWork = () => new Promise<void>((resolve) => timers.soon(resolve))

  function look(due: Due, after: Lane | null, limit: number): { lanes: Lane[]; last: Lane | null } {
    const lanes: Lane[] = []
    let last = after
    for (let count = 0; count < lanesAtOnce && lanes.length < limit; count++) {
      last = next(last)
      if (!last) break
      if (dueIn(due, last, 1).length > 0) lanes.push(last)
    }
    return { lanes, last }
  }

  return {
    async dueLanes({ after, limit, ...due }) {
      const lanes: Lane[] = []
      for (;;) {
        const found = await read(() => look(due, after, limit - lanes.length))
        lanes.push(...found.lanes)
        if (found.last === null || lanes.length >= limit) return lanes
        after = found.last
        await otherWork()
      }
    },
    claim: ({ lane, leaseUntil, limit, ...due }) =>
      write(() => {
        const { node } = due
        return dueIn(due, lane, limit).flatMap((id) => {
          const row = leases.take.get({ id, node, leaseUntil })
          return row ? toDelivery(row) : []
        })
      }),
    releaseLeases: (node) => write(() => void leases.releaseAll.run({ node })),
    release: ({ node, ids }) =>
      write(() => {
        for (const id of ids) leases.release.run({ node, id })
      }),
  }
}

/** The next lane with queued deliveries, in the order of the index. */
function prepareNextLane(database: Database): (after: Lane | null) => Lane | null {
  const lanes = 'deliveries indexed by deliveries_by_lane where due_at is not null'
  const next = database.prepare<LaneRow, LaneKey>(`
    select app_id, channel, endpoint_id from ${lanes}
      and (app_id, channel, endpoint_id) > ($appId, $channel, $endpointId)
    order by app_id, channel, endpoint_id limit 1`)

  return (after) => {
    const row = next.get(after ? toKey(after) : { appId: '', channel: '', endpointId: '' })
    if (!row) return null
    return { appId: row.app_id, channel: row.channel, endpointId: row.endpoint_id || null }
  }
}

/** The ids of the due deliveries of a lane, oldest first. */
function createDueIn(database: Database): (due: Due, lane: Lane, limit: number) => string[] {
  const alive = database.prepare<{ id: string }, { silentSince: number }>(
    'select id from nodes where seen_at >= $silentSince',
  )
  const inLane = `deliveries indexed by deliveries_by_lane
    where due_at is not null and app_id = $appId and channel = $channel
      and endpoint_id = $endpointId`
  const holders = database.prepare<{ node: string }, LaneKey>(`
    with recursive holders (node) as (
      select min(leased_by) from ${inLane}
      union all
      select (select min(leased_by) from ${inLane} and leased_by > node) from holders
      where node is not null)
    select node from holders where node is not null`)
  const held = `${inLane} and leased_by = $holder and expires_at > $now`
  const due = database.prepare<{ id: string; try_at: number }, Held>(`
    select * from
      (select id, try_at from ${held} and due_at <= $before order by due_at limit $limit)
    union all select * from
      (select id, try_at from ${held} and due_at > $beyond order by due_at limit $limit)`)

  return ({ node, now, dueWithinMs, silentSince }, lane, limit) => {
    const living = new Set(alive.all({ silentSince }).map(({ id }) => id))
    const key = toKey(lane)
    return holders
      .all(key)
      .flatMap(({ node: holder }) => {
        const isGone = holder !== '' && holder !== node && !living.has(holder)
        // This node has its leased deliveries in memory until the lease ends, whatever the clock
        // shows.
        const beyond = holder === node || isGone ? never : now + dueWithinMs
        return due.all({ ...key, holder, now, limit, beyond, before: isGone ? never : now })
      })
      .sort((a, b) => a.try_at - b.try_at || (a.id < b.id ? -1 : 1))
      .slice(0, limit)
      .map(({ id }) => id)
  }
}

const never = Number.MAX_SAFE_INTEGER

function prepareLeases(database: Database) {
  return {
    take: database.prepare<DeliveryRow, { id: string; node: string; leaseUntil: number }>(`
      update deliveries set due_at = $leaseUntil, leased_by = $node where id = $id
      returning ${deliveryColumns}`),
    release: database.prepare<null, { node: string; id: string }>(`
      update deliveries set due_at = try_at, leased_by = ''
      where id = $id and leased_by = $node and due_at is not null`),
    releaseAll: database.prepare<null, { node: string }>(`
      update deliveries set due_at = try_at, leased_by = ''
      where id in (select id from deliveries indexed by deliveries_by_lane
        where due_at is not null and leased_by = $node)`),
  }
}

type LaneKey = { appId: string; channel: string; endpointId: string }
type LaneRow = { app_id: string; channel: Lane['channel']; endpoint_id: string }
type Held = LaneKey & {
  holder: string
  now: number
  before: number
  beyond: number
  limit: number
}

function toKey({ appId, channel, endpointId }: Lane): LaneKey {
  return { appId, channel, endpointId: endpointId ?? '' }
}
