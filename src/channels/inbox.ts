import { renderMessage } from '../domain/message.ts'
import type { Channel, Clock } from '../domain/ports.ts'

/** A message that a test key asked for, as a person would have got it. */
export type InboxMessage = {
  deliveryId: string
  appId: string
  appName: string
  to: string
  subject: string
  text: string
  html: string
  code: string
  reference: string
  /** When it was delivered here, epoch ms. */
  at: number
  expiresAt: number
}

export type Inbox = Channel & {
  /** Newest first. */
  list(): InboxMessage[]
}

/** Keeps the last `max` messages in memory, and nowhere else. */
export function createInbox({ clock, max = 200 }: { clock: Clock; max?: number }): Inbox {
  const messages: InboxMessage[] = []
  return {
    async deliver(handover) {
      const { deliveryId, app, recipient, code, reference, expiresAt } = handover
      const { subject, text, html } = renderMessage(handover)
      const names = { appId: app.id, appName: app.name, to: recipient }
      const at = clock.now()
      messages.push({ deliveryId, ...names, subject, text, html, code, reference, at, expiresAt })
      if (messages.length > max) messages.shift()
      return { status: 'sent', detail: 'kept in the inbox of this server' }
    },
    list: () => messages.toReversed(),
    close: () => {},
  }
}
