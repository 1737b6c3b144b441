import { checkKeptMs } from '../../src/domain/verification/check.ts'
import { dayMs } from '../../src/domain/verification/limits.ts'
import { type Answer, type Ask, violation } from './model.ts'
import { facts } from './oracle-checks.ts'

/** What was answered to one Idempotency-Key. */
type Repeats = {
  asks: Ask[]
  /** The first good answer. */
  first: { text: string; status: number; body: string } | null
}

export type RepeatJudge = {
  begins(ask: Ask): void
  answered(ask: Ask, answer: Answer): void
}

/** Answers to one Idempotency-Key are equal byte for byte, as long as they are kept. */
export function createRepeatJudge(): RepeatJudge {
  const all = new Map<string, Repeats>()
  const of = (ask: Ask): Repeats | null => {
    const { app, key, about, kind, repeatKey } = ask
    if (!repeatKey || (kind !== 'start' && kind !== 'check')) return null
    const name = [app?.id, key?.mode, kind, kind === 'check' ? about?.id : '', repeatKey].join(' ')
    const known = all.get(name) ?? { asks: [], first: null }
    all.set(name, known)
    return known
  }
  return {
    begins: (ask) => void of(ask)?.asks.push(ask),
    answered(ask, answer) {
      const repeats = of(ask)
      if (repeats) judge(repeats, ask, answer)
    },
  }
}

function judge(repeats: Repeats, ask: Ask, answer: Answer): void {
  const body = JSON.stringify(ask.body)
  const { first } = repeats
  const keptMs = ask.kind === 'start' ? dayMs : checkKeptMs
  if (answer.json?.code === 'idempotency_key_reused') {
    const isOther = repeats.asks.some((other) => JSON.stringify(other.body) !== body)
    if (!isOther) violation('a repeated request counts as another one', facts(ask))
    return
  }
  if (answer.status >= 300) return
  // Kept at the earliest when the first of them began, and so long by any clock since.
  const keptFrom = Math.min(...repeats.asks.map(({ clockMin }) => clockMin))
  const peak = Math.max(...repeats.asks.map(({ clockPeak }) => clockPeak))
  if (!first || peak >= keptFrom + keptMs) {
    repeats.first = { text: answer.text, status: answer.status, body }
    return
  }
  if (first.body !== body) violation('another request is answered', facts(ask))
  if (first.text !== answer.text || first.status !== answer.status) {
    violation('a repeated request is answered differently', { first: first.text, ...facts(ask) })
  }
}
