import { versioned } from './versioned.ts'

export type Value = string | number | boolean | null | Uint8Array | Value[]
export type Values = Record<string, Value | undefined>

export type Bound = { sql: string; list: Value[] }

type Parsed = { sql: string; names: string[] }

const known = new Map<string, Parsed>()
/** Texts are constants of the source, but for a few with optional conditions. */
const knownMax = 2000

/** Replaces the names of a statement, such as `$appId`, by numbers. Throws when a value is missing. */
export function bind(text: string, values: Values): Bound {
  const { sql, names } = known.get(text) ?? parse(text)
  const list = names.map((name) => {
    const value = values[name]
    if (value === undefined) throw new Error(`no value for $${name}`)
    return value
  })
  return { sql, list }
}

function parse(text: string): Parsed {
  const names: string[] = []
  const sql = versioned(text).replace(/\$([a-z]\w*)/g, (_, name: string) => {
    if (!names.includes(name)) names.push(name)
    return `$${names.indexOf(name) + 1}`
  })
  const parsed = { sql, names }
  if (known.size < knownMax) known.set(text, parsed)
  return parsed
}
