import type { Dns } from '../../src/domain/ports.ts'

/** Records by type and name, as `txt example.com`; null is no answer. */
export type Zone = Record<string, string[] | null>

/** A DNS with these records and no others; a test may change them. */
export function dnsOf(zone: Zone = {}): Dns & { zone: Zone; asked: string[] } {
  const asked: string[] = []
  const ask = (type: string) => async (name: string) => {
    asked.push(`${type} ${name}`)
    const records = zone[`${type} ${name}`]
    return records === undefined ? [] : records
  }
  return { zone, asked, txt: ask('txt'), mx: ask('mx'), addresses: ask('addresses') }
}

/** The records in the form of `dns.promises.resolve`, for mailauth. */
export function resolverOf(zone: Zone) {
  return async (name: string, type: string): Promise<string[] | string[][]> => {
    const records = zone[`${type.toLowerCase()} ${name}`]
    if (!records) throw Object.assign(new Error(`${type} ${name}`), { code: 'ENOTFOUND' })
    return type === 'TXT' ? records.map((text) => [text]) : records
  }
}
