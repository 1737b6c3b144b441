import type { Database } from 'bun:sqlite'
import type { AuditEntry, Event } from '../../domain/event.ts'
import { auditHeadText, auditText } from '../../domain/event.ts'
import { type CounterName, counterNames } from '../../domain/stores.ts'

export type Journal = ReturnType<typeof createJournal>
export type AuditLink = (previous: Uint8Array, record: string) => Uint8Array

/** Counters, events and audit: what other writes leave behind, in their own transaction. */
export function createJournal(database: Database, auditLink: AuditLink) {
  const insertEvent = database.prepare<null, EventParameters>(`
    insert into events (at, app_id, type, verification_id, data)
    values ($at, $appId, $type, $verificationId, $data)`)
  const lastAudit = database.prepare<{ id: number; link: Uint8Array }, []>(
    'select id, link from audit order by id desc limit 1',
  )
  const anchor = database.prepare<{ value: Uint8Array }, []>(
    "select value from facts where name = 'audit_anchor'",
  )
  const insertAudit = database.prepare<null, AuditParameters>(`
    insert into audit (id, at, who, action, object, detail, request_id, link)
    values ($id, $at, $who, $action, $object, $detail, $requestId, $link)`)
  const setHead = database.prepare<null, { head: Uint8Array }>(
    "insert or replace into facts (name, value) values ('audit_head', $head)",
  )
  const addMinute = database.prepare<null, MinuteParameters>(`
    insert into app_minutes (app_id, minute, ${counterNames.join(', ')})
    values ($appId, $minute, ${counterNames.map((name) => `$${name}`).join(', ')})
    on conflict (app_id, minute) do update set
    ${counterNames.map((name) => `${name} = ${name} + excluded.${name}`).join(', ')}`)
  let pending = new Map<string, MinuteParameters>()

  return {
    /** Counted once for the whole group, just before its commit. */
    count(appId: string, name: CounterName, now: number): void {
      const minute = Math.floor(now / 60_000)
      const key = `${appId} ${minute}`
      const row = pending.get(key) ?? { ...noCounts, appId, minute }
      row[name] += 1
      pending.set(key, row)
    },
    writeCounts(): void {
      for (const row of pending.values()) addMinute.run(row)
      pending = new Map()
    },
    forgetCounts(): void {
      pending = new Map()
    },
    event({ at, appId, type, verificationId, data }: Omit<Event, 'id'>): void {
      insertEvent.run({ at, appId, type, verificationId, data: JSON.stringify(data) })
    },
    audit(entry: AuditEntry): void {
      const last = lastAudit.get() ?? anchorOf(anchor.get()?.value)
      const id = last.id + 1
      const link = auditLink(last.link, auditText({ ...entry, id }))
      insertAudit.run({ ...entry, id, link })
      setHead.run({ head: auditLink(link, auditHeadText) })
    },
  }
}

/** Where the chain goes on when old records were swept: the id and the link of the last of them. */
export function anchorOf(value: Uint8Array | undefined): { id: number; link: Uint8Array } {
  if (!value) return { id: 0, link: new Uint8Array(32) }
  const id = Number(new DataView(value.buffer, value.byteOffset).getBigUint64(0))
  return { id, link: value.slice(8) }
}

export function anchorValue(id: number, link: Uint8Array): Uint8Array {
  const value = new Uint8Array(8 + link.length)
  new DataView(value.buffer).setBigUint64(0, BigInt(id))
  value.set(link, 8)
  return value
}

type EventParameters = Omit<Event, 'id' | 'data'> & { data: string }
type AuditParameters = AuditEntry & { id: number; link: Uint8Array }
type MinuteParameters = { appId: string; minute: number } & Record<CounterName, number>

const noCounts = Object.fromEntries(counterNames.map((name) => [name, 0])) as Record<
  CounterName,
  number
>
