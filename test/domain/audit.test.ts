import { describe, expect, test } from 'bun:test'
import {
  type AuditEntry,
  type AuditRecord,
  type AuditState,
  audited,
  auditHead,
  cutAudit,
  linkAudit,
  verifyAudit,
} from '../../src/domain/audit.ts'
import { createKeyring } from '../../src/keys/keyring.ts'
import { firstKeyset } from '../../src/keys/keyset.ts'
import { systemRandom } from '../../src/system.ts'
import { noon } from '../support/world.ts'

const keyring = createKeyring(firstKeyset(new Uint8Array(32).map((_, i) => i + 7)), systemRandom)
const keptMs = 1000

type Log = { records: AuditRecord[]; state: AuditState | null }

/** A log of so many records, one for each millisecond. */
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

const later = noon + 100 + keptMs

/** Walks a log that stays as it is, or that changes at one of its reads. */
function verify(log: Log, request: Partial<Request> = {}, reads: () => Log = () => log) {
  const audit = {
    state: async () => log.state,
    after: async (id: number, limit: number) => {
      log = reads()
      return log.records.filter((record) => record.id > id).slice(0, limit)
    },
  }
  const ports = { keyring, audit: audit as never }
  return verifyAudit(ports, { now: later, keptMs, ...request })
}

type Request = Parameters<typeof verifyAudit>[1]

async function isSound(log: Log, now = later, expectHead?: string) {
  return (await verify(log, { now, expectHead })).ok
}

