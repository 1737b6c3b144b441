import { dayMs } from '../../src/domain/verification/limits.ts'
import { type Ledger, lateOf } from './ledger.ts'
import { type Answer, type Ask, chargedOf, fold, peopleOf, type Seen, violation } from './model.ts'
import { facts, isUnheard, toldToWait } from './oracle-checks.ts'

/** Checks that the refusal of a start has a reason. */
export function judgeStart(ledger: Ledger, ask: Ask, answer: Answer): void {
  const { app } = ask
  if (answer.status < 300 || isUnheard(ask, answer)) return
  if (ask.kind === 'otp') {
    judgeOtpRefusal(ledger, ask, answer)
    return
  }
  const code = String(answer.json?.code)
  const reasons: Record<string, boolean> = {
    app_paused: Boolean(app?.mayPause),
    budget_exhausted: Boolean(app?.mayRefuse),
    idempotency_key_reused: Boolean(ask.repeatKey),
    rate_limited: true,
  }
  if (!reasons[code]) violation('a start is refused without a reason', facts(ask))
  if (code === 'rate_limited') judgeLimit(ledger, ask, String(answer.json.limit))
}

function judgeOtpRefusal(ledger: Ledger, ask: Ask, { status, text }: Answer): void {
  const { app } = ask
  const isNotSent = text.startsWith('Error: The mail was not sent')
  if (status === 400 && (isNotSent || app?.isLeaving || app?.mayPause)) return
  if (status !== 429) violation('a start is refused without a reason', facts(ask))
  if (app?.mayRefuse || text.includes('in time')) return
  // The answer names no limit. After the clock went back an address counts as unknown, so that wrong
  // keys from it may be what limits it.
  if (ledger.jumpedBack.ever) return
  // The app's limit is assumed if it is small.
  const isApps = (app?.minuteMin ?? 0) < ledger.settings.appStartsPerMinute
  judgeLimit(ledger, ask, isApps ? 'app_day' : 'recipient_day')
}

/** Checks that a limit was used by earlier starts, and refuses for no longer than its window. */
function judgeLimit(ledger: Ledger, ask: Ask, limit: string): void {
  const { settings, jumpedBack } = ledger
  const windows: Record<string, number> = {
    recipient_spacing: settings.recipientStartSpacingSeconds * 1000,
    recipient_quarter_hour: 900_000,
    recipient_day: dayMs,
    app_minute: 60_000,
    app_day: dayMs,
  }
  const windowMs = windows[limit]
  if (windowMs === undefined) violation('a limit has an unknown name', facts(ask))
  // A window is a whole number of steps, so it may be some ms longer.
  if (ask.kind === 'start' && toldToWait(ask) > (windowMs + lateOf(ledger)) / 1000 + 1) {
    violation('a limit says to wait longer than its window', { limit, ...facts(ask) })
  }
  // A rate counts by the times at which requests are read. One that was read later may be counted
  // earlier, and this one is told to wait for no longer than it took itself.
  if (ask.kind === 'start' && toldToWait(ask) <= 0) return
  const since = ask.begunElapsed - windowMs - lateOf(ledger)
  const starts = ledger.asks.filter((other) => other !== ask && isCounted(limit, ask, other))
  const takers = starts.filter(mayHaveTaken)
  if (takers.length === 0) violation('a limit refuses the first', { limit, ...facts(ask) })
  const recent = takers.filter(({ overElapsed }) => overElapsed === null || overElapsed >= since)
  const say = (max: number) => {
    const counted = recent.map(({ number }) => number)
    violation('a limit holds longer than its window', { limit, counted, max, ...facts(ask) })
  }
  if (!jumpedBack.ever) {
    const max = ask.kind === 'start' ? leastMax(ledger, ask, limit) : 1
    if (recent.length < max) say(max)
    return
  }
  // A start with a route names the limit of whoever is free first, not of everybody.
  if (ask.route) return
  // After the clock went back any limit may be full, but for no longer than its window.
  const before = starts.find(({ kind, route, answer, number, overElapsed }) => {
    const isLimited = kind === 'start' && !route && answer?.json?.limit === limit
    return isLimited && number < ask.number && overElapsed !== null && overElapsed < since
  })
  if (!before || jumpedBack.lastElapsed >= before.begunElapsed) return
  const isTaken = takers.some(({ overElapsed }) => {
    return overElapsed === null || overElapsed >= before.begunElapsed
  })
  if (!isTaken) say(1)
}

/** True if the start has, or may have, counted in its limits. */
function mayHaveTaken({ kind, answer }: Ask): boolean {
  if (kind !== 'start' && kind !== 'otp') return false
  if (!answer || answer.status < 300 || answer.status === 503) return true
  if (kind === 'otp') return answer.status === 400 && answer.text.includes('not sent')
  return answer.json?.code === 'budget_exhausted'
}

