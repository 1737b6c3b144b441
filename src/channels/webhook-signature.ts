import { Webhook } from 'standardwebhooks'

type Signing = {
  /** The same in every try. */
  id: string
  body: string
  now: number
}

/**
 * The headers of a body as Standard Webhooks has them, with a signature by each secret: a receiver takes
 * it when one of them is right, so that a secret can be replaced without a gap.
 */
export function signedHeaders(
  secrets: string[],
  { id, body, now }: Signing,
): Record<string, string> {
  const at = new Date(now)
  return {
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(now / 1000)),
    'webhook-signature': secrets.map((secret) => new Webhook(secret).sign(id, at, body)).join(' '),
  }
}
