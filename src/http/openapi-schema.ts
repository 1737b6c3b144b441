import type { TSchema } from 'elysia'

/** JSON Schema as OpenAPI 3.0 knows it: integers, nullable, and maps by another name. */
export function toOpenApiSchema(schema: TSchema): Record<string, unknown> {
  const { anyOf, patternProperties, multipleOf, reason: _, ...rest } = schema
  const choices: TSchema[] = Array.isArray(anyOf) ? anyOf : []
  const present = choices.filter((choice) => choice['type'] !== 'null')
  const [only] = present
  if (only && present.length === 1) return { ...toOpenApiSchema(only), ...rest, nullable: true }

  return {
    ...rest,
    ...(present.length > 1 && { anyOf: present.map(toOpenApiSchema) }),
    ...(multipleOf === 1 && { type: 'integer' }),
    ...(schema['properties'] && { properties: mapValues(schema['properties'], toOpenApiSchema) }),
    ...(schema['items'] && { items: toOpenApiSchema(schema['items']) }),
    ...(patternProperties && {
      additionalProperties: Object.values(patternProperties as object).map(toOpenApiSchema)[0],
    }),
  }
}

function mapValues<Value, Result>(
  values: Record<string, Value>,
  change: (value: Value) => Result,
): Record<string, Result> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, change(value)]))
}
