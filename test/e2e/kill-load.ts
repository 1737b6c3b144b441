import { type Answer, call, wrongCode } from './client.ts'
import type { MailSink } from './mail-sink.ts'

/** What the client knows of a verification: what was acknowledged, and what may have happened. */
export type Known = {
  to: string
  /** Null while no start was acknowledged. */
  id: string | null
  spentAtLeast: number
  spentAtMost: number
  approved: 'no' | 'maybe' | 'yes'
  resends: number
  /** Of the start and of resends that may have happened. */
  sendsAtMost: number
  resendAt: number
}

export type Load = {
  all: Known[]
  /** Those that the latest run touched. */
  touched: Set<Known>
  /** Descriptions of broken promises. */
  violations: string[]
  /** When something was acknowledged, of the monotonic clock in ms. */
  acknowledged: number[]
  /** How many requests were not answered, or with 5xx. */
  unanswered(): number
  /** Sends requests to a server until `signal`; one without an answer is not acknowledged. */
  run(base: string, signal: AbortSignal): Promise<void>
  /** Compares the server's view of a verification with the client's. */
  compare(base: string, known: Known): Promise<void>
  /** Tries the right code. */
  checkRight(base: string, known: Known): Promise<void>
}

export const attemptsMax = 5

export type LoadOptions = {
  /** How many send requests at a time. */
  workers?: number
  /** An answer of 5xx is none: a node or its database is broken on purpose. */
  isBroken?: boolean
}

export function random(below: number): number {
  return (crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) % below
}

export function createLoad(key: string, sink: MailSink, options: LoadOptions = {}): Load {
  const { workers = 4, isBroken = false } = options
  const acknowledged: number[] = []
  let unanswered = 0
  const all: Known[] = []
  const touched = new Set<Known>()
  const violations: string[] = []
  const broken = (known: Known, what: string) => {
    violations.push(`${known.to}: ${what} (${JSON.stringify(known)})`)
  }

  /** Null: no answer, so the operation may have happened or not. */
  async function ask(url: string, body?: unknown): Promise<Answer | null> {
    const answer = await call(url, body, { token: key }).catch(() => null)
    if (answer && answer.status < 400) acknowledged.push(performance.now())
    if (!answer || (isBroken && answer.status >= 500)) {
      unanswered++
      return null
    }
    if (answer.status >= 500) violations.push(`${url} answers ${answer.text}`)
    return answer
  }

  async function startOne(base: string, mine: Known[]): Promise<void> {
    const to = `k${all.length}@example.com`
    const known: Known = {
      ...{ to, id: null, spentAtLeast: 0, spentAtMost: 0 },
      ...{ approved: 'no', resends: 0, sendsAtMost: 1, resendAt: 0 },
    }
    all.push(known)
    touched.add(known)
    const answer = await ask(`${base}/v1/verifications`, { to })
    if (!answer) return
    if (answer.status !== 201) return broken(known, `a start answers ${answer.text}`)
    known.id = answer.json.id ?? ''
    known.resendAt = resendAtOf(answer.json)
    mine.push(known)
  }

  async function check(base: string, known: Known, code: string): Promise<Answer | null> {
    touched.add(known)
    known.spentAtMost++
    const answer = await ask(`${base}/v1/verifications/${known.id}/check`, { code })
    if (answer?.status === 200) {
      const spent = attemptsMax - Number(answer.json.attempts_left)
      if (spent <= known.spentAtLeast) broken(known, `${spent} attempts spent: one was forgotten`)
      if (spent > known.spentAtMost) broken(known, `${spent} attempts spent, too many`)
      known.spentAtLeast = spent
    } else if (answer) {
      known.spentAtMost--
    }
    return answer
  }

  async function checkWrong(base: string, known: Known, right: string): Promise<void> {
    const answer = await check(base, known, wrongCode(right))
    if (answer?.json.valid === true) broken(known, 'a wrong code was accepted')
    const { code } = answer?.json ?? {}
    if (code === 'verification_exhausted' && known.spentAtMost < attemptsMax) {
      broken(known, 'exhausted too early')
    }
    if (code === 'verification_used' && known.approved === 'no') broken(known, 'used by nobody')
  }

  async function checkRight(base: string, known: Known): Promise<void> {
    const right = sink.to(known.to)[0]?.code
    if (known.id === null || right === undefined) return
    const before = known.approved
    const room = attemptsMax - known.spentAtMost
    if (before === 'no') known.approved = 'maybe'
    const answer = await check(base, known, right)
    if (!answer) return
    const { valid, code } = answer.json
    if (valid === true && before === 'yes') broken(known, 'a used code was accepted again')
    if (valid === false) broken(known, 'the code that was mailed to the recipient is wrong')
    if (valid === true || code === 'verification_used') known.approved = 'yes'
    else known.approved = before
    if (code === 'verification_used' && before === 'no') broken(known, 'used by nobody')
    if (code === 'verification_exhausted' && room > 0) broken(known, 'exhausted too early')
    if (answer.status === 404) broken(known, 'an acknowledged verification is gone')
  }

  async function resend(base: string, known: Known): Promise<void> {
    touched.add(known)
    known.sendsAtMost++
    const answer = await ask(`${base}/v1/verifications/${known.id}/resend`, {})
    if (!answer) return
    if (answer.status !== 200) known.sendsAtMost--
    // A code that has ended is not asked for again, so that others get their turn.
    if (answer.status !== 200) known.resendAt = Number.POSITIVE_INFINITY
    if (answer.status !== 200) return
    known.resends++
    known.resendAt = resendAtOf(answer.json)
  }

  async function step(base: string, mine: Known[]): Promise<void> {
    const choice = random(10)
    const known = mine[mine.length - 1 - random(Math.min(mine.length, 30))]
    const right = known && sink.to(known.to)[0]?.code
    if (choice < 2 || !known) return startOne(base, mine)
    const due = mine.find(({ resendAt, approved, resends }) => {
      return (
        approved === 'no' && resends < 3 && resendAt < performance.timeOrigin + performance.now()
      )
    })
    if (choice < 4 && due) return resend(base, due)
    if (!right) return
    return choice < 7 ? checkWrong(base, known, right) : checkRight(base, known)
  }

  const mineOf: Known[][] = Array.from({ length: workers }, () => [])
  return {
    all,
    touched,
    violations,
    acknowledged,
    unanswered: () => unanswered,
    checkRight,
    async run(base, signal) {
      touched.clear()
      const work = async (mine: Known[]) => {
        while (!signal.aborted) {
          await step(base, mine)
          await Bun.sleep(2 + random(10))
        }
      }
      await Promise.all(mineOf.map(work))
    },
    async compare(base, known) {
      if (known.id === null) return
      const answer = await ask(`${base}/v1/verifications/${known.id}`)
      if (answer?.status !== 200) return broken(known, `is gone: ${answer?.text}`)
      const spent = attemptsMax - Number(answer.json.attempts_left)
      if (spent < known.spentAtLeast) broken(known, `only ${spent} attempts are remembered`)
      if (spent > known.spentAtMost) broken(known, `${spent} attempts spent, too many`)
      const { status } = answer.json
      if (known.approved === 'yes' && status !== 'approved') broken(known, `is ${status} again`)
      if (known.approved === 'no' && status === 'approved') broken(known, 'approved by nobody')
    },
  }
}

