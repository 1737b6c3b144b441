import { type Ledger, lateOf, mayBeDeleted, mayBeExpired, mayLackKey } from './ledger.ts'
import { type Answer, type Ask, isRefused, type Seen, violation } from './model.ts'

/** The longest wait before a check that a policy of the simulation asks for. */
const delayMaxSeconds = 30
/** The most attempts that a policy of the simulation gives. */
const attemptsCeiling = 5

/** Notes that a request may spend an attempt, approve or cancel; its answer may take that back. */
export function noteBegin(ask: Ask): void {
  const { about: seen, kind } = ask
  if (!seen || isForeign(ask, seen)) return
  if (kind === 'check' || kind === 'verify') {
    seen.spends.add(ask)
    if (seen.code === null || ask.code === seen.code) seen.approvers.add(ask)
  }
  if (kind === 'cancel') seen.cancelers.add(ask)
  if (kind === 'resend' || kind === 'otp_again') seen.resends.add(ask)
}

/** True if the request's key is of another app or of the other mode. */
export function isForeign({ app, key, kind }: Ask, seen: Seen): boolean {
  if (kind === 'verify') return false
  return app !== seen.app || (key !== null && key.mode !== seen.mode)
}

/** Checks the answer to a request about one verification. */
export function judgeAbout(ledger: Ledger, ask: Ask, answer: Answer): void {
  const { about: seen, kind } = ask
  if (!seen) return
  forgetRefused(ask, seen)
  if (isUnheard(ask, answer)) return
  if (isForeign(ask, seen)) {
    if (answer.status !== 404 && !(kind === 'otp_again' && answer.status === 400)) {
      violation('another app or mode is answered', facts(ask, seen))
    }
    return
  }
  if (kind === 'check' && answer.status === 200 && !answer.isReplayed) {
    judgeDelay(ledger, ask, seen, answer)
  }
  if (kind === 'verify') judgeVerify(ledger, ask, seen, answer)
  else if (kind !== 'otp_again' && answer.status !== 200) judgeRefusal(ledger, ask, seen, answer)
  else if (kind === 'check') judged(ask, seen, answer.json.valid, answer.isReplayed)
  else if (kind === 'cancel') judgeCancel(ask, seen, answer)
  else if (kind === 'resend') judgeResend(ledger, ask, seen)
}

/** Checks that no code was judged before the time that an earlier answer has named. */
function judgeDelay({ jumped }: Ledger, ask: Ask, seen: Seen, { at, json }: Answer): void {
  const { checkFrom } = seen
  if (!jumped && checkFrom && checkFrom.at < ask.begunAt && ask.clockMax < checkFrom.time) {
    violation('a code is judged before its time', { checkFrom, ...facts(ask, seen) })
  }
  const time = json.next.check === null ? null : Date.parse(json.next.check)
  if (time !== null && (checkFrom === null || checkFrom.at < at)) seen.checkFrom = { at, time }
}

/** True if the request was refused before the verification was read. */
export function isUnheard({ key, app }: Ask, { status, json }: Answer): boolean {
  if (status === 401 || status === 503) return true
  // Too many requests with a revoked key are limited; those with a valid key never are.
  const mayBeDead = key?.isLeaving || (key && app?.isLeaving)
  return json?.limit === 'ip_failures' && Boolean(mayBeDead)
}

function forgetRefused(ask: Ask, seen: Seen): void {
  if (!isRefused(ask)) return
  // The original API answers a wrong code, which has spent an attempt, with status 403.
  if (ask.kind !== 'verify' || ask.answer?.text !== 'OTP Mismatched!') seen.spends.delete(ask)
  seen.approvers.delete(ask)
  seen.cancelers.delete(ask)
  // The mail may have been sent although the original API says that the resend failed.
  if (ask.kind !== 'otp_again') seen.resends.delete(ask)
}

