import type { Policy } from './app.ts'
import type { DomainSettings } from './ports.ts'
import type { FieldError } from './problem.ts'

/** A policy as it came in: anything may stand in any field; null takes a field back. */
export type PolicyInput = { [Field in keyof Policy]?: unknown }

type Rule = {
  /** The field as callers know it, below `policy`. */
  wire: string
  ceiling?(settings: DomainSettings): number
  reason: string
  holds(value: unknown): boolean
}

/** Every field of a policy: how it is called outside, and what may stand in it. */
export const policyRules: Record<keyof Policy, Rule> = {
  codeLength: whole('code_length', 4, 10),
  ttlSeconds: whole('ttl_seconds', 30, 86_400),
  attemptsMax: { ...whole('attempts_max', 1, 10), ceiling: (settings) => settings.attemptsMax },
  onBudgetExhausted: {
    wire: 'on_budget_exhausted',
    reason: 'must be "long_code" or "refuse"',
    holds: (value) => value === 'long_code' || value === 'refuse',
  },
  codeInSubject: flag('code_in_subject'),
  longerCodesOnAlarm: flag('longer_codes_on_alarm'),
  origin: {
    wire: 'origin',
    reason: 'must be an https origin like https://app.example.com, or http://localhost',
    holds: isOrigin,
  },
  startsPerMinute: {
    ...whole('starts_per_minute', 1, 1_000_000),
    ceiling: (settings) => settings.appStartsPerMinute,
  },
  recipientStartsPerDay: {
    ...whole('recipient_starts_per_day', 1, 10_000),
    ceiling: (settings) => settings.recipientStartsPerDay,
  },
}

/** Lays `input` over `current`; what is wrong is added to `mistakes`, by name, without values. */
export function readPolicy(
  settings: DomainSettings,
  { current, input, mistakes }: { current: Policy; input: PolicyInput; mistakes: FieldError[] },
): Policy {
  const merged: Record<string, unknown> = { ...current }
  for (const [field, rule] of Object.entries(policyRules)) {
    const value = input[field as keyof Policy]
    if (value === undefined) continue
    delete merged[field]
    if (value === null) continue
    const ceiling = rule.ceiling?.(settings)
    if (!rule.holds(value)) {
      mistakes.push({ field: `policy.${rule.wire}`, reason: rule.reason })
    } else if (ceiling !== undefined && Number(value) > ceiling) {
      const reason = `must be no more than the server allows, which is ${ceiling}`
      mistakes.push({ field: `policy.${rule.wire}`, reason })
    } else {
      merged[field] = value
    }
  }
  return merged as Policy
}

function whole(wire: string, least: number, most: number): Rule {
  return {
    wire,
    reason: `must be a whole number from ${least} to ${most}`,
    holds: (value) => Number.isInteger(value) && Number(value) >= least && Number(value) <= most,
  }
}

function flag(wire: string): Rule {
  return { wire, reason: 'must be true or false', holds: (value) => typeof value === 'boolean' }
}

/** Exactly what a browser calls an origin: scheme, host, port, and nothing after them. */
function isOrigin(value: unknown): boolean {
  if (typeof value !== 'string' || value.length > 255) return false
  const url = URL.parse(value)
  if (url === null || url.origin !== value) return false
  return url.protocol === 'https:' || (url.protocol === 'http:' && url.hostname === 'localhost')
}
