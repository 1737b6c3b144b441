import type { Keyring } from './keyring.ts'
import type { Ports } from './ports.ts'
import { Problem } from './problem.ts'

/** What an admin or an app changed. `who` is `admin`, `cli`, `open`, `server`,
 * `account:` and an id, or a key id. */
export type AuditEntry = {
  at: number
  who: string
  action: AuditAction
  object: string
  detail: string
  requestId: string | null
}

export type AuditAction =
  | 'store.create'
  | 'store.backup'
  | 'store.restore'
  | 'store.expire_pending'
  | 'store.active_keys'
  | 'store.move'
  | 'store.reopen'
  | 'app.create'
  | 'app.update'
  | 'app.delete'
  | 'app.register'
  | 'key.create'
  | 'key.revoke'
  | 'endpoint.add'
  | 'endpoint.update'
  | 'endpoint.rotate'
  | 'endpoint.remove'
  | 'suppression.remove'
  | 'binding.remove'
  | 'dkim.add'
  | 'dkim.check'
  | 'dkim.remove'
  | 'webhook.add'
  | 'webhook.update'
  | 'webhook.rotate'
  | 'webhook.remove'
  | 'webhook.replay'
  | 'brand.update'
  | 'template.save'
  | 'template.reset'
  | 'inbox.clear'
  | 'verification.search'
  | 'verification.cancel'
  | 'verification.resend'
  | 'proof.secret'
  | 'master_key.rotate'
  | 'account.invite'
  | 'account.link'
  | 'account.create'
  | 'account.recover'
  | 'account.update'
  | 'account.remove'
  | 'account.sign_in'
  | 'account.confirm'
  | 'account.password'
  | 'account.second_step'
  | 'session.end'

/** Ids count up by one without gaps. `link` is HMAC(link of the record before, this record). */
export type AuditRecord = AuditEntry & { id: number; link: Uint8Array }

/**
 * The sealed state of the chain: its last record, and the last one that was deleted because its
 * keeping time was over (`cutAt` is that record's time). Sealing needs the audit key.
 */
export type AuditState = {
  id: number
  link: Uint8Array
  cutId: number
  cutLink: Uint8Array
  cutAt: number
  seal: Uint8Array
}

/** A record to append, valid only while `expected` is the last id and no record was deleted. */
export type AuditAppend = { expected: number; record: AuditRecord; state: AuditState }

/** Who makes a change, for the audit log. */
export type Actor = { who: string; requestId: string | null }

/** The answer of an audited write when another record was added first: link again and retry. */
export type HeadMoved = 'head_moved'

const appendsMax = 200

/**
 * Runs a write that appends `entry` in the same transaction, and repeats it while other processes add
 * records first. Throws `store_unavailable` after 200 tries.
 */
export function audited<Result>(
  { audit, keyring }: Pick<Ports, 'audit' | 'keyring'>,
  entry: AuditEntry,
  write: (append: AuditAppend) => Promise<Result | HeadMoved>,
): Promise<Result> {
  return audit.inTurn(async () => {
    for (let tries = 0; tries < appendsMax; tries++) {
      const state = await audit.state()
      const result = await write(linkAudit(keyring, state, entry))
      if (result !== 'head_moved') return result
    }
    throw new Problem('store_unavailable', { retryAfterSeconds: 5 })
  })
}

/** Appends a record of something that is written elsewhere, or not at all. */
export function record(
  ports: Pick<Ports, 'audit' | 'keyring'>,
  entry: AuditEntry,
): Promise<'appended'> {
  return audited(ports, entry, (append) => ports.audit.append(append))
}

/** Links an entry to the chain's state; null begins a chain. */
export function linkAudit(
  keyring: Pick<Keyring, 'auditMac'>,
  state: AuditState | null,
  entry: AuditEntry,
): AuditAppend {
  const before = state ?? { id: 0, link: noLink, cutId: 0, cutLink: noLink, cutAt: 0 }
  const id = before.id + 1
  const link = keyring.auditMac(before.link, auditText({ ...entry, id }))
  const { cutId, cutLink, cutAt } = before
  const next = sealAudit(keyring, { id, link, cutId, cutLink, cutAt })
  return { expected: before.id, record: { ...entry, id, link }, state: next }
}

