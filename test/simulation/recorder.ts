import type { Answer, Ask } from './model.ts'

export type Outcome = {
  seed: number
  /** The hash of all answers and mails with their times. */
  digest: string
  counts: Record<string, number>
  /** Every step, oldest first. */
  lines: string[]
  /** The first rule that failed; null without one. */
  violation: Error | null
}

export type Recorder = {
  /** Adds a line to the record and to the digest. */
  note(line: string): void
  /** Adds a line to the record only, because it may differ from run to run. */
  remark(line: string): void
  count(name: string): void
  asked(ask: Ask): void
  answered(ask: Ask, answer: Answer): void
  /** Keeps the first failure. */
  fail(error: unknown): void
  /** The same functions; they also pass what they throw to `fail`, as callers may catch it. */
  guarded<Functions extends object>(functions: Functions): Functions
  failure(): Error | null
  outcome(): Outcome
}

/** Records what happens in a seed, for its digest and for the report of a failure. */
export function createRecorder(seed: number, elapsed: () => number): Recorder {
  const hasher = new Bun.CryptoHasher('sha256')
  const counts: Record<string, number> = {}
  const lines: string[] = []
  let failure: Error | null = null

  const remark = (line: string) => {
    lines.push(`${(elapsed() / 1000).toFixed(3).padStart(12)}  ${line}`)
  }
  const note = (line: string) => {
    hasher.update(`${elapsed()} ${line}\n`)
    remark(line)
  }
  const count = (name: string) => {
    counts[name] = (counts[name] ?? 0) + 1
  }
  const fail = (error: unknown) => {
    failure ??= error instanceof Error ? error : new Error(String(error))
  }
  return {
    ...{ note, remark, count, fail },
    asked({ number, kind, method, path, body, key, app, repeatKey }) {
      const who = key ? `${key.mode} key of ${app?.id.slice(0, 4)}` : kind
      const again = repeatKey ? ` Idempotency-Key ${repeatKey}` : ''
      const text = body === undefined ? '' : ` ${JSON.stringify(body)}`
      note(`#${number} ${who}: ${method} ${path}${text}${again}`)
    },
    answered({ number, kind, route, key, body }, { status, text, json, isReplayed }) {
      count(`${kind} ${status}${isReplayed ? ' again' : ''}`)
      const isLive = key?.mode === 'live' && status === 201
      if (isLive && route) count('start with a route')
      if (isLive && route && json.route.length < route.length) count('start that lost a channel')
      if (json?.code === 'check_too_early') count('check too early')
      const isMove = kind === 'resend' && status === 200 && Object.keys(body ?? {}).length > 0
      if (isMove) count('resend through a named channel')
      if (kind === 'start' && json?.code_format === 'crockford') count('start with a long code')
      note(`#${number} is answered ${status}${isReplayed ? ' again' : ''} ${text.slice(0, 600)}`)
    },
    guarded<Functions extends object>(functions: Functions): Functions {
      const entries = Object.entries(functions).map(([name, value]) => {
        if (typeof value !== 'function') return [name, value]
        const run = (...input: unknown[]) => {
          try {
            return value(...input)
          } catch (error) {
            fail(error)
            throw error
          }
        }
        return [name, run]
      })
      return Object.fromEntries(entries) as Functions
    },
    failure: () => failure,
    outcome: () => ({ seed, digest: hasher.digest('hex'), counts, lines, violation: failure }),
  }
}
