import type { Answer, PostMessage } from '../../src/domain/webhook/schedule.ts'
import type { Webhook } from '../../src/domain/webhook/webhook.ts'
import { addWebhook } from '../../src/domain/webhook/webhooks.ts'
import { createWebhooks } from '../../src/jobs/webhooks/webhooks.ts'
import { type World, world } from '../support/world.ts'
import { observed, steppedTimers } from './fixture.ts'

export type Post = { webhookId: string; id: string; body: string; at: number }

export const ok: Answer = { code: 204, retryAfterMs: null, detail: null }
export const status = (code: number, retryAfterMs: number | null = null): Answer => {
  return { code, retryAfterMs, detail: null }
}

/**
 * The job on a real store with simulated time: `reply` answers each post, at once or when its promise
 * does. `pass` moves the clock and the timers.
 */
export async function stage(options: { path?: string; urls?: string[] } = {}) {
  const { urls = ['https://a.example.com/'], ...rest } = options
  const w = await world(rest)
  const seen = observed(w)
  const { timers, pass } = steppedTimers()
  const webhooks: Webhook[] = []
  for (const url of urls) {
    const actor = { who: 'cli', requestId: null }
    webhooks.push((await addWebhook(w, actor, { appId: w.app.id, url })).webhook)
  }
  const posts: Post[] = []
  let reply: (post: Post, signal: AbortSignal) => Answer | Promise<Answer> = () => ok
  const post: PostMessage = async (_app, { id: webhookId }, { id, body }, signal) => {
    const made = { webhookId, id, body, at: w.clock.now() }
    posts.push(made)
    return reply(made, signal)
  }
  const ports = { ...seen.ports, timers: { ...timers }, post }
  const job = () => createWebhooks(ports)
  const first = webhooks[0]?.id ?? ''
  return {
    ...{ w, webhooks, posts, job, ports, lines: seen.lines, events: seen.events, timers },
    metrics: seen.metrics,
    reply: (next: typeof reply) => {
      reply = next
    },
    /** Moves clock and timers together, in steps. */
    async pass(ms: number, stepMs = Math.min(ms, 1000)) {
      for (let passed = 0; passed < ms; passed += stepMs) {
        w.clock.advance(stepMs)
        await pass(stepMs)
      }
    },
    /** Lets a long time go by in which nothing is due, then a few seconds. */
    async leap(ms: number) {
      w.clock.advance(ms)
      for (let second = 0; second < 3; second++) {
        w.clock.advance(1000)
        await pass(1000)
      }
    },
    /** Writes an event that the webhooks are told of. */
    event: () => tell(w),
    messages: async (webhookId = first, dead = false) =>
      (
        await w.webhooks.list({
          ...{ appId: w.app.id, webhookId, status: dead ? 'dead' : null, limit: 100, cursor: null },
        })
      ).items,
    state: async (webhookId = first) =>
      (await w.webhooks.states(w.app.id)).find(({ id }) => id === webhookId),
  }
}

function tell({ events, app, clock }: World): Promise<void> {
  const event = { appId: app.id, type: 'alarm.raised', verificationId: null, data: {} } as const
  return events.add({ ...event, at: clock.now() })
}
