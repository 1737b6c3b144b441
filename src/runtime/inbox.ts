import { inboxMax, listInbox, readInboxSource } from '../channels/inbox.ts'
import { clearInbox } from '../domain/delivery/inbox.ts'
import type { HttpPorts } from '../http/ports.ts'
import type { OpenPorts } from './open.ts'

/**
 * The messages of test keys, for the dashboard and for developer mode. `linkBase` is what their links
 * begin with.
 */
export function inboxOf(ports: OpenPorts, linkBase: () => string | null): HttpPorts['inbox'] {
  const linked = () => ({ ...ports, linkBase: linkBase() })
  return {
    list: () => listInbox(linked(), { appId: null, limit: inboxMax }),
    source: (deliveryId) => readInboxSource(linked(), deliveryId),
    clear: (actor, which) => clearInbox(ports, actor, which),
  }
}
