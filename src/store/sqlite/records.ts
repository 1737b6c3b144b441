import type { Database } from 'bun:sqlite'
import type { AuditRecord, Event } from '../../domain/event.ts'
import {
  counterNames,
  type EventQuery,
  type Facts,
  type RecordStore,
  type StatsQuery,
  type StatsRow,
} from '../../domain/stores.ts'
import type { Writer } from './group-commit.ts'
import type { Journal } from './journal.ts'
import { readCursor, toPage } from './listing.ts'
import { createSpray } from './spray.ts'
import { createSweep } from './sweep.ts'

export function createRecordStore(
  database: Database,
  writer: Writer,
  journal: Journal,
): RecordStore {
  const statements = prepareRecords(database)
  const sweep = createSweep(database)
  const watchSpray = createSpray(database, journal)

  function writeFacts(facts: Facts, expected: Facts = {}): boolean {
    for (const [name, value] of Object.entries(expected)) {
      const stored = statements.readFact.get({ name })?.value ?? null
      if (!sameBytes(stored, value)) return false
    }
    for (const [name, value] of Object.entries(facts)) {
      if (value === null) statements.dropFact.run({ name })
      else statements.writeFact.run({ name, value })
    }
    return true
  }

  return {
    stats: async (query) => readStats(database, query),
    events: async (query) => readEvents(database, query),
    audit: async ({ limit, cursor }) => {
      const rows = statements.audit.all({ before: readCursor(cursor), limit: limit + 1 })
      return toPage(rows, limit, (row) => row.id, toAuditRecord)
    },
    auditAfter: async (id, limit) => statements.auditAfter.all({ id, limit }).map(toAuditRecord),
    addAudit: async (entry) => {
      await writer.write(() => journal.audit(entry))
    },
    watchSpray: ({ now }) => writer.write(() => watchSpray(now)),
    sweep: (command) => writer.write(() => sweep(command)),
    readFact: async (name) => statements.readFact.get({ name })?.value ?? null,
    writeFacts: (facts, expected) => writer.write(() => writeFacts(facts, expected)),
    ready: async () => {
      await writer.write(() => statements.touch.run())
    },
  }
}

function prepareRecords(database: Database) {
  return {
    audit: database.prepare<AuditRow, { before: number; limit: number }>(
      'select * from audit where id < $before order by id desc limit $limit',
    ),
    auditAfter: database.prepare<AuditRow, { id: number; limit: number }>(
      'select * from audit where id > $id order by id limit $limit',
    ),
    readFact: database.prepare<{ value: Uint8Array }, { name: string }>(
      'select value from facts where name = $name',
    ),
    writeFact: database.prepare<null, { name: string; value: Uint8Array }>(
      'insert or replace into facts (name, value) values ($name, $value)',
    ),
    dropFact: database.prepare<null, { name: string }>('delete from facts where name = $name'),
    touch: database.prepare<null, []>(
      "insert or replace into facts (name, value) values ('ready', randomblob(8))",
    ),
  }
}

function readStats(database: Database, { appId, from, to, bucketMs }: StatsQuery): StatsRow[] {
  const sums = counterNames.map((name) => `sum(${name}) as ${name}`).join(', ')
  return database
    .query<StatsRow, Record<string, string | number>>(`
      select minute * 60000 / $bucketMs * $bucketMs as at, ${sums} from app_minutes
      where minute >= $from and minute < $to ${appId ? 'and app_id = $appId' : ''}
      group by 1 order by 1`)
    .all({
      bucketMs,
      from: Math.floor(from / 60_000),
      to: Math.ceil(to / 60_000),
      ...(appId && { appId }),
    })
}

function readEvents(database: Database, { appId, type, limit, cursor }: EventQuery) {
  const rows = database
    .query<EventRow, Record<string, string | number>>(`
      select * from events where id < $before
        ${appId ? 'and app_id = $appId' : ''} ${type ? 'and type = $type' : ''}
      order by id desc limit $limit`)
    .all({
      before: readCursor(cursor),
      limit: limit + 1,
      ...(appId && { appId }),
      ...(type && { type }),
    })
  return toPage(rows, limit, (row) => row.id, toEvent)
}

function sameBytes(a: Uint8Array | null, b: Uint8Array | null): boolean {
  return a === null || b === null ? a === b : Buffer.compare(a, b) === 0
}

type AuditRow = Omit<AuditRecord, 'requestId'> & { request_id: string | null }

function toAuditRecord({ request_id: requestId, ...row }: AuditRow): AuditRecord {
  return { ...row, requestId }
}

type EventRow = {
  id: number
  at: number
  app_id: string
  type: Event['type']
  verification_id: string | null
  data: string
}

function toEvent(row: EventRow): Event {
  return {
    id: row.id,
    at: row.at,
    appId: row.app_id,
    type: row.type,
    verificationId: row.verification_id,
    data: JSON.parse(row.data),
  }
}
