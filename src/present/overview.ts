import type { Alarm } from '../domain/alarm.ts'
import type { Flow } from '../domain/delivery/flow.ts'
import { groupedBy, type Overview, type Shown } from '../domain/figures/overview.ts'
import type { StatsRow } from '../domain/stores.ts'
import { presentAlarm, timestamp } from '../present.ts'

/** `names`: those of the apps that are there. */
export function presentOverview(
  { range, from, to, bucketMs, total, series, by }: Overview,
  { appId, names }: { appId: string | null; names: ReadonlyMap<string, string | null> },
) {
  const groups = groupedBy.filter((part) => part !== 'app' || appId === null)
  return {
    range,
    app: appId,
    from: timestamp(from),
    to: timestamp(to),
    bucket_seconds: bucketMs / 1000,
    total: presentShown(total),
    series: series.map(({ at, ...shown }) => ({ at: timestamp(at), ...presentShown(shown) })),
    by: Object.fromEntries(
      groups.map((part) => [
        part,
        by[part].map(({ value, ...shown }) => ({
          value,
          ...(part === 'app' && { name: names.get(value) ?? null }),
          ...presentShown(shown),
        })),
      ]),
    ),
  }
}

function presentShown({ started, handedOver, approved, failed, ...shown }: Shown) {
  return {
    started,
    handed_over: handedOver,
    approved,
    failed,
    conversion_percent: shown.conversionPercent,
    hand_over_ms: shown.handOver,
    approval_ms: shown.approval,
  }
}

/** How an app or one of its endpoints is called. */
export type Names = { appName: string | null; endpointName: string | null }

/** What happens now, in parts that are told again when they change. */
export function presentLive({ minutes, flow, lanes, alarms }: LiveState) {
  return {
    minutes: minutes.map(presentMinute),
    queue: {
      waiting: flow.waiting,
      oldest_at: flow.oldestAt === null ? null : timestamp(flow.oldestAt),
      sent_per_second: Math.round(flow.sentPerSecond * 10) / 10,
    },
    endpoints: lanes.map(presentLane),
    alarms: alarms.map(({ appName, ...alarm }) => ({ ...presentAlarm(alarm), app_name: appName })),
  }
}

export type LiveState = {
  minutes: StatsRow[]
  flow: Pick<Flow, 'waiting' | 'oldestAt' | 'sentPerSecond'>
  lanes: (Flow['lanes'][number] & Names)[]
  alarms: (Alarm & { appName: string | null })[]
}

function presentMinute({ at, starts, sent, approvals, ...row }: StatsRow) {
  const { refused, undeliverable, bounced, failed } = row
  const lost = refused + undeliverable + bounced + failed
  return { at: timestamp(at), started: starts, sent, approved: approvals, failed: lost }
}

function presentLane({ appName, endpointName, ...lane }: LiveState['lanes'][number]) {
  return {
    app: lane.appId,
    app_name: appName,
    channel: lane.channel,
    endpoint: lane.endpointId,
    endpoint_name: endpointName,
    waiting: lane.waiting,
    connections: lane.connections,
    connections_max: lane.connectionsMax,
    paused: lane.isPaused,
    mean_ms: lane.meanMs,
  }
}
