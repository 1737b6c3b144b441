import type { Cause, DeliveryOutcome, Handover } from '../../src/domain/delivery/delivery.ts'
import type { Channel } from '../../src/domain/ports.ts'
import type { Rng } from './rng.ts'
import type { Life, VirtualTime } from './virtual-time.ts'

/** How a mail server behaves; `mixed` chooses for each message. */
export const moods = [
  'well',
  'slow',
  'busy',
  'greylisting',
  'down',
  'login',
  'policy',
  'message',
  'server',
  'dropping',
  'hanging',
] as const
export type Mood = (typeof moods)[number] | 'mixed'

/** One hand-over of a message to a mail server. */
export type Session = {
  number: number
  life: Life
  handover: Handover
  mood: Mood
  begunElapsed: number
  /** The server has accepted a copy of the message. */
  isTaken: boolean
  /** The reply to the sender; null before it, or if the process was killed before. */
  outcome: DeliveryOutcome | null
  answeredElapsed: number | null
}

export type MailObserver = {
  begins(session: Session): void
  /** The message is sent to the server. */
  sends(session: Session): void
  /** The server accepts the message. */
  taken(session: Session): void
}

export type MailServer = {
  /** The email channel of one process. */
  channelOf(life: Life): Channel
  setMood(mood: Mood): void
  /** True if every server accepts mail without delay. */
  isWell(): boolean
  /** Makes every server accept mail from now on. */
  heal(): void
}

/** The longest time of a hand-over, in ms: the real channel ends it then. */
const handoverMaxMs = 40_000

/** Every server refuses recipients whose address begins with this. */
export const unknownMailbox = 'nobody'

/** Simulates SMTP servers: every class of outcome, quick, slow or none. */
export function createMailServer(rng: Rng, time: VirtualTime, observer: MailObserver): MailServer {
  const byEndpoint = new Map<string, Mood>()
  let usual: Mood = 'well'
  let isHealed = false
  let number = 0

  const moodOf = ({ endpoint }: Handover): Mood => {
    if (isHealed || !endpoint) return 'well'
    const known = byEndpoint.get(endpoint.id)
    if (known) return known
    byEndpoint.set(endpoint.id, usual)
    return usual
  }

  function deliver(life: Life, handover: Handover, signal: AbortSignal): Promise<DeliveryOutcome> {
    // A killed process gets no answer.
    if (life.isOver) return new Promise(() => {})
    // The endpoint was removed: the real channel answers without a connection.
    if (!handover.endpoint) return Promise.resolve(refused('server'))
    const asked = moodOf(handover)
    const mood = asked === 'mixed' ? rng.pick(moods) : asked
    const session: Session = {
      ...{ number: ++number, life, handover, mood, isTaken: false, outcome: null },
      ...{ begunElapsed: time.elapsed(), answeredElapsed: null },
    }
    observer.begins(session)
    const plan = planOf(rng, mood, handover)
    const take = () => {
      session.isTaken = true
      observer.taken(session)
    }
    return new Promise((resolve) => {
      const answer = (outcome: DeliveryOutcome) => {
        if (session.outcome || life.isOver) return
        session.outcome = outcome
        session.answeredElapsed = time.elapsed()
        resolve(outcome)
      }
      let isInData = false
      time.worldAfter(plan.dataAt, () => {
        if (session.outcome) return
        isInData = true
        observer.sends(session)
        // If the process was killed during the message, the server may have it all.
        if (plan.takes && (!life.isOver || rng.chance(0.5))) take()
        time.worldAfter(plan.answerAt - plan.dataAt, () => answer(plan.outcome))
      })
      const cut = () => {
        if (life.isOver) return
        if (plan.takes && !session.isTaken && isInData) take()
        answer(isInData ? ambiguous : network)
      }
      if (signal.aborted) cut()
      else signal.addEventListener('abort', cut, { once: true })
    })
  }

  return {
    channelOf: (life) => ({
      deliver: (handover, signal) => deliver(life, handover, signal),
      close: () => {},
    }),
    setMood(mood) {
      const known = [...byEndpoint.keys()]
      if (known.length > 0 && rng.chance(0.5)) byEndpoint.set(rng.pick(known), mood)
      else {
        byEndpoint.clear()
        usual = mood
      }
    },
    isWell: () => isHealed || [usual, ...byEndpoint.values()].every((mood) => mood === 'well'),
    heal() {
      isHealed = true
    },
  }
}

type Plan = { outcome: DeliveryOutcome; takes: boolean; dataAt: number; answerAt: number }

/** What the server does with one message: whether it accepts it, its reply, and when. */
function planOf(rng: Rng, mood: (typeof moods)[number], { recipient }: Handover): Plan {
  const quick = () => rng.between(1, 400)
  const dataAt = mood === 'slow' ? rng.between(1_000, 20_000) : quick()
  const at = (ms: number, outcome: DeliveryOutcome, takes = false): Plan => {
    return { outcome, takes, dataAt, answerAt: Math.min(dataAt + ms, handoverMaxMs) }
  }
  if (mood === 'busy') return at(quick(), deferred('busy', '421 4.3.2 too busy', retryAfter(rng)))
  if (mood === 'greylisting') {
    return at(quick(), deferred('greylisted', '451 4.7.1 come back', retryAfter(rng)))
  }
  if (mood === 'down') return at(quick(), network)
  if (mood === 'hanging') {
    const takes = rng.chance(0.3)
    return at(handoverMaxMs, takes || rng.chance(0.5) ? ambiguous : network, takes)
  }
  if (mood === 'dropping') return at(quick(), ambiguous, rng.chance(0.6))
  if (mood === 'login' || mood === 'policy' || mood === 'server' || mood === 'message') {
    return at(quick(), refused(mood))
  }
  if (recipient.address.startsWith(unknownMailbox)) return at(quick(), refused('recipient'))
  const outcome = { ...{ status: 'sent' as const, code: '250 2.0.0', detail: 'taken' } }
  return at(quick(), { ...outcome, remoteId: `r${rng.below(1e6)}` }, true)
}

function retryAfter(rng: Rng): number | null {
  return rng.chance(0.2) ? rng.between(1_000, 300_000) : null
}

function deferred(
  cause: 'network' | 'busy' | 'greylisted',
  detail: string,
  retryAfterMs: number | null = null,
): DeliveryOutcome {
  return { status: 'deferred', cause, ambiguous: false, retryAfterMs, code: null, detail }
}

function refused(cause: Extract<Cause, 'login' | 'policy' | 'server' | 'message' | 'recipient'>) {
  return { status: 'refused' as const, cause, code: '550', detail: `550 ${cause}` }
}

const network = deferred('network', 'no connection')
const ambiguous: DeliveryOutcome = {
  ...{ status: 'deferred', cause: 'network', ambiguous: true, retryAfterMs: null, code: null },
  detail: 'the connection was lost after the message',
}
