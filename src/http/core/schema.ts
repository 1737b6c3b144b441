import { type TSchema, t } from 'elysia'
import { type Field, mustBe } from '../../domain/field.ts'

// Schemas are TypeBox's, with additional keywords: `reason` says what would be right, `component`
// names the schema in OpenAPI, and `shown` has keywords for OpenAPI only, where the domain checks
// the value.

/** A JSON object of these fields and no others: a misspelt field is a mistake, never ignored. */
export const object: typeof t.Object = (fields, options) =>
  t.Object(fields, { additionalProperties: false, ...options })

/** A body that OpenAPI lists by name among its components; it takes no other fields. */
export function input<Fields extends Record<string, TSchema>>(
  component: string,
  fields: Fields,
  options: Record<string, unknown> = {},
) {
  return object(fields, { ...options, component })
}

/** An answer that OpenAPI lists by name; later versions may add fields to it. */
export function output<Fields extends Record<string, TSchema>>(
  component: string,
  fields: Fields,
  options: Record<string, unknown> = {},
) {
  return t.Object(fields, { ...options, component })
}

/** Whole numbers only; Elysia's own Integer would take "12" for 12. */
export function integer(least: number, most: number, description: string) {
  return t.Number({ minimum: least, maximum: most, multipleOf: 1, description })
}

/** A whole number from 0 on. */
export function count(description: string) {
  return t.Number({ minimum: 0, multipleOf: 1, description })
}

/** One of these words, checked by a pattern; the schema's `enum` is for OpenAPI only. */
export function oneOf<const Value extends string>(values: readonly Value[], description: string) {
  const pattern = `^(?:${values.map((value) => value.replaceAll('.', '\\.')).join('|')})$`
  const reason = `must be ${values.length === 1 ? '' : 'one of '}${values.join(', ')}`
  const schema = t.String({ enum: [...values], pattern, reason, description })
  return schema as unknown as ReturnType<typeof t.Unsafe<Value>>
}

/** Text that matches a pattern; `reason` describes it in refusals. */
export function shaped(pattern: string, reason: string, description: string) {
  return t.String({ pattern, reason, description })
}

/** An id of 128 random bits: an app's, a key's, an endpoint's. */
export function id(description: string) {
  return shaped('^[0-9A-Za-z]{22}$', 'must be 22 letters and digits', description)
}

/** An id that begins with its time: a verification's, a delivery's. */
export function timedId(description: string) {
  return shaped('^[0-9A-Za-z]{30}$', 'must be 30 letters and digits', description)
}

export function time(description: string) {
  return t.String({ description: `${description} RFC 3339, UTC.`, shown: { format: 'date-time' } })
}

export function nullable<Schema extends TSchema>(schema: Schema, description?: string) {
  return t.Union([schema, t.Null()], description === undefined ? {} : { description })
}

/** The schema of a field of the domain, with keywords for OpenAPI only. */
export function fieldSchema(field: Field, shown: Record<string, unknown> = {}): TSchema {
  const { says } = field
  if (field.type === 'integer') return { ...integer(field.min, field.max, says), shown }
  if (field.type === 'boolean') return t.Boolean({ description: says })
  if (field.type === 'choice') return oneOf(field.of, says)
  if (field.type === 'list') return listOf(field)
  if (field.type === 'texts') {
    const shown = { minItems: 1, maxItems: field.most, uniqueItems: true }
    const item = t.String({ maxLength: field.max, description: field.must })
    return t.Array(item, { reason: mustBe(field), description: says, shown })
  }
  if (field.type === 'integers') {
    const item = integer(field.min, field.max, 'One of them.')
    const shown = { minItems: 1, maxItems: field.most }
    return t.Array(item, { reason: mustBe(field), description: says, shown })
  }
  const { min: minLength, max: maxLength } = field
  return t.String({ minLength, maxLength, reason: mustBe(field), description: says, shown })
}

function listOf(field: Extract<Field, { type: 'list' }>): TSchema {
  const { of, min: minItems, max: maxItems, says } = field
  const shown = { minItems, maxItems, uniqueItems: true }
  const item = field.must === undefined ? oneOf(of, 'One of them.') : listed(of, field.must)
  return t.Array(item, { reason: mustBe(field), description: says, shown })
}

/** One of many words: a pattern without an `enum`, of which tools try every value. */
function listed(of: readonly string[], description: string) {
  return shaped(`^(?:${of.join('|')})$`, `must be one of: ${description}`, description)
}
