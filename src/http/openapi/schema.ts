import type { TSchema } from 'elysia'

export type JsonSchema = Record<string, unknown>

/** What is collected, and known, while a document is made. */
export type Scope = {
  components: Record<string, JsonSchema>
  /** The server's own bounds, by the names that schemas have in `ceiling`. */
  ceilings: Record<string, number>
}

/** Words of ours in a schema that OpenAPI does not know. */
const ours = new Set(['reason', 'component', 'ceiling'])

/**
 * JSON Schema as OpenAPI 3.0 knows it: integers, nullable, maps by another name, and references to
 * named components, which are added to the scope's.
 */
export function toOpenApiSchema(schema: TSchema, scope: Scope): JsonSchema {
  const { component: name } = schema
  if (typeof name !== 'string') return inline(schema, scope)
  scope.components[name] ??= inline(schema, scope)
  return { $ref: `#/components/schemas/${name}` }
}

function inline(schema: TSchema, scope: Scope): JsonSchema {
  const convert = (inner: TSchema) => toOpenApiSchema(inner, scope)
  const { anyOf, patternProperties, multipleOf, shown, properties, items, ...rest } = schema
  const choices: TSchema[] = Array.isArray(anyOf) ? anyOf : []
  const present = choices.filter((choice) => choice['type'] !== 'null')
  const known = Object.fromEntries(Object.entries(rest).filter(([word]) => !ours.has(word)))
  const [only] = present
  if (only && present.length === 1) return { ...nullable(convert(only)), ...known }
  const ceiling = scope.ceilings[String(schema['ceiling'])]
  // `oneOf` of our own is a pattern for the check; readers need the words alone.
  if (known['enum']) delete known['pattern']

  return {
    ...known,
    ...(shown as object | undefined),
    ...(present.length > 1 && { anyOf: present.map(convert) }),
    ...(multipleOf === 1 && { type: 'integer' }),
    ...(ceiling !== undefined && { maximum: ceiling }),
    ...(properties && { properties: mapValues(properties as Record<string, TSchema>, convert) }),
    ...(items && { items: convert(items as TSchema) }),
    ...(patternProperties && {
      additionalProperties: Object.values(patternProperties as object).map(convert)[0],
    }),
  }
}

/** Words beside a reference are not read in OpenAPI 3.0, so it is wrapped. */
function nullable(schema: JsonSchema): JsonSchema {
  if (schema['$ref']) return { allOf: [schema], nullable: true }
  const choices = schema['enum']
  return { ...schema, nullable: true, ...(Array.isArray(choices) && { enum: [...choices, null] }) }
}

function mapValues<Value, Result>(
  values: Record<string, Value>,
  change: (value: Value) => Result,
): Record<string, Result> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, change(value)]))
}
