import type { TSchema } from 'elysia'
import { type EndpointField, smtpFields, smtpSecurities } from '../../domain/app/endpoint.ts'
import type { Field } from '../../domain/field.ts'
import { emailPattern, hostPattern, namePattern, originPattern, textPattern } from './patterns.ts'
import { fieldSchema, nullable, oneOf } from './schema.ts'

/** What OpenAPI says of texts, by their wire names. */
const patterns: Record<string, string> = {
  host: hostPattern,
  user: textPattern,
  password: textPattern,
  from: emailPattern,
  from_name: namePattern,
  origin: originPattern,
}

/** A field that the domain describes and judges, as a schema. */
export function wireField({ wire, ...field }: Field & { wire: string }): TSchema {
  const pattern = patterns[wire]
  return fieldSchema(field, pattern ? { pattern } : {})
}

export function wireFieldOrNull(field: EndpointField): TSchema {
  return field.nullable ? nullable(wireField(field)) : wireField(field)
}

/** `opportunistic` is what loopback gets without being asked, and nothing else can have. */
export const securityField = oneOf(
  smtpSecurities.filter((security) => security !== 'opportunistic'),
  smtpFields.security.says,
)
