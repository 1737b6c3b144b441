import { createPostMessage } from '../channels/event-post.ts'
import type { App } from '../domain/app/app.ts'
import type { Ports } from '../domain/ports.ts'
import { testMessage } from '../domain/webhook/message.ts'
import type { Answer } from '../domain/webhook/schedule.ts'
import type { Webhook } from '../domain/webhook/webhook.ts'

/** Posts a signed message of the type `webhook.test` to a webhook, once; also to one that is off. */
export function testWebhook(
  ports: Pick<Ports, 'keyring' | 'clock' | 'random' | 'httpOut'>,
  app: App,
  webhook: Webhook,
): Promise<Answer> {
  const message = testMessage(ports, app.id, webhook.id)
  return createPostMessage(ports)(app, webhook, message, new AbortController().signal)
}