/** Checks an answer of the original API. Text that cannot be a code is a mismatch, at no cost. */
function judgeVerify(ledger: Ledger, ask: Ask, seen: Seen, { status, text }: Answer): void {
  const words = `${status} ${text}`
  const isOver = seen.approvers.size > 0 || seen.cancelers.size > 0 || mayBeExpired(seen)
  const isDead = isOver || mayBeDeleted(seen) || mayLackKey(ledger, seen)
  if (words === '201 OTP Matched!') judged(ask, seen, true, false)
  else if (words === '403 OTP Mismatched!') {
    if (isShaped(ask.code, seen)) judged(ask, seen, false, false)
    else seen.spends.delete(ask)
  } else if (words === '400 Maximum Attempts Reached!') {
    justify(ledger, ask, seen, 'verification_exhausted')
    // Too many unknown or ended keys from one address are limited (429).
  } else if (status === 429 && seen.app.mayDelay) {
    // A check before its time.
  } else if (!isDead || (status !== 400 && status !== 429)) {
    violation('a check is refused without a reason', { words, ...facts(ask, seen) })
  }
}

/** Checks that a code was judged correctly, and how often codes were judged and accepted. */
function judged(ask: Ask, seen: Seen, isValid: boolean, isReplayed: boolean): void {
  const isRight = ask.code === seen.code
  if (isValid && seen.code !== null && !isRight)
    violation('a wrong code is right', facts(ask, seen))
  if (!isValid && isRight) violation('the right code is wrong', facts(ask, seen))
  if (!isValid) seen.approvers.delete(ask)
  if (isReplayed) {
    if (!ask.repeatKey) violation('an answer is repeated without a key', facts(ask, seen))
    seen.spends.delete(ask)
    return
  }
  if (seen.approvedAt !== null && seen.approvedAt < ask.begunAt) {
    violation('a code is judged after its approval', facts(ask, seen))
  }
  if (seen.canceledAt !== null && seen.canceledAt < ask.begunAt) {
    violation('a code is judged after its cancel', facts(ask, seen))
  }
  if (seen.begun && ask.clockMin >= seen.begun.expiresAt) {
    violation('a code is judged after its life', facts(ask, seen))
  }
  if (isValid) {
    seen.approvals++
    seen.approvedAt ??= ask.answer?.at ?? null
  } else seen.wrong++
  if (seen.approvals > 1) violation('a code is accepted twice', facts(ask, seen))
  const attemptsMax = seen.begun?.attemptsMax ?? attemptsCeiling
  if (seen.wrong + seen.approvals > attemptsMax) {
    violation('more codes are judged than attempts were given', facts(ask, seen))
  }
}

function judgeCancel(ask: Ask, seen: Seen, { json, at }: Answer): void {
  if (seen.approvedAt !== null) violation('an approved code is canceled', facts(ask, seen))
  if (json.status !== 'canceled') violation('a cancel answers another status', facts(ask, seen))
  seen.canceledAt ??= at
}

function judgeResend({ settings, jumped }: Ledger, ask: Ask, seen: Seen): void {
  const sent = [...seen.resends].filter(({ answer }) => answer?.status === 200)
  if (sent.length > settings.resendsMax) violation('too many resends', facts(ask, seen))
  const isExhausted = seen.left.some(({ at, left }) => left === 0 && at < ask.begunAt)
  const isExpired = ask.clockMin >= (seen.begun?.expiresAt ?? Number.POSITIVE_INFINITY)
  const isEnded = [seen.approvedAt, seen.canceledAt].some((at) => at !== null && at < ask.begunAt)
  if (isExhausted || isExpired || isEnded) {
    violation('an ended verification is sent again', facts(ask, seen))
  }
  const waitMs = settings.resendAfterSeconds * 1000
  const isClose = (other: Ask) => {
    const [first, second] = other.number < ask.number ? [other, ask] : [ask, other]
    return other !== ask && (second.overElapsed ?? 0) - first.begunElapsed < waitMs
  }
  if (!jumped && sent.some(isClose)) violation('a resend comes too early', facts(ask, seen))
}

