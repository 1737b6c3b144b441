import { seededUniform } from '../../../src/domain/learning/beta.ts'
import { sampleOrder } from '../../../src/domain/learning/choice.ts'
import {
  armsOf,
  countJudged,
  type Judged,
  type Scores,
} from '../../../src/domain/learning/scores.ts'
import { judgedAfterMs } from '../../../src/jobs/learning.ts'
import { noon } from '../../support/commands.ts'

export const group = 'example.com'

/** A recipient's key; the same number is the same recipient. */
export function recipientKey(number: number): Uint8Array {
  const key = new Uint8Array(32)
  new DataView(key.buffer).setUint32(0, number)
  return key
}

export type JudgedOptions = {
  at?: number
  recipient: number
  isApproved: boolean
  endpointId?: string
  group?: string
  candidates?: string[]
}

/** A verification whose message one endpoint has accepted. */
export function judgedOf({ at = noon, ...options }: JudgedOptions): Judged {
  const { endpointId = 'one', candidates = ['one', 'two'] } = options
  const place = { endpointId, group: options.group ?? group }
  const outcome = { status: 'sent', cause: null, ambiguous: false } as const
  return {
    id: String(at),
    createdAt: at,
    recipientKey: recipientKey(options.recipient),
    isApproved: options.isApproved,
    isSeen: false,
    tries: [
      {
        ...{ ...place, ...outcome },
        candidates: candidates.map((id) => ({ endpointId: id, group: place.group })),
      },
    ],
  }
}

export type Scenario = {
  /** By endpoint: the share of approvals of the message with this number, and its cost. */
  endpoints: { share(sent: number): number; cost: number | null }[]
}

/** One message every ten seconds; the job counts as often. */
const everyMs = 10_000

/**
 * Sends messages through the endpoints that are chosen, and counts what came of them as the job does,
 * two minutes later. Answers the approvals for each unit of cost: what is expected of the choices, and
 * of each endpoint if it were always first.
 */
export function simulate(
  { endpoints }: Scenario,
  { seed, sends }: { seed: string; sends: number },
) {
  const ids = endpoints.map((_, index) => `endpoint${index}`)
  const chance = seededUniform(`approvals ${seed}`)
  const waiting: Judged[] = []
  let scores: Scores | null = null
  const total = { approvals: 0, cost: 0 }
  for (let sent = 0; sent < sends; sent++) {
    const at = noon + sent * everyMs
    const due = waiting.findLastIndex(({ createdAt }) => createdAt <= at - judgedAfterMs)
    if (due >= 0) scores = countJudged(scores, waiting.splice(0, due + 1), new Set(ids)).scores
    const arms = scores ? armsOf(scores, group) : {}
    const candidates = endpoints.map(({ share, cost }, index) => {
      const endpointId = ids[index] ?? ''
      return { endpointId, arm: arms[endpointId], cost, share: share(sent) }
    })
    const [first] = sampleOrder(candidates, seededUniform(`${seed} ${sent}`))
    if (!first) throw new Error('nothing was chosen')
    const { endpointId, share, cost } = first
    total.approvals += share
    total.cost += cost ?? 1
    const isApproved = chance() < share
    waiting.push(judgedOf({ at, recipient: sent, isApproved, endpointId, candidates: ids }))
  }
  const fixed = endpoints.map(({ share, cost }) => {
    const approvals = Array.from({ length: sends }, (_, sent) => share(sent))
    return approvals.reduce((sum, each) => sum + each, 0) / (sends * (cost ?? 1))
  })
  return { learned: total.approvals / total.cost, fixed }
}