/** When the next resend is allowed; never where none is left. */
function resendAtOf({ next }: Record<string, unknown>): number {
  const resend = (next as { resend: { at: string } | null } | undefined)?.resend
  return resend ? Date.parse(resend.at) : Number.POSITIVE_INFINITY
}

/** Works on all, eight at a time. */
export async function inParallel(
  known: Known[],
  work: (known: Known) => Promise<void>,
): Promise<void> {
  const rest = [...known]
  const worker = async () => {
    for (let each = rest.pop(); each; each = rest.pop()) await work(each)
  }
  await Promise.all(Array.from({ length: 8 }, worker))
}

/** At most that many of the values, at random. */
export function sample<Value>(values: Value[], count: number): Value[] {
  const picked = Array.from({ length: count }, () => values[random(Math.max(1, values.length))])
  return [...new Set(picked.filter((value) => value !== undefined))]
}

/** Live verifications with fewer mails than were acknowledged. */
export function undelivered({ all }: Load, sink: MailSink): Known[] {
  return all.filter(({ id, to, approved, spentAtMost, resends }) => {
    if (id === null || approved !== 'no' || spentAtMost >= attemptsMax) return false
    return sink.to(to).length < 1 + resends
  })
}

/** Mails to another address than asked for, and different codes for one verification. */
export function misdirected({ all }: Load, { mails, to }: MailSink): string[] {
  const asked = new Set(all.map((known) => known.to))
  const wrong = mails.filter(({ recipients, headerTo }) => {
    return recipients.length !== 1 || headerTo !== recipients[0] || !asked.has(headerTo)
  })
  const twofold = [...asked].filter((one) => new Set(to(one).map(({ code }) => code)).size > 1)
  return [...wrong.map(({ recipients }) => recipients.join()), ...twofold]
}

/** Recipients of more mails than two for each start and each resend that may have happened. */
export function sentTooOften({ all }: Load, sink: MailSink): string[] {
  return all
    .filter(({ to, sendsAtMost }) => sink.to(to).length > 2 * sendsAtMost)
    .map(({ to }) => to)
}
