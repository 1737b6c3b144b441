import type { App } from '../../domain/app/app.ts'
import { effectivePolicy } from '../../domain/app/policy.ts'
import type { Finding } from '../../domain/server.ts'
import type { DomainSettings } from '../../domain/settings.ts'
import { guessBoundPerYear, guessBudget, guessesPerYear } from '../../domain/verification/limits.ts'
import { ok, warning } from './finding.ts'

/** ASVS 6.5.5 and NIST SP 800-63B-4 3.1.3.2: a short code lives ten minutes at most. */
const lifeMaxSeconds = 600

export function checkCodeLife(settings: DomainSettings, apps: App[]): Finding[] {
  const lives: [string, number][] = [
    ['the server', settings.ttlSeconds],
    ...apps.map(({ id, policy }): [string, number] => [`app ${id}`, policy.ttlSeconds ?? 0]),
  ]
  const long = lives
    .filter(([, seconds]) => seconds > lifeMaxSeconds)
    .map(([whose, seconds]) =>
      warning('code life', `${whose}: ${seconds} s`, `${lifeMaxSeconds} s or less is advised`),
    )
  return long.length > 0 ? long : [ok('code life', `${settings.ttlSeconds} s`)]
}

/** The chance of blind guessing in a year, for every code length in use. */
export function checkGuessBound(settings: DomainSettings, apps: App[]): Finding[] {
  const windows = guessBudget(settings)
  const guesses = guessesPerYear(windows)
  const { guessBudgetPerDay: day, guessBudgetPerMonth: month } = settings
  const lengths = apps.map(({ policy }) => policy.codeLength ?? settings.codeLength)
  const all = [...new Set([settings.codeLength, ...lengths])].sort((a, b) => a - b)
  return all.map((length) => {
    const percent = guessBoundPerYear(windows, length) * 100
    const detail =
      `${length} digits: at most ${guesses} guesses a year, ${Number(percent.toPrecision(3))} %, ` +
      'for one recipient of one app, in the worst case ' +
      `(${day} wrong codes in 24 hours, ${month} in 30 days)`
    return percent > 0.1
      ? warning('guess bound', detail, 'use longer codes or a smaller budget')
      : ok('guess bound', detail)
  })
}

/** With `on_budget_exhausted: refuse` anybody who knows an address can lock its owner out. */
export function checkLockOut(settings: DomainSettings, apps: App[]): Finding[] {
  const { guessBudgetPerDay: day, guessBudgetPerMonth: month } = settings
  return apps
    .filter((app) => effectivePolicy(app.policy, settings).onBudgetExhausted === 'refuse')
    .map(({ id }) => {
      const detail =
        `app ${id} refuses a recipient after ${day} wrong codes in 24 hours or ${month} in ` +
        '30 days: anybody who can start verifications for an address can lock its owner out'
      return warning('lock-out', detail, 'set on_budget_exhausted to long_code unless it is meant')
    })
}
