import { type EndpointKind, endpointKindList, endpointKinds } from '../../domain/app/endpoint.ts'
import type { EndpointInput } from '../../domain/app/endpoint-fields.ts'
import { type PolicyInput, policyFieldList } from '../../domain/app/policy.ts'
import { mustBe } from '../../domain/field.ts'
import type { FieldError } from '../../domain/problem.ts'

/** The fields of a policy by the domain's names; undefined for no object, a known mistake. */
export function policyInput(value: unknown): PolicyInput | undefined {
  const fields = asObject(value)
  if (!fields) return undefined
  return Object.fromEntries(policyFieldList.map(([name, { wire }]) => [name, fields[wire]]))
}

/** The fields of an endpoint by the domain's names; a secret is never null. */
export function settingsInput(
  kind: EndpointKind,
  value: unknown,
  mistakes: FieldError[],
): EndpointInput | undefined {
  const fields = asObject(value)
  if (!fields) return undefined
  const input: EndpointInput = {}
  for (const [name, field] of Object.entries(endpointKinds[kind].fields)) {
    const value = fields[field.wire]
    if (field.secret && value === null) {
      mistakes.push({ field: `${kind}.${field.wire}`, reason: mustBe(field) })
    } else input[name] = value
  }
  return input
}

/** The kinds whose settings a body has. */
export function kindsGiven(fields: Record<string, unknown>): EndpointKind[] {
  return endpointKindList.map(([kind]) => kind).filter((kind) => fields[kind] !== undefined)
}

function asObject(value: unknown): Record<string, unknown> | undefined {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  return isObject ? (value as Record<string, unknown>) : undefined
}
