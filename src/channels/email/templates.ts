/** A finished message, cut at the places of its values. */
export type Template<Name extends string> = { parts: string[]; names: Name[]; length: number }

export function cut<Name extends string>(
  raw: string,
  values: Record<Name, string>,
): Template<Name> {
  const byValue = new Map<string, Name>()
  for (const name of Object.keys(values) as Name[]) byValue.set(values[name], name)
  const longestFirst = [...byValue.keys()].sort((a, b) => b.length - a.length)
  const pattern = longestFirst.map((value) => value.replace(/[.+\-^|$]/g, '\\$&')).join('|')
  const pieces = raw.split(new RegExp(`(${pattern})`))
  return {
    parts: pieces.filter((_, index) => index % 2 === 0),
    names: pieces.filter((_, index) => index % 2 === 1).map((value) => byValue.get(value) as Name),
    length: raw.length,
  }
}

export function fill<Name extends string>(
  { parts, names }: Template<Name>,
  values: Record<Name, string>,
): string {
  let raw = parts[0] ?? ''
  for (const [index, name] of names.entries()) raw += values[name] + (parts[index + 1] ?? '')
  return raw
}

/** The room for templates, in characters of their messages. */
export const roomMax = 16_000_000

/** Keeps the templates that were used last, or how often one could not be made. */
export function createTemplates<Name extends string>(room = roomMax) {
  type Entry = Template<Name> | number
  const kept = new Map<string, Entry>()
  let used = 0
  const drop = (key: string) => {
    const entry = kept.get(key)
    if (entry === undefined) return
    kept.delete(key)
    used -= sizeOf(key, entry)
  }
  return {
    get(key: string): Entry | undefined {
      const entry = kept.get(key)
      if (entry === undefined) return undefined
      kept.delete(key)
      kept.set(key, entry)
      return entry
    },
    keep(key: string, entry: Entry): void {
      drop(key)
      kept.set(key, entry)
      used += sizeOf(key, entry)
      for (const oldest of kept.keys()) {
        if (used <= room) break
        drop(oldest)
      }
    },
    size: () => ({ entries: kept.size, characters: used }),
  }
}

/** With 200 for what a small entry takes besides. */
function sizeOf(key: string, entry: Template<string> | number): number {
  return key.length + 200 + (typeof entry === 'number' ? 0 : entry.length)
}
