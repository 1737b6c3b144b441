import type { App } from '../domain/app/app.ts'
import { dkimPlace } from '../domain/app/dkim.ts'
import { secretPlace } from '../domain/app/endpoint.ts'
import { type AuditEntry, linkAudit } from '../domain/audit.ts'
import { nodeSilentMs } from '../domain/delivery/lease.ts'
import type { SealPlace } from '../domain/keyring.ts'
import type { Ports } from '../domain/ports.ts'
import type { KeyRenewal, MetaStore, Node } from '../domain/stores.ts'
import { webhookPlace } from '../domain/webhook/webhook.ts'
import { cannotStart } from '../startup-error.ts'
import { openBytes, sealBytes } from './envelope.ts'
import { createKeyring, type LiveKeyring, renewDataKey } from './keyring.ts'
import {
  finishedKeyset,
  isFinished,
  type Keyset,
  keyIdOf,
  keysetFacts,
  masterBytes,
  openKeyset,
  openWith,
  preparedKeyset,
  switchedKeyset,
  textFact,
  textOf,
} from './keyset.ts'
import type { MasterKey } from './master-key.ts'
import { type NextKey, nextMaster, usedSalt } from './next-key.ts'
import { resealAccounts } from './reseal-accounts.ts'
import { resealBindings } from './reseal-bindings.ts'

export type RotationPorts = Pick<
  Ports,
  'meta' | 'nodes' | 'apps' | 'accounts' | 'bindings' | 'audit' | 'random' | 'clock' | 'timers'
>

export type Rotation = {
  oldMaster: MasterKey
  newMaster: MasterKey
  /** Whether any server runs; each must have the new keyset before it is used. */
  serverRuns(): Promise<boolean>
  /** Throws unless every server holds the master key of this id; asked before anything is changed. */
  refuseUnlessHeld?: (keyId: string) => Promise<void>
  /** Called with the number of apps that have new data keys. */
  onProgress?(renewed: number): void
}

export type Rotated = { keyId: string; renewed: number }

const batchSize = 100
const lookEveryMs = 500
const looksMax = 60

export function isAlive({ seenAt }: Pick<Node, 'seenAt'>, now: number): boolean {
  return Math.abs(now - seenAt) < nodeSilentMs
}

/**
 * Replaces the master key while servers run, with three writes of the keyset. First the keyset is
 * sealed under the new key, with the new keys in it; once every node has it, they are used for new
 * codes and data keys; when every app has a new data key and its secrets are sealed with it, the
 * old key is dropped. A killed rotation is finished by running it again. Older codes stay valid for
 * their life. Throws `StartupError`.
 */
export async function rotateMasterKey(ports: RotationPorts, rotation: Rotation): Promise<Rotated> {
  const { meta } = ports
  const sealed = await meta.read('keyset')
  if (!sealed) throw cannotStart('there is no keyset to rotate')
  const salt = await meta.read('passphrase_salt')
  const current = openWith(sealed, await masterBytes(rotation.oldMaster, salt))
  const next = openWith(sealed, await masterBytes(rotation.newMaster, salt))
  if (next) {
    if (!isFinished(next)) return finish(ports, rotation, next)
    if (current) throw cannotStart('the new master key is the one in use')
    return { keyId: next.masterId, renewed: 0 }
  }
  if (!current) throw cannotStart("neither master key is this database's")
  if (!isFinished(current)) {
    await finish(ports, rotation, current)
    return rotateMasterKey(ports, rotation)
  }
  return finish(ports, rotation, await prepare(ports, current, rotation))
}

/**
 * Reloads the keyset when it has changed; a running server calls it every second. A keyset that is
 * sealed under a newer key is opened with the bridge, or with the next key once that is gone. `lost`:
 * no key here opens it.
 */
export async function followRotation({
  meta,
  keyring,
  nextKey,
}: {
  meta: Pick<MetaStore, 'read'>
  keyring: LiveKeyring
  nextKey?: Pick<NextKey, 'read'>
}): Promise<'same' | 'changed' | 'lost'> {
  const stored = textOf(await meta.read('keyset_version'))
  if (stored === String(keyring.keyset().version)) return 'same'
  const next = await takeUp(meta, keyring.keyset(), nextKey?.read() ?? null)
  if (!next) return 'lost'
  keyring.replace(next)
  return 'changed'
}

async function prepare(
  ports: RotationPorts,
  current: Keyset,
  { newMaster, refuseUnlessHeld }: Rotation,
): Promise<Keyset> {
  const { meta } = ports
  const { bytes, salt } = await nextMaster(ports, newMaster)
  await refuseUnlessHeld?.(keyIdOf(bytes))
  const keyset = preparedKeyset(current, bytes)
  const facts = {
    ...keysetFacts(keyset),
    ...usedSalt,
    passphrase_salt: salt,
    rotation_bridge: sealBridge(current, keyset),
  }
  return written(await meta.write(facts, { expected: versionOf(current) }), keyset)
}

/** Everything that follows the first step. */
async function finish(
  ports: RotationPorts,
  rotation: Rotation,
  prepared: Keyset,
): Promise<Rotated> {
  const { meta, clock } = ports
  let keyset = prepared
  if (keyset.currentId !== keyset.masterId) {
    await untilFollowed(ports, rotation, keyset.version)
    const switched = switchedKeyset(keyset, clock.now())
    const expected = versionOf(keyset)
    keyset = written(await meta.write(keysetFacts(switched), { expected }), switched)
  }
  await untilFollowed(ports, rotation, keyset.version)
  const before = await renewAll(ports, rotation, keyset, 0)
  await dropOldKeks(ports, keyset, before)
  // A command beside the servers may have wrapped data keys under the old KEK meanwhile.
  const renewed = await renewAll(ports, rotation, keyset, before)
  return { keyId: keyset.masterId, renewed }
}

