type Schema = {
  type?: string
  nullable?: boolean
  enum?: unknown[]
  anyOf?: Schema[]
  required?: string[]
  properties?: Record<string, Schema>
  additionalProperties?: boolean | Schema
  items?: Schema
}

/** Where a value differs from an OpenAPI 3.0 schema; empty when it is as described. */
export function differences(schema: Schema, value: unknown, path = '$'): string[] {
  if (value === null) return schema.nullable ? [] : [`${path} is null`]
  if (schema.anyOf) {
    const fits = schema.anyOf.some((choice) => differences(choice, value, path).length === 0)
    return fits ? [] : [`${path} is none of its choices`]
  }
  if (schema.enum && !schema.enum.includes(value)) return [`${path} is not in its list`]
  if (schema.type === 'array') {
    if (!Array.isArray(value)) return [`${path} is no array`]
    return value.flatMap((item, index) =>
      differences(schema.items ?? {}, item, `${path}[${index}]`),
    )
  }
  if (schema.type === 'object') return objectDifferences(schema, value, path)
  if (schema.type === 'integer') return Number.isInteger(value) ? [] : [`${path} is no integer`]
  if (schema.type === undefined) return []
  const type = Array.isArray(value) ? 'array' : typeof value
  return type === schema.type ? [] : [`${path} is ${type}, not ${schema.type}`]
}

function objectDifferences(schema: Schema, value: unknown, path: string): string[] {
  if (typeof value !== 'object' || value === null) return [`${path} is no object`]
  const { properties = {}, required = [], additionalProperties = true } = schema
  const missing = required.filter((name) => !(name in value)).map((name) => `${path}.${name} lacks`)
  const inner = Object.entries(value).flatMap(([name, item]) => {
    const known = properties[name]
    if (known) return differences(known, item, `${path}.${name}`)
    if (additionalProperties === false) return [`${path}.${name} is not described`]
    return additionalProperties === true ? [] : differences(additionalProperties, item, path)
  })
  return [...missing, ...inner]
}
