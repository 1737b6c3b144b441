import { Webhook as Verifier } from 'standardwebhooks'

export type Received = {
  id: string
  type: string
  /** The verification, where it concerns one. */
  verification: string | undefined
  /** Where it concerns an alarm. */
  alarm: string | undefined
  text: string
  at: number
}

type Reply = (received: Received) => Response | Promise<Response>

/** A receiver of webhooks that verifies each message; `reply` answers those that are right. */
export function eventReceiver(reply: Reply = () => new Response(null, { status: 204 })) {
  const received: Received[] = []
  const forged: string[] = []
  const state = { secret: '', reply }
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    idleTimeout: 0,
    async fetch(request) {
      const text = await request.text()
      const headers = Object.fromEntries(request.headers)
      try {
        new Verifier(state.secret).verify(text, headers)
      } catch (error) {
        forged.push(String(error))
        return new Response(null, { status: 401 })
      }
      const { type, data } = JSON.parse(text)
      const one = {
        ...{ id: headers['webhook-id'] ?? '', type, text, at: Date.now() },
        ...{ verification: data.verification?.id, alarm: data.alarm?.kind },
      }
      received.push(one)
      return state.reply(one)
    },
  })
  return {
    url: server.url.href,
    received,
    /** What did not verify. */
    forged,
    use: (secret: string) => {
      state.secret = secret
    },
    answer: (next: Reply) => {
      state.reply = next
    },
    close: () => server.stop(true),
  }
}

export type EventReceiver = ReturnType<typeof eventReceiver>