/** The state after the records up to and including `last` have been deleted. */
export function cutAudit(
  keyring: Pick<Keyring, 'auditMac'>,
  { id, link }: AuditState,
  last: AuditRecord,
): AuditState {
  return sealAudit(keyring, { id, link, cutId: last.id, cutLink: last.link, cutAt: last.at })
}

export type AuditVerdict =
  | { ok: true; records: number; head: string }
  | { ok: false; records: number; fault: string }

type Verification = {
  now: number
  /** Records younger than this may not have been deleted. */
  keptMs: number
  /** A head that was kept elsewhere, as `auditHead` writes it. */
  expectHead?: string | undefined
}

const batch = 500

/**
 * Walks the chain from the oldest record to the sealed head. Finds a record that was changed,
 * moved, inserted or deleted, at either end and in the middle, and with `expectHead` also a
 * database that was put back to an older state.
 */
export async function verifyAudit(
  ports: Pick<Ports, 'audit' | 'keyring'>,
  request: Verification,
): Promise<AuditVerdict> {
  const before = await ports.audit.state()
  const verdict = await walkAudit(ports, request)
  const after = await ports.audit.state()
  // A sweep has deleted old records meanwhile, so the walk may have missed some: repeat it.
  const isCut = before && after && after.cutId !== before.cutId
  return verdict.ok || !isCut ? verdict : verifyAudit(ports, request)
}

async function walkAudit(
  { audit, keyring }: Pick<Ports, 'audit' | 'keyring'>,
  { now, keptMs, expectHead }: Verification,
): Promise<AuditVerdict> {
  // Read before the records, so that a record that is added meanwhile is not reported as missing.
  const state = await audit.state()
  const broken = (records: number, fault: string): AuditVerdict => ({ ok: false, records, fault })
  if (!state) return broken(0, 'the audit log and its sealed head were deleted')
  if (!isSame(sealAudit(keyring, state).seal, state.seal)) {
    return broken(0, 'the sealed head was changed')
  }
  if (state.cutId > 0 && state.cutAt > now - keptMs) {
    return broken(0, 'records were deleted before their keeping time was over')
  }
  let [id, link, records, expected] = [state.cutId, state.cutLink, 0, expectHead === undefined]
  for (;;) {
    const found = await audit.after(id, batch)
    if (found.length === 0) break
    for (const record of found) {
      if (record.id !== id + 1) return broken(records, `record ${id + 1} is missing`)
      if (!isSame(keyring.auditMac(link, auditText(record)), record.link)) {
        return broken(records, `record ${record.id} was changed, or the one before it`)
      }
      ;({ id, link } = record)
      records++
      if (auditHead(record) === expectHead) expected = true
      if (id === state.id && !isSame(link, state.link)) {
        return broken(records, `record ${id} is not the one that the head names`)
      }
    }
  }
  if (id < state.id) return broken(records, `the newest records are missing, from ${id + 1} on`)
  if (!expected) return broken(records, 'the expected head is not in the log')
  return { ok: true, records, head: auditHead({ id, link }) }
}

/** The end of the chain in a form to keep elsewhere: `12:3f9a...`. */
export function auditHead({ id, link }: Pick<AuditRecord, 'id' | 'link'>): string {
  return `${id}:${Buffer.from(link).toString('hex')}`
}

const noLink = new Uint8Array(32)

/** What a link covers: every field, in an order that never changes. */
function auditText(record: Omit<AuditRecord, 'link'>): string {
  const { id, at, who, action, object, detail, requestId } = record
  return JSON.stringify([id, at, who, action, object, detail, requestId])
}

function sealAudit(
  keyring: Pick<Keyring, 'auditMac'>,
  state: Omit<AuditState, 'seal'>,
): AuditState {
  const { id, link, cutId, cutLink, cutAt } = state
  const hex = Buffer.from(cutLink).toString('hex')
  const seal = keyring.auditMac(link, `head ${JSON.stringify([id, cutId, hex, cutAt])}`)
  return { id, link, cutId, cutLink, cutAt, seal }
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}
