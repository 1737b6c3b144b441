import type { AlarmChange, Page } from '../stores.ts'
import type { DueMessage, Message, MessageStatus } from './message.ts'
import type { OffCause, WebhookState } from './webhook.ts'

/** Identifies a webhook in every operation. */
export type WebhookPlace = { appId: string; webhookId: string }

/**
 * The messages of webhooks. They are written in the transaction of the event that they tell, if a
 * webhook of its app is told of it, and wait until they have ended.
 */
export type WebhookStore = {
  /** How each webhook of an app stands. */
  states(appId: string): Promise<WebhookState[]>
  /** The webhooks that are on and have due messages, unless another node works on them; by id. */
  due(query: DueQuery & { after: string | null; limit: number }): Promise<WebhookPlace[]>
  /** Leases a webhook to a node; null while another one works on it, and while it is off. */
  lease(
    command: DueQuery & WebhookPlace & { until: number },
  ): Promise<Pick<WebhookState, 'failingSince'> | null>
  /** Gives up all leases of a node. */
  releaseLeases(node: string): Promise<void>
  /** The due messages of a webhook, the longest due first. */
  dueMessages(
    query: WebhookPlace & Pick<DueQuery, 'now' | 'dueWithinMs'> & { limit: number },
  ): Promise<DueMessage[]>
  /**
   * Writes the results of tries. A message that has ended meanwhile stays ended, and one of a
   * webhook that was removed is ignored. Clears the alarm of a backlog that is half gone.
   */
  settle(command: SettleWebhooks): Promise<void>
  /** The messages of a webhook, newest first; the cursor is the last id. */
  list(query: MessageQuery): Promise<Page<Message>>
  /**
   * Makes ended messages wait again, oldest first, as if they were new, and as many as there is room
   * for. One that is named by its id may be waiting too: it is tried now.
   */
  replay(command: ReplayCommand): Promise<Replayed>
  /** Deletes messages of a webhook that was removed; how many. */
  purge(command: WebhookPlace & { limit: number }): Promise<number>
  /** All messages that have not ended. */
  backlog(): Promise<number>
  /** Calls `listener` soon after this process has written messages, at times without a cause. */
  onMessage(listener: (place: WebhookPlace) => void): void
  /**
   * Tells the node that works on this webhook that messages of it were written here. It may be lost:
   * that node also looks for itself.
   */
  announce(place: WebhookPlace): void
  /** Calls `listener` with webhooks that other nodes have announced. */
  onAnnounced(listener: (place: WebhookPlace) => void): void
}

export type DueQuery = {
  node: string
  now: number
  /** The longest wait of a message; a longer one was written by a wrong clock and is due. */
  dueWithinMs: number
  /** Leases of nodes that were last seen before this time are free. */
  silentSince: number
}

export type SettleWebhooks = { now: number; webhooks: SettledWebhook[] }

export type SettledWebhook = WebhookPlace & {
  results: MessageResult[]
  failingSince: number | null
  /** Switches it off, with an alarm. */
  off: { cause: OffCause; alarm: AlarmChange } | null
}

export type MessageResult = {
  id: string
  status: MessageStatus
  at: number | null
  tries: number
  code: number | null
  detail: string | null
}

export type MessageQuery = WebhookPlace & {
  status: Extract<MessageStatus, 'dead'> | null
  limit: number
  cursor: string | null
}

export type ReplayCommand = WebhookPlace & {
  now: number
  /** By id, or those of events from `from` up to `to`, without `to`. */
  which: { id: string } | { from: number; to: number; isDeadOnly: boolean; after: string | null }
  limit: number
}

/** `after`: where to continue; null at the end. `isFull`: there was no room for the next one. */
export type Replayed = { count: number; after: string | null; isFull: boolean }
