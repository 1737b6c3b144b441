import type { Log, Metrics, Ports } from '../../domain/ports.ts'
import type { PostMessage } from '../../domain/webhook/schedule.ts'
import type { WebhookPlace } from '../../domain/webhook/stores.ts'
import type { Gate } from '../periodic.ts'
import { type Lane, newLane } from './lane.ts'

export type WebhookPorts = Pick<
  Ports,
  'webhooks' | 'apps' | 'clock' | 'timers' | 'random' | 'node'
> & { post: PostMessage; log: Log; metrics: Metrics } & Gate

/** What the parts of the job share. */
export type State = {
  /** By the id of the webhook. */
  lanes: Map<string, Lane>
  /** Until when this node works on a webhook, by its id: also on one whose lane is forgotten. */
  leasedUntil: Map<string, number>
  /** Work that has not ended. */
  open: Set<Promise<void>>
  signal: AbortSignal
  isStopping: boolean
}

export function laneOf({ lanes }: State, place: WebhookPlace): Lane {
  const lane = lanes.get(place.webhookId) ?? newLane(place)
  lanes.set(place.webhookId, lane)
  return lane
}

/** Remembers work, which never rejects, until it has ended. */
export function track({ open }: State, work: Promise<void>): void {
  open.add(work)
  void work.finally(() => open.delete(work))
}

export async function idle({ open }: State): Promise<void> {
  while (open.size > 0) await Promise.all(open)
}

/** Names a lane's webhook in the log. */
export function fieldsOf({ place: { appId, webhookId } }: Lane) {
  return { appId, webhookId }
}
