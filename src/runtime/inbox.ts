import { inboxMax, listInbox, readInboxSource } from '../channels/inbox.ts'
import { clearInbox } from '../domain/delivery/inbox.ts'
import type { HttpPorts } from '../http/ports.ts'
import type { OpenPorts } from './open.ts'

/** The messages of test keys, for the dashboard and for developer mode. */
export function inboxOf(ports: OpenPorts): HttpPorts['inbox'] {
  return {
    list: () => listInbox(ports, { appId: null, limit: inboxMax }),
    source: (deliveryId) => readInboxSource(ports, deliveryId),
    clear: (actor, which) => clearInbox(ports, actor, which),
  }
}
