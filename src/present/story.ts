import type { Step, Story } from '../domain/verification/story.ts'
import { presentDetails, timestamp } from '../present.ts'

/** What the admin sees of a verification: its details, and all that happened to it. */
export function presentStory({ verification, deliveries, steps }: Story, now: number) {
  return { ...presentDetails(verification, deliveries, now), steps: steps.map(presentStep) }
}

function presentStep({ at, kind, channel, endpointId, tookMs, cause, code, detail }: Step) {
  return {
    at: timestamp(at),
    kind,
    ...(channel !== null && { channel }),
    ...(endpointId !== null && { endpoint: endpointId }),
    ...(tookMs !== null && { took_ms: tookMs }),
    ...(cause !== null && { cause }),
    ...(code !== null && { code }),
    ...(detail !== null && { detail }),
  }
}