/** Waits until every running server has the keyset of this version. */
async function untilFollowed(
  { nodes, clock, timers }: RotationPorts,
  { serverRuns }: Rotation,
  version: number,
): Promise<void> {
  for (let looks = 0; looks < looksMax; looks++) {
    if (!(await serverRuns())) return
    const now = clock.now()
    const alive = (await nodes.list()).filter((node) => isAlive(node, now))
    if (alive.length > 0 && alive.every((node) => node.keysetVersion >= version)) return
    await timers.sleep(lookEveryMs)
  }
  throw cannotStart('a running server has not taken up the new key: run it again, or stop it')
}

/** Renews every data key under another KEK, and the bindings; returns how many keys, added to `count`. */
async function renewAll(
  ports: RotationPorts,
  { onProgress }: Rotation,
  keyset: Keyset,
  count: number,
): Promise<number> {
  let renewed = count
  for (;;) {
    const apps = await ports.apps.wrappedOtherwise(keyset.currentId, batchSize)
    if (apps.length === 0) {
      await resealBindings(ports, keyset)
      await resealAccounts(ports, keyset)
      return renewed
    }
    await ports.apps.renewKeys(apps.map((app) => renewal(ports, keyset, app)))
    renewed += apps.length
    onProgress?.(renewed)
  }
}

function renewal({ random, clock }: RotationPorts, keyset: Keyset, app: App): KeyRenewal {
  const { id: appId, version: expectedVersion } = app
  const keyring = createKeyring(keyset, random)
  try {
    const renewing = { keyset, random, now: clock.now() }
    const dataKey = renewDataKey(renewing, appId, app.dataKey)
    const again = (place: SealPlace, sealed: Uint8Array) =>
      keyring.seal(appId, dataKey, place, keyring.open(appId, app.dataKey, place, sealed))
    const secrets = app.endpoints.flatMap((endpoint) => {
      if (!endpoint.secretSealed) return []
      const sealed = again(secretPlace(endpoint), endpoint.secretSealed)
      return [{ endpointId: endpoint.id, sealed }]
    })
    const dkim = app.dkim.map((key) => {
      return { id: key.id, sealed: again(dkimPlace(key), key.privateSealed) }
    })
    const webhooks = app.webhooks.map((webhook) => ({
      id: webhook.id,
      sealed: again(webhookPlace(webhook, 'secret_sealed'), webhook.secretSealed),
      formerSealed:
        webhook.formerSealed && again(webhookPlace(webhook, 'former_sealed'), webhook.formerSealed),
    }))
    return { appId, expectedVersion, dataKey, secrets, dkim, webhooks }
  } catch {
    throw cannotStart(`the secrets of app ${appId} cannot be opened: restore or delete the app`)
  }
}

/** The last write, with its audit record: drops the old KEKs. */
async function dropOldKeks(ports: RotationPorts, keyset: Keyset, renewed: number): Promise<void> {
  const { meta, audit, clock, random } = ports
  const facts = { ...keysetFacts(finishedKeyset(keyset)), rotation_bridge: null }
  const expected = versionOf(keyset)
  const entry: AuditEntry = {
    at: clock.now(),
    who: 'cli',
    action: 'master_key.rotate',
    object: keyset.masterId,
    detail: `data keys ${renewed}`,
    requestId: null,
  }
  for (;;) {
    const append = linkAudit(createKeyring(keyset, random), await audit.state(), entry)
    if (await meta.write(facts, { expected, audit: append })) return
    // Either the audit log has grown, which is a reason to retry, or the keyset has changed.
    written(textOf(await meta.read('keyset_version')) === String(keyset.version), null)
  }
}

function written<Value>(isWritten: boolean, value: Value): Value {
  if (!isWritten) throw cannotStart('another rotation has come between: run it again')
  return value
}

function versionOf({ version }: Keyset) {
  return { keyset_version: textFact(version) }
}

/** Opens the stored keyset, with a key of this process, the next one or the bridge. */
async function takeUp(
  meta: Pick<MetaStore, 'read'>,
  { keks, masterId }: Keyset,
  nextKey: MasterKey | null,
): Promise<Keyset | null> {
  const sealed = await meta.read('keyset')
  if (!sealed) return null
  for (const [id, kek] of Object.entries(keks)) {
    const keyset = openKeyset(sealed, id, kek)
    if (keyset) return keyset
  }
  const held = nextKey && (await masterBytes(nextKey, await meta.read('passphrase_salt')))
  const opened = openWith(sealed, held)
  if (opened) return opened
  const bridge = await meta.read('rotation_bridge')
  const kek = keks[masterId]
  if (!bridge || !kek) return null
  try {
    const plain = openBytes(kek, bridgePlace(masterId), bridge)
    const crossed: { id: string; kek: string } = JSON.parse(Buffer.from(plain).toString())
    return openKeyset(sealed, crossed.id, new Uint8Array(Buffer.from(crossed.kek, 'base64')))
  } catch {
    return null
  }
}

/** Seals the new KEK under the old one, for servers that started with the old master key. */
function sealBridge(from: Keyset, to: Keyset): Uint8Array {
  const fromKek = from.keks[from.masterId]
  const toKek = to.keks[to.masterId]
  if (!fromKek || !toKek) throw new Error('a keyset lacks its master key')
  const plain = JSON.stringify({ id: to.masterId, kek: Buffer.from(toKek).toString('base64') })
  return sealBytes(fromKek, bridgePlace(from.masterId), Buffer.from(plain))
}

function bridgePlace(fromId: string): string {
  return `bridge\0${fromId}`
}
