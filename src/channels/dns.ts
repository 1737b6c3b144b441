import type { Dns } from '../domain/ports.ts'
import { createDnsClient } from './dns-client.ts'

/** Asks the name servers of the system; /etc/hosts is not read. */
export function createDns(options: Parameters<typeof createDnsClient>[0]): Dns {
  const ask = createDnsClient(options)
  return {
    txt: (name) => ask('txt', name),
    async mx(name) {
      const records = await ask('mx', name)
      return records?.sort((a, b) => a.preference - b.preference).map(({ host }) => host) ?? null
    },
    async addresses(name) {
      const found = await Promise.all([ask('a', name), ask('aaaa', name)])
      return found.includes(null) ? null : found.flatMap((list) => list ?? [])
    },
  }
}
