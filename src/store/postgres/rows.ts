const names = new Map<string, string>()

/** Converts rows of the driver: names to `camelCase`, 64-bit integers to numbers. */
export function toRows<Row>(rows: Record<string, unknown>[]): Row[] {
  return rows.map((row) => {
    const converted: Record<string, unknown> = {}
    for (const name in row) {
      const value = row[name]
      converted[camelCase(name)] = typeof value === 'bigint' ? Number(value) : value
    }
    return converted as Row
  })
}

function camelCase(name: string): string {
  const known = names.get(name)
  if (known !== undefined) return known
  const converted = name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
  names.set(name, converted)
  return converted
}
