import { defaultSettings } from '../src/domain/settings.ts'
import { describeServer } from '../src/http/server.ts'

type Schema = {
  $ref?: string
  allOf?: Schema[]
  anyOf?: Schema[]
  type?: string
  format?: string
  enum?: unknown[]
  minimum?: number
  maximum?: number
  minLength?: number
  maxLength?: number
  nullable?: boolean
  description?: string
  required?: string[]
  properties?: Record<string, Schema>
  items?: Schema
}

const marked = /<!-- fields of (\w+) -->\n[\s\S]*?<!-- end of fields -->/g

/** Replaces the marked field tables of the page by new ones from the API's schemas. */
export async function withFieldTables(page: string): Promise<string> {
  const about = { developerMode: false, publicUrl: null, ceilings: defaultSettings }
  const document = (await describeServer(about)) as unknown as {
    components: { schemas: Record<string, Schema> }
  }
  const { schemas } = document.components
  return page.replace(marked, (_, name: string) => {
    const schema = schemas[name]
    if (!schema) throw new Error(`docs/api.md marks ${name}, which is no component`)
    return `<!-- fields of ${name} -->\n${table(schemas, schema)}\n<!-- end of fields -->`
  })
}

function table(schemas: Record<string, Schema>, schema: Schema): string {
  const { properties = {}, required = [] } = schema
  const isInput = 'additionalProperties' in schema
  const rows = Object.entries(properties).map(([name, field]) => {
    const needed = isInput && required.includes(name) ? 'Required. ' : ''
    const says = field.description ?? schemas[plainKind(field)]?.description ?? ''
    return `| \`${name}\` | ${kindOf(field)} | ${needed}${says} |`
  })
  return ['| field | value | |', '|---|---|---|', ...rows].join('\n')
}

function kindOf(field: Schema): string {
  const value = plainKind(field)
  return field.nullable ? `${value} or null` : value
}

function plainKind({ $ref, allOf, anyOf, type, items, ...field }: Schema): string {
  const [inner] = allOf ?? []
  if (inner) return plainKind(inner)
  if (anyOf) return anyOf.map(plainKind).join(' or ')
  if ($ref) return $ref.replace('#/components/schemas/', '')
  if (field.enum)
    return field.enum
      .filter((word) => word !== null)
      .map((word) => `\`${word}\``)
      .join(' ')
  if (type === 'array') return `list of ${plainKind(items ?? {})}`
  if (type === 'integer') return wholeNumber(field)
  if (field.format === 'date-time') return 'time'
  if (type !== 'string' || field.maxLength === undefined) return type ?? 'any'
  const least = field.minLength ? `${field.minLength} to ` : 'up to '
  return `${least}${field.maxLength} characters`
}

function wholeNumber({ minimum, maximum }: Schema): string {
  if (maximum === undefined) return 'whole number'
  return `${grouped(minimum ?? 0)} to ${grouped(maximum)}`
}

function grouped(number: number): string {
  return String(number).replace(/(?<=\d)(?=(\d{3})+$)/g, ',')
}
