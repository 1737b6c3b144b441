import type { Ports } from '../domain/ports.ts'
import type { PostMessage } from '../domain/webhook/schedule.ts'
import { secretsOf } from '../domain/webhook/webhooks.ts'
import { wordsOfFault } from './http-outcome.ts'
import { signedHeaders } from './webhook-signature.ts'

type PostPorts = Pick<Ports, 'keyring' | 'clock' | 'httpOut'>

/**
 * Posts the messages of webhooks, signed as Standard Webhooks says: one signature for each secret in
 * use, over id, time of this try and body.
 */
export function createPostMessage({ keyring, clock, httpOut }: PostPorts): PostMessage {
  return async (app, webhook, { id, body }, signal) => {
    const now = clock.now()
    const secrets = secretsOf({ keyring }, app, webhook, now)
    const headers = signedHeaders(secrets, { id, body, now })
    const answer = await httpOut({ method: 'POST', url: webhook.url, headers, body, signal })
    if ('fault' in answer) {
      return { code: null, retryAfterMs: null, detail: `the receiver ${wordsOfFault(answer)}` }
    }
    const { status: code, retryAfterMs } = answer
    return { code, retryAfterMs, detail: null }
  }
}
