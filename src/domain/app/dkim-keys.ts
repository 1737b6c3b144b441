import type { Actor } from '../audit.ts'
import { mustBe } from '../field.ts'
import { newId } from '../id.ts'
import type { Ports } from '../ports.ts'
import { type FieldError, invalidField, Problem, refuseIfAny } from '../problem.ts'
import {
  type DkimKey,
  type DkimPair,
  dkimFields,
  dkimKeysMax,
  dkimPlace,
  dkimRecord,
  type InDns,
  inDns,
  readDkimDomain,
  readSelector,
} from './dkim.ts'
import { changeApp, findApp, type ManagePorts } from './manage.ts'

export type DkimInput = {
  domain?: unknown
  selector?: unknown
  /** PEM; made here if absent. */
  privateKey?: unknown
}

/**
 * Adds a key, which signs nothing until a check has found it in the DNS. Throws `app_not_found`,
 * `too_many_dkim_keys` beyond ten, `invalid_request` with every mistake.
 */
export async function addDkimKey(
  ports: ManagePorts & Pick<Ports, 'dkimPairs'>,
  actor: Actor,
  { appId, mistakes = [], ...input }: DkimInput & { appId: string; mistakes?: FieldError[] },
): Promise<DkimKey> {
  await findApp(ports, appId)
  const id = newId(ports.random)
  const { domain, selector, pem } = readInput(input, id, mistakes)
  refuseIfAny(mistakes)
  const pair = await pairOf(ports, pem)
  const app = await changeApp(ports, actor, { id: appId, action: 'dkim.add' }, (current) => {
    const isTaken = current.dkim.some((key) => key.domain === domain && key.selector === selector)
    if (isTaken) throw invalidField('selector', 'is in use for this domain already')
    if (current.dkim.length >= dkimKeysMax) throw new Problem('too_many_dkim_keys')
    const { publicKey, privateKey } = pair
    const key = { id, domain, selector, publicKey, foundAt: null, createdAt: ports.clock.now() }
    const sealed = ports.keyring.seal(appId, current.dataKey, dkimPlace(key), privateKey)
    const dkim = [...current.dkim, { ...key, privateSealed: sealed }]
    return { change: { dkim }, detail: detailOf(key) }
  })
  return found(app.dkim, id)
}

function readInput(input: DkimInput, id: string, mistakes: FieldError[]) {
  const domain = readDkimDomain(input.domain)
  if (domain === undefined) {
    const reason = input.domain === undefined ? 'is missing' : mustBe(dkimFields.domain)
    mistakes.push({ field: 'domain', reason })
  }
  // Part of the random id, so that another app with this domain gets another one.
  const own = `otpmint-${id.slice(-6).toLowerCase()}`
  const selector = readSelector(input.selector ?? own)
  if (selector === undefined)
    mistakes.push({ field: 'selector', reason: mustBe(dkimFields.selector) })
  const { privateKey: pem } = input
  const isText = typeof pem === 'string' && pem.length <= dkimFields.privateKey.max
  if (pem !== undefined && !isText) {
    mistakes.push({ field: 'private_key', reason: mustBe(dkimFields.privateKey) })
  }
  return { domain: domain ?? '', selector: selector ?? '', pem: isText ? pem : undefined }
}

async function pairOf(
  { dkimPairs }: Pick<Ports, 'dkimPairs'>,
  pem: string | undefined,
): Promise<DkimPair> {
  const pair = pem === undefined ? await dkimPairs.make() : dkimPairs.read(pem)
  if (pair === null) throw invalidField('private_key', mustBe(dkimFields.privateKey))
  return pair
}

/** What a check has found for one key; `unknown` without an answer of the DNS. */
export type CheckedKey = { key: DkimKey; found: InDns | 'unknown' }

/**
 * Looks every key of the app up in the DNS. One that is there signs from now on, unless a newer one
 * of its domain does; one that is not there signs nothing, because mail is better unsigned than
 * wrongly signed. Without an answer nothing changes. Throws `app_not_found`.
 */
export async function checkDkimKeys(
  ports: ManagePorts & Pick<Ports, 'dns'>,
  actor: Actor,
  appId: string,
): Promise<CheckedKey[]> {
  const app = await findApp(ports, appId)
  const checked = await Promise.all(
    app.dkim.map(async (key) => {
      const records = await ports.dns.txt(dkimRecord(key).name)
      return [key.id, records === null ? 'unknown' : inDns(key, records)] as const
    }),
  )
  const results = new Map<string, CheckedKey['found']>(checked)
  const now = ports.clock.now()
  const updated = (key: DkimKey): DkimKey => {
    const result = results.get(key.id) ?? 'unknown'
    if (result === 'unknown') return key
    return { ...key, foundAt: result === 'found' ? (key.foundAt ?? now) : null }
  }
  const changed = app.dkim.filter((key) => updated(key).foundAt !== key.foundAt)
  const action = { id: appId, action: 'dkim.check' } as const
  const { dkim } =
    changed.length === 0
      ? app
      : await changeApp(ports, actor, action, (current) => ({
          change: { dkim: current.dkim.map(updated) },
          detail: changed.map(detailOf).join(', '),
        }))
  return dkim.map((key) => ({ key, found: results.get(key.id) ?? 'unknown' }))
}

/** Removes a key. Throws `app_not_found`, `dkim_key_not_found`. */
export async function removeDkimKey(
  ports: ManagePorts,
  actor: Actor,
  { appId, id }: { appId: string; id: string },
): Promise<void> {
  await changeApp(ports, actor, { id: appId, action: 'dkim.remove' }, ({ dkim }) => ({
    detail: detailOf(found(dkim, id)),
    change: { dkim: dkim.filter((key) => key.id !== id) },
  }))
}

function found(keys: DkimKey[], id: string): DkimKey {
  const key = keys.find((candidate) => candidate.id === id)
  if (!key) throw new Problem('dkim_key_not_found')
  return key
}

function detailOf({ id, domain, selector }: Pick<DkimKey, 'id' | 'domain' | 'selector'>): string {
  return `dkim ${id} ${selector}._domainkey.${domain}`
}
