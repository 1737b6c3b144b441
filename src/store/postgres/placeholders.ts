import { versioned } from './versioned.ts'

export type Value = string | number | boolean | null | Uint8Array | Value[]
export type Values = Record<string, Value | undefined>

export type Bound = { sql: string; list: Value[] }

type Parsed = { sql: string; names: string[]; json: Set<string> }

const known = new Map<string, Parsed>()
/** Texts are constants of the source, but for a few with optional conditions. */
const knownMax = 2000

/** Replaces the names of a statement, such as `$appId`, by numbers. Throws when a value is missing. */
export function bind(text: string, values: Values): Bound {
  const { sql, names, json } = known.get(text) ?? parse(text)
  const list = names.map((name) => {
    const value = values[name]
    if (value === undefined) throw new Error(`no value for $${name}`)
    return storable(value, json.has(name))
  })
  return { sql, list }
}

/**
 * PostgreSQL refuses a zero byte in a text, and half a surrogate pair in JSON. Texts come from other
 * servers too, so the replacement character stands for both, as it does in UTF-8.
 */
function storable(value: Value, isJson: boolean): Value {
  if (Array.isArray(value)) return value.map((each) => storable(each, isJson))
  if (typeof value !== 'string') return value
  if (!isJson) return value.includes('\0') ? value.replaceAll('\0', '\ufffd') : value
  if (!value.includes('\\u')) return value
  // `JSON.stringify` escapes halves only. An escaped backslash comes first, as it begins no escape.
  return value.replace(/\\\\|\\u0000|\\ud[89a-f][0-9a-f]{2}/g, (found) =>
    found === '\\\\' ? found : '\\ufffd',
  )
}

function parse(text: string): Parsed {
  const names: string[] = []
  const json = new Set([...text.matchAll(/\$([a-z]\w*)::json/g)].map(([, name = '']) => name))
  const sql = versioned(text).replace(/\$([a-z]\w*)/g, (_, name: string) => {
    if (!names.includes(name)) names.push(name)
    return `$${names.indexOf(name) + 1}`
  })
  const parsed = { sql, names, json }
  if (known.size < knownMax) known.set(text, parsed)
  return parsed
}
