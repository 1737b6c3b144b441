import { checkKeptMs } from '../../src/domain/verification/check.ts'
import { dayMs } from '../../src/domain/verification/limits.ts'
import { type Answer, type Ask, type Json, violation } from './model.ts'
import { facts, isUnheard } from './oracle-checks.ts'

/** The requests with one Idempotency-Key. */
type Repeats = {
  asks: Ask[]
  /** The first answer that was not a refusal, and the requests that were under way when it came. */
  first: { text: string; status: number; body: string; meanwhile: ReadonlySet<Ask> } | null
  /** The verifications that a list shows with this key in their metadata. */
  ids: Set<string>
}

export type RepeatJudge = {
  begins(ask: Ask): void
  answered(ask: Ask, answer: Answer): void
  /** Notes a verification that a list has shown. */
  listed(ask: Ask, json: Json): void
}

/**
 * Checks requests with an Idempotency-Key. While its answer is kept, every answer is equal byte for
 * byte, no request is refused, and at most one verification is started.
 */
export function createRepeatJudge(): RepeatJudge {
  const all = new Map<string, Repeats>()
  const of = (ask: Ask): Repeats | null => {
    const { kind, about, repeatKey } = ask
    if (!repeatKey || (kind !== 'start' && kind !== 'check')) return null
    const name = nameOf(ask, kind === 'check' ? (about?.id ?? '') : '', repeatKey)
    const known = all.get(name) ?? { asks: [], first: null, ids: new Set() }
    all.set(name, known)
    return known
  }
  return {
    begins: (ask) => void of(ask)?.asks.push(ask),
    answered(ask, answer) {
      const repeats = of(ask)
      if (repeats) judge(repeats, ask, answer)
    },
    listed(ask, { id, metadata }) {
      const repeats = all.get(nameOf(ask, '', String(metadata?.repeat_key)))
      repeats?.ids.add(id)
      if (!repeats || repeats.ids.size < 2 || isForgotten(repeats, dayMs)) return
      violation('one Idempotency-Key begins two verifications', { ids: [...repeats.ids] })
    },
  }
}

/** Names an Idempotency-Key; `id` is that of the verification that is checked. */
function nameOf({ app, key }: Ask, id: string, repeatKey: string): string {
  return [app?.id, key?.mode, id, repeatKey].join(' ')
}

/** What must be equal for the same answer: for a check its code, in any spelling. */
function bodyOf({ kind, body, code }: Ask): string {
  return kind === 'check' ? String(code) : JSON.stringify(body)
}

/** True if the answer may have been deleted, by the highest time of the clock since. */
function isForgotten({ asks }: Repeats, keptMs: number): boolean {
  const keptFrom = Math.min(...asks.map(({ clockMin }) => clockMin))
  const peak = Math.max(...asks.map(({ clockPeak }) => clockPeak))
  return peak >= keptFrom + keptMs
}

function judge(repeats: Repeats, ask: Ask, answer: Answer): void {
  const body = bodyOf(ask)
  const keptMs = ask.kind === 'start' ? dayMs : checkKeptMs
  const first = isForgotten(repeats, keptMs) ? null : repeats.first
  if (answer.json?.code === 'idempotency_key_reused') {
    const isOther = repeats.asks.some((other) => bodyOf(other) !== body)
    if (!isOther || first?.body === body) {
      violation('a repeated request counts as another one', facts(ask))
    }
    return
  }
  if (answer.status >= 300) {
    // One that was under way may have come first, when it was still too early.
    const wasEarly = answer.status === 429 && first?.meanwhile.has(ask)
    if (first?.body === body && !wasEarly) judgeRefused(ask, answer)
    return
  }
  if (!first) {
    const meanwhile = new Set(repeats.asks)
    repeats.first = { text: answer.text, status: answer.status, body, meanwhile }
    return
  }
  if (first.body !== body) violation('another request is answered', facts(ask))
  if (first.text !== answer.text || first.status !== answer.status) {
    violation('a repeated request is answered differently', { first: first.text, ...facts(ask) })
  }
}

/** Fails unless the refusal is one that comes before the kept answer is read. */
function judgeRefused(ask: Ask, answer: Answer): void {
  if (isUnheard(ask, answer) || answer.json?.code === 'app_paused') return
  violation('a repeated request is refused', facts(ask))
}