/** True if both starts count in the same limit; `recipient_day` spans the apps. */
function isCounted(limit: string, ask: Ask, other: Ask): boolean {
  const [mode, otherMode] = [ask, other].map(({ key }) => key?.mode ?? 'live')
  if (mode !== otherMode) return false
  const isSameApp = ask.app === other.app
  if (limit.startsWith('app_')) return isSameApp
  if (!peopleOf(ask).some((person) => names(peopleOf(other), person))) return false
  return isSameApp || (limit === 'recipient_day' && mode === 'live')
}

/** The number of starts in a window that every policy so far allowed. */
function leastMax({ settings }: Ledger, { app }: Ask, limit: string): number {
  const maxima: Record<string, number> = {
    recipient_spacing: 1,
    recipient_quarter_hour: settings.recipientStartsPerQuarterHour,
    recipient_day: Math.min(app?.recipientDayMin ?? 1, settings.recipientStartsPerDayAcrossApps),
    app_minute: app?.minuteMin ?? 1,
    app_day: settings.appStartsPerDay,
  }
  return maxima[limit] ?? 1
}

/** Checks the spacing and the number of starts for one recipient, if the clock never jumped. */
export function judgeSpacing(ledger: Ledger, ask: Ask, answer: Answer): void {
  if (ledger.jumped || answer.isReplayed) return
  const { settings } = ledger
  const spacingMs = settings.recipientStartSpacingSeconds * 1000
  for (const person of chargedOf(ask)) judgeSpacingOf(ledger, ask, answer, { person, spacingMs })
}

function judgeSpacingOf(
  ledger: Ledger,
  ask: Ask,
  answer: Answer,
  { person, spacingMs }: { person: string; spacingMs: number },
): void {
  const { settings } = ledger
  const starts = ledger.asks.filter((other) => {
    const isSame = hasStarted(other) && isCounted('recipient_spacing', ask, other)
    return isSame && names(chargedOf(other), person)
  })
  for (const other of starts) {
    if (other === ask) continue
    const [first, second] = other.number < ask.number ? [other, ask] : [ask, other]
    const apart = (second.overElapsed ?? 0) - first.begunElapsed
    if (apart < spacingMs) {
      violation('two starts come closer than allowed', { other: other.number, ...facts(ask) })
    }
  }
  const inWindow = (ms: number) =>
    starts.filter(({ begunElapsed }) => begunElapsed > answer.elapsed - ms).length
  // A full burst, and as many again that become free during the window.
  const quarter = 2 * settings.recipientStartsPerQuarterHour
  const day = 2 * settings.recipientStartsPerDay
  if (inWindow(900_000) > quarter || inWindow(dayMs) > day) {
    violation('more starts than a limit allows', facts(ask))
  }
}

function hasStarted({ kind, answer }: Ask): boolean {
  if (kind === 'otp') return answer?.status === 200
  return kind === 'start' && answer?.status === 201 && !answer.isReplayed
}

/** Checks the guess budget of one recipient of an app, if the clock never went back. */
export function judgeBudget(ledger: Ledger, ask: Ask): void {
  const { about: seen, answer } = ask
  if (ledger.jumpedBack.ever || !seen || seen.mode !== 'live') return
  if (seen.begun?.codeFormat !== 'numeric' || !answer) return
  for (const person of seen.start ? chargedOf(seen.start) : []) {
    judgeBudgetOf(ledger, ask, seen, person)
  }
}

function judgeBudgetOf(ledger: Ledger, ask: Ask, seen: Seen, person: string): void {
  const guesses = ledger.asks.filter((other) => {
    const { about } = other
    if (about?.app !== seen.app || about.mode !== 'live' || !about.start) return false
    return names(chargedOf(about.start), person) && isWrongGuess(other)
  })
  const { guessBudgetPerDay, guessBudgetPerMonth } = ledger.settings
  const windows = [
    { max: guessBudgetPerDay, windowMs: dayMs },
    { max: guessBudgetPerMonth, windowMs: 30 * dayMs },
  ]
  for (const { max, windowMs } of windows) {
    const inside = guesses.filter(({ clockMin }) => clockMin > ask.clockMax - windowMs)
    if (inside.length > max) violation('more guesses than the budget', { max, ...facts(ask) })
  }
}

function isWrongGuess({ kind, about, answer }: Ask): boolean {
  if (!answer || about?.begun?.codeFormat !== 'numeric') return false
  if (kind === 'check') return answer.status === 200 && !answer.json.valid && !answer.isReplayed
  return kind === 'verify' && answer.text === 'OTP Mismatched!'
}

/** True if the limits of this person are among those of these people. */
function names(people: string[], person: string): boolean {
  return people.some((other) => fold(other) === fold(person))
}
