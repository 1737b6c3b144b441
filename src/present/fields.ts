import { endpointKindList } from '../domain/app/endpoint.ts'
import type { EndpointField } from '../domain/app/endpoint-fields.ts'
import { effectivePolicy, policyFieldList } from '../domain/app/policy.ts'
import type { PolicyEffect } from '../domain/app/policy-effect.ts'
import type { Field } from '../domain/field.ts'
import { languages } from '../domain/language.ts'
import type { DomainSettings } from '../domain/settings.ts'

/** A policy with the server's settings, and what it means for who guesses. */
export function presentPolicyEffect({ policy, ...effect }: PolicyEffect) {
  return {
    policy: Object.fromEntries(policyFieldList.map(([name, { wire }]) => [wire, policy[name]])),
    wrong_codes_per_day: effect.wrongCodesPerDay,
    wrong_codes_per_month: effect.wrongCodesPerMonth,
    guesses_per_year: effect.guessesPerYear,
    guess_bound_per_year: effect.guessBoundPerYear,
  }
}

/** What may be set, for who builds a form: each field with its bounds and its sentence. */
export function presentFields(settings: DomainSettings) {
  const usual = effectivePolicy({}, settings)
  return {
    policy: policyFieldList.map(([name, { ceiling, ...field }]) => {
      const max = ceiling !== undefined && field.type === 'integer' && settings[ceiling]
      return { ...presentField(max ? { ...field, max } : field), usual: usual[name] }
    }),
    endpoints: endpointKindList.map(([kind, { channel, noun, fields }]) => ({
      kind,
      channel,
      noun,
      fields: Object.values<EndpointField>(fields).map(({ usual = null, ...field }) => ({
        ...presentField(field),
        required: field.required === true,
        nullable: field.nullable === true,
        secret: field.secret === true,
        /** A change of it needs the secrets again. */
        destination: field.destination === true,
        usual,
      })),
    })),
    languages: [...languages],
  }
}

function presentField(field: Field & { wire: string }) {
  const { wire: name, says, type } = field
  const { min, max, of, lines } = { ...noBounds, ...field }
  return { name, says, type, min, max, of: of && [...of], lines }
}

const noBounds: {
  min: number | null
  max: number | null
  of: readonly string[] | null
  lines: boolean
} = { min: null, max: null, of: null, lines: false }
