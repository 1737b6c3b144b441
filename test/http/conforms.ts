export type Schema = {
  $ref?: string
  type?: string
  nullable?: boolean
  enum?: unknown[]
  pattern?: string
  format?: string
  anyOf?: Schema[]
  allOf?: Schema[]
  required?: string[]
  properties?: Record<string, Schema>
  additionalProperties?: boolean | Schema
  items?: Schema
}
export type Components = Record<string, Schema>

/** The differences between a value and an OpenAPI 3.0 schema; empty when it conforms. */
export function differences(
  components: Components,
  schema: Schema,
  value: unknown,
  path = '$',
): string[] {
  const inside = (inner: Schema, item: unknown, place: string) =>
    differences(components, inner, item, place)
  if (value === null && schema.nullable) return []
  if (schema.$ref) {
    const named = components[schema.$ref.replace('#/components/schemas/', '')]
    return named ? inside(named, value, path) : [`${path} refers to no component`]
  }
  if (schema.allOf) return schema.allOf.flatMap((each) => inside(each, value, path))
  if (value === null) return [`${path} is null`]
  if (schema.anyOf) {
    const fits = schema.anyOf.some((choice) => inside(choice, value, path).length === 0)
    return fits ? [] : [`${path} is none of its choices`]
  }
  if (schema.enum && !schema.enum.includes(value)) return [`${path} is not in its list`]
  if (schema.type === 'array') {
    if (!Array.isArray(value)) return [`${path} is no array`]
    return value.flatMap((item, index) => inside(schema.items ?? {}, item, `${path}[${index}]`))
  }
  if (schema.type === 'object') return objectDifferences(components, schema, value, path)
  if (schema.type === 'integer') return Number.isInteger(value) ? [] : [`${path} is no integer`]
  if (schema.type === undefined) return []
  const type = Array.isArray(value) ? 'array' : typeof value
  if (type !== schema.type) return [`${path} is ${type}, not ${schema.type}`]
  return typeof value === 'string' ? textDifferences(schema, value, path) : []
}

function textDifferences({ pattern, format }: Schema, value: string, path: string): string[] {
  if (pattern && !new RegExp(pattern, 'u').test(value)) return [`${path} is of another shape`]
  const isTime = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/.test(value)
  return format === 'date-time' && !isTime ? [`${path} is no time`] : []
}

/** Fields that the schema does not describe, which OpenAPI itself would allow. */
function objectDifferences(
  components: Components,
  schema: Schema,
  value: unknown,
  path: string,
): string[] {
  if (typeof value !== 'object' || value === null) return [`${path} is no object`]
  const { properties, required = [], additionalProperties } = schema
  const missing = required.filter((name) => !(name in value)).map((name) => `${path}.${name} lacks`)
  const inner = Object.entries(value).flatMap(([name, item]) => {
    const known = properties?.[name]
    if (known) return differences(components, known, item, `${path}.${name}`)
    if (typeof additionalProperties === 'object') {
      return differences(components, additionalProperties, item, `${path}.${name}`)
    }
    return properties ? [`${path}.${name} is not described`] : []
  })
  return [...missing, ...inner]
}
