import { Webhook as Signer } from 'standardwebhooks'
import type { Ports } from '../domain/ports.ts'
import type { PostMessage } from '../domain/webhook/schedule.ts'
import { secretsOf } from '../domain/webhook/webhooks.ts'
import { wordsOfFault } from './http-outcome.ts'

type PostPorts = Pick<Ports, 'keyring' | 'clock' | 'httpOut'>

/**
 * Posts the messages of webhooks, signed as Standard Webhooks says: one signature for each secret in
 * use, over id, time of this try and body.
 */
export function createPostMessage({ keyring, clock, httpOut }: PostPorts): PostMessage {
  return async (app, webhook, { id, body }, signal) => {
    const now = clock.now()
    const signatures = secretsOf({ keyring }, app, webhook, now).map((secret) =>
      new Signer(secret).sign(id, new Date(now), body),
    )
    const answer = await httpOut({
      method: 'POST',
      url: webhook.url,
      headers: {
        'content-type': 'application/json',
        'webhook-id': id,
        'webhook-timestamp': String(Math.floor(now / 1000)),
        'webhook-signature': signatures.join(' '),
      },
      body,
      signal,
    })
    if ('fault' in answer) {
      return { code: null, retryAfterMs: null, detail: `the receiver ${wordsOfFault(answer)}` }
    }
    const { status: code, retryAfterMs } = answer
    return { code, retryAfterMs, detail: null }
  }
}
