import { type PolicyInput, policyFieldList } from '../../domain/app/policy.ts'
import { emailNames, type SmtpInput, smtpFieldList } from '../../domain/app/smtp-fields.ts'
import { mustBe } from '../../domain/field.ts'
import type { FieldError } from '../../domain/problem.ts'

/** The fields of a policy by the domain's names; undefined for no object, a known mistake. */
export function policyInput(value: unknown): PolicyInput | undefined {
  const fields = asObject(value)
  if (!fields) return undefined
  return Object.fromEntries(policyFieldList.map(([name, { wire }]) => [name, fields[wire]]))
}

/** The fields of an email endpoint by the domain's names; a secret is never null. */
export function emailInput(value: unknown, mistakes: FieldError[]): SmtpInput | undefined {
  const fields = asObject(value)
  if (!fields) return undefined
  const input: SmtpInput = {}
  for (const [name, field] of smtpFieldList) {
    const value = fields[field.wire]
    if (field.secret && value === null) {
      mistakes.push({ field: emailNames[name], reason: mustBe(field) })
    } else input[name] = value
  }
  return input
}

function asObject(value: unknown): Record<string, unknown> | undefined {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  return isObject ? (value as Record<string, unknown>) : undefined
}
