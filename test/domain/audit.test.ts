import { describe, expect, test } from 'bun:test'
import {
  type AuditRecord,
  type AuditState,
  auditHead,
  cutAudit,
  linkAudit,
  verifyAudit,
} from '../../src/domain/audit.ts'
import { createKeyring } from '../../src/keys/keyring.ts'
import { firstKeyset } from '../../src/keys/keyset.ts'
import { systemRandom } from '../../src/random.ts'
import { noon } from '../support/world.ts'

const keyring = createKeyring(firstKeyset(new Uint8Array(32).map((_, i) => i + 7)), systemRandom)
const keptMs = 1000

type Log = { records: AuditRecord[]; state: AuditState | null }

/** A log of so many records, one each ms. */
function logOf(count: number): Log {
  const log: Log = { records: [], state: null }
  for (let index = 0; index < count; index++) {
    const entry = { at: noon + index, who: 'cli', object: `o${index}`, detail: '', requestId: null }
    const append = linkAudit(keyring, log.state, { ...entry, action: 'app.create' })
    log.records.push(append.record)
    log.state = append.state
  }
  return log
}

/** The log without its oldest records, as the sweep leaves it. */
function cut({ records, state }: Log, count: number): Log {
  const last = records[count - 1]
  if (!last || !state) throw new Error('nothing to cut')
  return { records: records.slice(count), state: cutAudit(keyring, state, last) }
}

async function isSound({ records, state }: Log, now = noon + 100 + keptMs, expectHead?: string) {
  const audit = {
    state: async () => state,
    after: async (id: number, limit: number) =>
      records.filter((record) => record.id > id).slice(0, limit),
  }
  const ports = { keyring, audit: audit as never }
  return (await verifyAudit(ports, { now, keptMs, expectHead })).ok
}

describe('the audit log', () => {
  test('is sound as it was written, also after a sweep of any length', async () => {
    expect(await isSound(logOf(1))).toBe(true)
    const log = logOf(6)
    expect(await isSound(log)).toBe(true)
    for (let count = 1; count <= 6; count++) expect(await isSound(cut(log, count))).toBe(true)
  })

  test('misses no subset of its records that is removed', async () => {
    for (const log of [logOf(7), cut(logOf(9), 2)]) {
      for (let mask = 1; mask < 2 ** 7; mask++) {
        const records = log.records.filter((_, index) => (mask & (1 << index)) === 0)
        expect([mask, await isSound({ ...log, records })]).toEqual([mask, false])
      }
    }
  })

  test('misses no removal of its sealed head, with or without records', async () => {
    for (const records of [[], logOf(3).records]) {
      expect(await isSound({ records, state: null })).toBe(false)
    }
  })

  test('misses no older head that is put in the place of the newest', async () => {
    const log = logOf(5)
    for (let count = 1; count < 5; count++) {
      const older = logOf(count)
      const records = log.records.slice(0, count)
      // Put back as a whole it is the log of that day: only a head kept elsewhere tells.
      expect(await isSound({ records, state: log.state })).toBe(false)
      const head = log.records.at(-1)
      if (!head) throw new Error('no head')
      expect(await isSound(older, undefined, auditHead(head))).toBe(false)
    }
    const kept = log.records[2]
    if (!kept) throw new Error('no record')
    expect(await isSound(log, undefined, auditHead(kept))).toBe(true)
  })

  test('misses no change of a field, no exchange of two records and no insertion', async () => {
    const log = logOf(4)
    const [first, second, ...rest] = log.records
    if (!first || !second) throw new Error('no records')
    const fields = ['at', 'who', 'action', 'object', 'detail', 'requestId'] as const
    for (const field of fields) {
      const changed = { ...second, [field]: field === 'at' ? second.at + 1 : 'x' }
      expect(await isSound({ ...log, records: [first, changed, ...rest] })).toBe(false)
    }
    const swapped = [{ ...second, id: 1 }, { ...first, id: 2 }, ...rest]
    expect(await isSound({ ...log, records: swapped })).toBe(false)
    const inserted = [first, second, ...rest, { ...second, id: 5 }]
    expect(await isSound({ ...log, records: inserted })).toBe(false)
  })

  test('takes no cut from whoever has no key, nor one of records that are still to be kept', async () => {
    const log = logOf(5)
    const { state } = log
    const [, second] = log.records
    if (!state || !second) throw new Error('no state')
    const forged = { ...state, cutId: second.id, cutLink: second.link, cutAt: second.at }
    expect(await isSound({ records: log.records.slice(2), state: forged })).toBe(false)
    const young = cut(log, 2)
    expect(await isSound(young, second.at + keptMs - 1)).toBe(false)
    expect(await isSound(young, second.at + keptMs)).toBe(true)
  })
})
