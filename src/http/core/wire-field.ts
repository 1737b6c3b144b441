import type { TSchema } from 'elysia'
import type { EndpointField } from '../../domain/app/endpoint-fields.ts'
import { smtpFields, smtpSecurities } from '../../domain/app/smtp-fields.ts'
import type { Field } from '../../domain/field.ts'
import {
  domainPattern,
  emailPattern,
  hostPattern,
  namePattern,
  originPattern,
  selectorPattern,
  textPattern,
} from './patterns.ts'
import { fieldSchema, nullable, oneOf } from './schema.ts'

/** Patterns for OpenAPI, by wire name. */
const patterns: Record<string, string> = {
  host: hostPattern,
  user: textPattern,
  password: textPattern,
  client_id: textPattern,
  client_secret: textPattern,
  refresh_token: textPattern,
  from: emailPattern,
  from_name: namePattern,
  origin: originPattern,
  domain: domainPattern,
  selector: selectorPattern,
}

/** The schema of a field that the domain describes and checks. */
export function wireField({ wire, ...field }: Field & { wire: string }): TSchema {
  const pattern = field.type === 'text' && field.pattern ? field.pattern : patterns[wire]
  return fieldSchema(field, pattern ? { pattern } : {})
}

export function wireFieldOrNull(field: EndpointField): TSchema {
  return field.nullable ? nullable(wireField(field)) : wireField(field)
}

/** Without `opportunistic`, which is the default on loopback and not allowed elsewhere. */
export const securityField = oneOf(
  smtpSecurities.filter((security) => security !== 'opportunistic'),
  smtpFields.security.says,
)
