import {
  fixedPart,
  type Ledger,
  mayBeDeleted,
  mayBeExpired,
  noteClock,
  noteQuiet,
  noteTrouble,
  seenOf,
} from './ledger.ts'
import { type Answer, type Ask, type Json, type Seen, violation } from './model.ts'
import { facts, isForeign, judgeAbout, noteBegin } from './oracle-checks.ts'
import { createMailJudge, type MailJudge } from './oracle-mail.ts'
import { createRepeatJudge, type RepeatJudge } from './oracle-repeats.ts'
import { judgeBudget, judgeSpacing, judgeStart } from './oracle-starts.ts'

export type Oracle = {
  mail: MailJudge
  begins(ask: Ask): void
  /** The request has its answer. */
  answered(ask: Ask, answer: Answer): void
  clockMoved(): void
  /** The disk begins to fail, or the process is killed or stopped. */
  troubled(): void
  /** No task is due at this moment. */
  quiet(): void
}

/** The longest time of a request in ms; `/otp` waits 20 s for the mail server. */
const requestMaxMs = 60_000
/** One step of time counts at most this long, because one timer at most fires in it. */
const sleepMaxMs = 5_000

/** Checks every answer and every mail against all earlier ones; throws where a rule fails. */
export function createOracle(ledger: Ledger): Oracle {
  const mail = createMailJudge(ledger)
  const repeats = createRepeatJudge()
  let quietElapsed = 0
  return {
    mail,
    begins(ask) {
      noteBegin(ask)
      repeats.begins(ask)
    },
    answered(ask, answer) {
      judgeStatus(ledger, ask, answer)
      judgeAbout(ledger, ask, answer)
      repeats.answered(ask, answer)
      if (ask.kind === 'start' || ask.kind === 'otp') judgeStarted(ledger, mail, ask, answer)
      if (ask.kind === 'list' && answer.status === 200) judgeList(ledger, repeats, ask, answer)
      const isOwn = ask.about && !isForeign(ask, ask.about) && answer.status === 200
      if (isOwn && ask.about && answer.json?.id) judgeView(ask, ask.about, answer, answer.json)
      judgeBudget(ledger, ask)
    },
    clockMoved() {
      noteClock(ledger)
    },
    troubled() {
      noteTrouble(ledger)
      mail.troubled()
    },
    quiet() {
      const now = ledger.time.elapsed()
      if (ledger.calmMs !== null) ledger.calmMs += Math.min(now - quietElapsed, 1_000)
      mail.quiet()
      noteQuiet(ledger)
      for (const ask of ledger.open) {
        const since = Math.max(quietElapsed, ask.begunElapsed)
        ask.waitedMs += Math.min(now - since, sleepMaxMs)
        if (ask.waitedMs > requestMaxMs) violation('a request does not end', facts(ask))
      }
      quietElapsed = now
    },
  }
}

/** Checks the status: no 500, no 503 without a fault, keys work until they are revoked. */
function judgeStatus(ledger: Ledger, ask: Ask, { status, json, text }: Answer): void {
  const { app, key, kind } = ask
  if (status >= 500 && status !== 503) violation('a bug is answered', facts(ask))
  const code = json?.code ?? text
  if (status === 503) {
    const isBacklog = code === 'delivery_backlog' && kind === 'start'
    if (!isBacklog && !ask.isTroubled && !ledger.isTrouble) {
      violation('the store is unavailable without a fault', facts(ask))
    }
  }
  if (kind === 'stranger' && status < 400) violation('a stranger is answered', facts(ask))
  if (!key || !app) return
  const deadAt = key.revokedAt ?? app.goneAt
  const isDead = deadAt !== null && deadAt < ask.begunAt
  if (isDead && ![401, 429, 503].includes(status)) violation('a dead key is taken', facts(ask))
  if (status === 401 && !key.isLeaving && !app.isLeaving) violation('a key is lost', facts(ask))
}

function judgeStarted(ledger: Ledger, mail: MailJudge, ask: Ask, answer: Answer): void {
  judgeStart(ledger, ask, answer)
  const { app } = ask
  if (ask.kind === 'otp' && answer.text.startsWith('Error: The mail was not sent')) {
    mail.toldNotSent(ask)
  }
  const isStarted = answer.status === (ask.kind === 'otp' ? 200 : 201)
  if (!isStarted || !app) return
  const id = ask.kind === 'otp' ? answer.text : String(answer.json.id)
  const seen = seenOf(ledger, id, { app, mode: ask.key?.mode ?? 'live' })
  if (seen.app !== app || seen.mode !== (ask.key?.mode ?? 'live')) {
    violation('a start answers a foreign verification', facts(ask, seen))
  }
  if (seen.start && (!ask.repeatKey || seen.start.repeatKey !== ask.repeatKey)) {
    violation('two starts make one verification', facts(ask, seen))
  }
  seen.start ??= ask
  // An earlier request with the same Idempotency-Key may have started it.
  const makers = ledger.asks.filter((other) => {
    return other === ask || (ask.repeatKey && other.repeatKey === ask.repeatKey)
  })
  seen.clockMax = Math.max(seen.clockMax, ...makers.map(({ clockPeak }) => clockPeak))
  if (ask.kind === 'start') judgeBegun(ask, seen, answer.json)
  judgeSpacing(ledger, ask, answer)
}

