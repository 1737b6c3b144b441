import type { AuditRecord } from '../audit.ts'
import type { Ports } from '../ports.ts'
import type { Page } from '../stores.ts'
import { accountIdOf } from './account.ts'

/** An audit record with the name of the person who acted; null where it was none. */
export type NamedRecord = AuditRecord & { whoName: string | null }

/** A page of the audit log, the newest first, with the names of people, those removed too. */
export async function listAudit(
  { audit, accounts }: Pick<Ports, 'audit' | 'accounts'>,
  query: { limit: number; cursor: string | null },
): Promise<Page<NamedRecord>> {
  const { items, nextCursor } = await audit.list(query)
  const ids = items.map(({ who }) => accountIdOf(who)).filter((id) => id !== null)
  const found = ids.length === 0 ? [] : await accounts.names([...new Set(ids)])
  const names = new Map(found.map(({ id, name }) => [id, name]))
  const named = items.map((record) => {
    return { ...record, whoName: names.get(accountIdOf(record.who) ?? '') ?? null }
  })
  return { items: named, nextCursor }
}
