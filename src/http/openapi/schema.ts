import type { TSchema } from 'elysia'

export type JsonSchema = Record<string, unknown>

/** The collected components and the settings, while a document is made. */
export type Scope = {
  components: Record<string, JsonSchema>
  /** The server's settings, by the names in `ceiling` of schemas. */
  ceilings: Record<string, number>
}

/** Our keywords of schemas, which are not in OpenAPI. */
const ours = new Set(['reason', 'component', 'ceiling'])

/**
 * Converts JSON Schema to OpenAPI 3.0: integers, nullable, maps, and references to named
 * components, which are added to the scope.
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
  // Our `oneOf` has a pattern for the check; the document needs only the words.
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

/** Wraps a reference, because OpenAPI 3.0 ignores keywords beside it. */
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
