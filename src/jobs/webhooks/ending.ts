import { alarmChange } from '../../domain/alarm.ts'
import type { DueMessage } from '../../domain/webhook/message.ts'
import { type Answer, afterAnswer, isSuccess, type NextTry } from '../../domain/webhook/schedule.ts'
import { type Lane, observe } from './lane.ts'
import type { Settled } from './ledger.ts'
import { fieldsOf, type WebhookPorts } from './state.ts'

export type Tried = { message: DueMessage; answer: Answer; tookMs: number }

/** Applies the end of a try to its lane; what is written of it. */
export function conclude(
  ports: WebhookPorts,
  lane: Lane,
  { message, answer, tookMs }: Tried,
): Omit<Settled, 'onDisk'> {
  const { clock, random, timers } = ports
  const [tries, now] = [message.tries + 1, clock.now()]
  const [byte = 0] = random.bytes(1)
  const { failingSince = null } = lane
  const next = afterAnswer(answer, { tries, failingSince, now, chance: byte / 256 })
  tell(ports, lane, { answer, next })
  observe(lane, { isRight: isSuccess(answer.code), tookMs }, timers.monotonic())
  lane.failingSince = next.failingSince
  const { code, detail } = answer
  return {
    ...lane.place,
    result: { id: message.id, status: next.status, at: next.at, tries, code, detail },
    failingSince: next.failingSince,
    off: offOf(lane, next, now),
  }
}

function offOf({ place }: Lane, { off }: NextTry, now: number): Settled['off'] {
  if (off === null) return null
  const about = { kind: 'webhook_off', appId: place.appId, endpointId: place.webhookId } as const
  return { cause: off, alarm: alarmChange('raised', about, now, { cause: off }) }
}

/** Counts a try, and logs when a receiver begins to fail, recovers, or is switched off. */
function tell(
  { log, metrics }: Pick<WebhookPorts, 'log' | 'metrics'>,
  lane: Lane,
  { answer: { code, detail }, next }: { answer: Answer; next: NextTry },
): void {
  metrics.count('otpmint_webhook_tries_total', next.status === 'waiting' ? 'failed' : next.status)
  const fields = fieldsOf(lane)
  const isRight = isSuccess(code)
  if (isRight && lane.failingSince) log.info('webhook_recovered', fields)
  if (!isRight && !lane.failingSince) {
    log.info('webhook_failing', { ...fields, detail: detail ?? `HTTP ${code}` })
  }
  if (next.off) log.warn('alarm_raised', { ...fields, alarm: 'webhook_off', cause: next.off })
}
