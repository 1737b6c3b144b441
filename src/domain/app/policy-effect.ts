import { type FieldError, refuseIfAny } from '../problem.ts'
import type { DomainSettings } from '../settings.ts'
import { guessBoundPerYear, guessBudget, guessesPerYear } from '../verification/limits.ts'
import { type EffectivePolicy, effectivePolicy, type PolicyInput, readPolicy } from './policy.ts'

/** What a policy comes to with the server's settings. */
export type PolicyEffect = {
  policy: EffectivePolicy
  /** Wrong codes for one recipient after which the next code is long, or refused. */
  wrongCodesPerDay: number
  wrongCodesPerMonth: number
  /** How many guesses a recipient can get in a year, in the worst case. */
  guessesPerYear: number
  /** The chance in a year, for one recipient, that one of them hits. */
  guessBoundPerYear: number
}

/** Judges a policy that is not stored yet. Throws `invalid_request` with every mistake. */
export function policyEffect(
  settings: DomainSettings,
  { input, mistakes }: { input: PolicyInput; mistakes: FieldError[] },
): PolicyEffect {
  const own = readPolicy(settings, { current: {}, input, mistakes })
  refuseIfAny(mistakes)
  const policy = effectivePolicy(own, settings)
  const windows = guessBudget(settings)
  return {
    policy,
    wrongCodesPerDay: settings.guessBudgetPerDay,
    wrongCodesPerMonth: settings.guessBudgetPerMonth,
    guessesPerYear: guessesPerYear(windows),
    guessBoundPerYear: guessBoundPerYear(windows, policy.codeLength),
  }
}