describe('the audit log', () => {
  test('verifies as it was written, also after a sweep of any length', async () => {
    expect(await isSound(logOf(1))).toBe(true)
    const log = logOf(6)
    expect(await isSound(log)).toBe(true)
    for (let count = 1; count <= 6; count++) expect(await isSound(cut(log, count))).toBe(true)
  })

  test('fails to verify without any subset of its records', async () => {
    for (const log of [logOf(7), cut(logOf(9), 2)]) {
      for (let mask = 1; mask < 2 ** 7; mask++) {
        const records = log.records.filter((_, index) => (mask & (1 << index)) === 0)
        expect([mask, await isSound({ ...log, records })]).toEqual([mask, false])
      }
    }
  })

  test('fails to verify without its sealed head, with or without records', async () => {
    for (const records of [[], logOf(3).records]) {
      expect(await isSound({ records, state: null })).toBe(false)
    }
  })

  test('fails to verify with an older head in place of the newest', async () => {
    const log = logOf(5)
    for (let count = 1; count < 5; count++) {
      const older = logOf(count)
      const records = log.records.slice(0, count)
      // An older log that was put back completely is found only by a head that was kept elsewhere.
      expect(await isSound({ records, state: log.state })).toBe(false)
      const head = log.records.at(-1)
      if (!head) throw new Error('no head')
      expect(await isSound(older, undefined, auditHead(head))).toBe(false)
    }
    const kept = log.records[2]
    if (!kept) throw new Error('no record')
    expect(await isSound(log, undefined, auditHead(kept))).toBe(true)
  })

  test('fails to verify with a changed field, exchanged records or an inserted record', async () => {
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

  test('fails to verify with a cut that was made without the key or before the keeping time', async () => {
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

  test('verifies without a cut, however long its records are to be kept', async () => {
    expect((await verify(logOf(3), { keptMs: later + 1 })).ok).toBe(true)
  })

  test('verifies with the number of its records and the last of them', async () => {
    const log = logOf(6)
    const head = `6:${Buffer.from(log.state?.link ?? []).toString('hex')}`

    expect(await verify(log)).toEqual({ ok: true, records: 6, head })
    expect(await verify(cut(log, 2))).toEqual({ ok: true, records: 4, head })
  })

  test('fails to verify with the place of the fault and the number of records before it', async () => {
    const log = cut(logOf(7), 1)
    const without = (id: number) => log.records.filter((record) => record.id !== id)
    const change = (record: AuditRecord) => (record.id === 4 ? { ...record, who: 'x' } : record)
    const broken = async (parts: Partial<Log>, request?: Partial<Request>) => {
      const verdict = await verify({ ...log, ...parts }, request)
      return verdict.ok ? verdict : [verdict.records, verdict.fault]
    }

    const deleted = 'the audit log and its sealed head were deleted'
    expect(await broken({ state: null })).toEqual([0, deleted])
    const early = 'records were deleted before their keeping time was over'
    expect(await broken({}, { now: noon })).toEqual([0, early])
    expect(await broken({ records: without(4) })).toEqual([2, 'record 4 is missing'])
    const changed = 'record 4 was changed, or the one before it'
    expect(await broken({ records: log.records.map(change) })).toEqual([2, changed])
    const newest = 'the newest records are missing, from 7 on'
    expect(await broken({ records: without(7) })).toEqual([5, newest])
    const unexpected = 'the expected head is not in the log'
    expect(await broken({}, { expectHead: '7:00' })).toEqual([6, unexpected])
  })

  test('fails to verify with any changed part of its sealed head', async () => {
    const log = cut(logOf(7), 1)
    const { state } = log
    if (!state) throw new Error('no state')
    const changes: Partial<AuditState>[] = [
      ...[{ id: 6 }, { link: new Uint8Array(32) }, { cutId: 2 }],
      ...[{ cutLink: new Uint8Array(32) }, { cutAt: state.cutAt - 1 }],
    ]
    for (const change of changes) {
      const verdict = await verify({ ...log, state: { ...state, ...change } })
      expect(verdict).toEqual({ ok: false, records: 0, fault: 'the sealed head was changed' })
    }
  })

  test('fails to verify with a last record from another copy of the log', async () => {
    const log = logOf(5)
    const sibling = linkAudit(keyring, logOf(4).state, entryOf('of the copy'))
    const records = [...log.records.slice(0, 4), sibling.record]

    const fault = 'record 5 is not the one that the head names'
    expect(await verify({ ...log, records })).toEqual({ ok: false, records: 5, fault })
  })

  test('is verified again when a sweep has deleted records before the fault was found', async () => {
    const log = logOf(6)
    expect(await verify(log, {}, () => cut(log, 2))).toMatchObject({ ok: true, records: 4 })

    // After the last record was read they are nothing to the walk.
    let reads = 0
    const goLast = () => (++reads < 2 ? log : cut(log, 2))
    expect(await verify(log, {}, goLast)).toMatchObject({ ok: true, records: 6 })
  })
})

const entryOf = (object: string): AuditEntry => {
  const what = { who: 'cli', action: 'app.create', object, detail: 'd', requestId: 'r' } as const
  return { at: noon, ...what }
}

describe('a record', () => {
  test('is linked with all its fields, and the sealed head covers the last cut', () => {
    const linked: [string, string][] = []
    const auditMac = (previous: Uint8Array, text: string) => {
      linked.push([Buffer.from(previous).toString('hex'), text])
      return new Uint8Array([linked.length])
    }

    const first = linkAudit({ auditMac }, null, entryOf('one'))
    linkAudit({ auditMac }, cutAudit({ auditMac }, first.state, first.record), entryOf('two'))

    const zero = '0'.repeat(64)
    expect(linked).toEqual([
      [zero, `[1,${noon},"cli","app.create","one","d","r"]`],
      ['01', `head [1,0,"${zero}",0]`],
      ['01', `head [1,1,"01",${noon}]`],
      ['01', `[2,${noon},"cli","app.create","two","d","r"]`],
      ['04', `head [2,1,"01",${noon}]`],
    ])
  })

  test('is linked again while other records are added first, up to two hundred times', async () => {
    const append = async (moves: number) => {
      const log = logOf(1)
      const expected: number[] = []
      const inTurn = (write: () => Promise<unknown>) => write()
      const ports = { keyring, audit: { state: async () => log.state, inTurn } as never }
      const written = audited(ports, entryOf('late'), async (each) => {
        expected.push(each.expected)
        if (expected.length > moves) return 'written'
        log.state = linkAudit(keyring, log.state, entryOf('between')).state
        return 'head_moved'
      })
      const outcome = await written.catch(({ code, extra }) => [code, extra])
      return { expected, outcome }
    }

    expect(await append(0)).toEqual({ expected: [1], outcome: 'written' })
    const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1)
    expect(await append(199)).toEqual({ expected: upTo(200), outcome: 'written' })
    const unavailable = ['store_unavailable', { retryAfterSeconds: 5 }]
    expect(await append(200)).toEqual({ expected: upTo(200), outcome: unavailable })
  })
})