function judgeRefusal(ledger: Ledger, ask: Ask, seen: Seen, { json }: Answer): void {
  const code = String(json?.code)
  if (code === 'resend_too_early') judgeTooEarly(ledger, ask, seen)
  else if (code === 'sends_exhausted') {
    if (seen.resends.size >= ledger.settings.resendsMax) return
    violation('resends are used up too early', facts(ask, seen))
  } else justify(ledger, ask, seen, code)
}

function judgeTooEarly(ledger: Ledger, ask: Ask, seen: Seen): void {
  const { settings, jumpedBack, asks } = ledger
  if (toldToWait(ask) > settings.resendAfterSeconds + lateOf(ledger) / 1000) {
    violation('a resend is told to wait longer than the wait', facts(ask, seen))
  }
  const since = ask.begunElapsed - settings.resendAfterSeconds * 1000 - lateOf(ledger)
  const isRecent = (other: Ask | null) => other === null || (other.overElapsed ?? since) >= since
  if (isRecent(seen.start) || [...seen.resends].some(isRecent)) return
  // After the clock went back any resend may be too early, but for no longer than the wait.
  const isTold = (other: Ask) => {
    const { kind, about, answer, begunElapsed, overElapsed } = other
    const isSame = kind === 'resend' && about === seen && answer?.json?.code === 'resend_too_early'
    return isSame && (overElapsed ?? since) < since && begunElapsed > jumpedBack.lastElapsed
  }
  if (!jumpedBack.ever || asks.some(isTold)) {
    violation('a resend is refused longer than its wait', facts(ask, seen))
  }
}

/** The Retry-After of a refusal in s, less what the clock moved during the request. */
export function toldToWait({ answer, clockMin, clockMax }: Ask): number {
  const movedSeconds = (clockMax - clockMin) / 1000
  return (answer?.retryAfter ?? Number.POSITIVE_INFINITY) - Math.ceil(movedSeconds)
}

/** Fails if nothing that the clients know explains the refusal. */
export function justify(ledger: Ledger, ask: Ask, seen: Seen, code: string): void {
  const reasons: Record<string, boolean> = {
    verification_used: seen.approvers.size > 0,
    verification_canceled: seen.cancelers.size > 0 || seen.start === null,
    verification_expired: mayBeExpired(seen) || mayLackKey(ledger, seen),
    verification_exhausted: seen.spends.size >= (seen.begun?.attemptsMax ?? 1),
    verification_not_found: mayBeDeleted(seen),
    check_too_early: seen.app.mayDelay && toldToWait(ask) <= delayMaxSeconds,
    invalid_request: ask.code !== undefined && !isShaped(ask.code, seen),
    idempotency_key_reused: Boolean(ask.repeatKey),
    app_paused: seen.app.mayPause,
  }
  if (!reasons[code]) violation('a request is refused without a reason', facts(ask, seen))
}

/** True if the text has the form of this verification's code. */
function isShaped(code: string | null | undefined, { begun }: Seen): boolean {
  if (code === null || code === undefined || !begun) return false
  const text = code.replace(/[\s-]/g, '')
  if (begun.codeFormat === 'numeric') return new RegExp(`^\\d{${begun.codeLength}}$`).test(text)
  return /^[0-9A-Za-z]{13}$/.test(text)
}

/** The facts about a request and its verification for a report. */
export function facts(ask: Ask, seen: Seen | null = null): object {
  const { number, kind, answer, code } = ask
  const verification = seen && {
    ...{ id: seen.id, mode: seen.mode, wrong: seen.wrong, approvals: seen.approvals },
    ...{ code: seen.code, approvedAt: seen.approvedAt, canceledAt: seen.canceledAt },
    ...{ spends: [...seen.spends].map((each) => each.number), begun: seen.begun },
  }
  return { request: number, kind, code, status: answer?.status, text: answer?.text, verification }
}