function judgeBegun(ask: Ask, seen: Seen, json: Json): void {
  const begun = begunOf(json)
  if (seen.begun && seen.begun.expiresAt !== begun.expiresAt) {
    violation('a verification lives another time than was said', facts(ask, seen))
  }
  if (!seen.begun || seen.begun.attemptsMax === null) seen.begun = begun
  if (json.status !== 'pending' && !ask.answer?.isReplayed && ask.clockMax < begun.expiresAt) {
    violation('a verification does not begin pending', facts(ask, seen))
  }
}

function begunOf(json: Json) {
  return {
    createdAt: Date.parse(json.created_at),
    expiresAt: Date.parse(json.expires_at),
    attemptsMax: Number(json.attempts_left),
    codeLength: Number(json.code_length),
    codeFormat: String(json.code_format),
    fixed: fixedPart(json),
  }
}

/** Checks that a shown verification agrees with all earlier answers. */
function judgeView(ask: Ask, seen: Seen, answer: Answer, json: Json): void {
  const { begun } = seen
  const say = (rule: string) => violation(rule, { ...facts(ask, seen), json })
  if (json.mode !== seen.mode) say('a verification shows another mode')
  if (answer.isReplayed) return
  const fixed = fixedPart(json)
  if (begun?.fixed && begun.fixed !== fixed) say('a verification has changed')
  if (begun?.fixed === null) seen.begun = { ...begun, fixed }
  judgeLeft(ask, seen, answer, json)
  const before = (at: number | null) => at !== null && at < ask.begunAt
  if (before(seen.approvedAt) && json.status !== 'approved') say('an approval is forgotten')
  if (before(seen.canceledAt) && json.status !== 'canceled') say('a cancel is forgotten')
  if (json.status === 'approved' && seen.approvers.size === 0) say('approved by nobody')
  const isCanceled = seen.cancelers.size > 0 || (seen.start === null && ask.kind !== 'cancel')
  if (json.status === 'canceled' && !isCanceled) say('canceled by nobody')
  if (json.status === 'expired' && !mayBeExpired(seen)) say('expired too early')
  if (json.status === 'pending' && begun && ask.clockMin >= begun.expiresAt) say('lives too long')
  if (json.status === 'exhausted' && seen.spends.size < (begun?.attemptsMax ?? 1)) {
    say('exhausted too early')
  }
  const isEnded = json.status === 'approved' || json.status === 'canceled'
  if (isEnded && ['queued', 'deferred'].includes(json.delivery.status)) {
    say('an ended verification still waits for its mail')
  }
  if (json.delivery.status === 'sent' && seen.mode === 'live' && seen.copies === 0) {
    say('sent, but no mail server took it')
  }
}

/** Checks that spent attempts stay spent, and that each was made by a request. */
function judgeLeft(ask: Ask, seen: Seen, { at }: Answer, json: Json): void {
  const left = Number(json.attempts_left)
  const least = Math.min(...seen.left.filter((each) => each.at < ask.begunAt).map((e) => e.left))
  if (left > least) violation('an attempt is forgotten', { least, left, ...facts(ask, seen) })
  const attemptsMax = seen.begun?.attemptsMax
  if (attemptsMax != null && left < attemptsMax - seen.spends.size) {
    violation('an attempt is spent that nobody made', { left, ...facts(ask, seen) })
  }
  seen.left.push({ at, left })
}

/** Checks that a list has all acknowledged verifications of the app and mode, newest first. */
function judgeList(ledger: Ledger, repeats: RepeatJudge, ask: Ask, answer: Answer): void {
  const { app, key } = ask
  if (!app || !key) return
  const items: Json[] = answer.json.items
  const ids = items.map(({ id }) => String(id))
  if (ids.some((id, index) => index > 0 && id >= (ids[index - 1] ?? ''))) {
    violation('a list is not the newest first', facts(ask))
  }
  for (const json of items) {
    const seen = seenOf(ledger, json.id, { app, mode: key.mode })
    if (seen.app !== app || seen.mode !== key.mode) {
      violation('a list shows a foreign verification', facts(ask, seen))
    }
    judgeView(ask, seen, answer, json)
    repeats.listed(ask, json)
  }
  const isWhole = answer.json.next_cursor === null
  for (const seen of ledger.seen.values()) {
    if (seen.app !== app || seen.mode !== key.mode || mayBeDeleted(seen)) continue
    const startedAt = seen.start?.answer?.at ?? Number.POSITIVE_INFINITY
    const isInside = isWhole || seen.id > (ids.at(-1) ?? '')
    if (startedAt < ask.begunAt && isInside && !ids.includes(seen.id)) {
      violation('a list lacks an acknowledged verification', facts(ask, seen))
    }
  }
}
