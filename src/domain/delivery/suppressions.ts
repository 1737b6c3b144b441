import { entry, findApp } from '../app/manage.ts'
import { type Actor, audited } from '../audit.ts'
import type { Ports } from '../ports.ts'
import { Problem } from '../problem.ts'
import type { Page } from '../stores.ts'
import { readRecipient, recipientKinds } from '../verification/recipient.ts'
import type { Suppression } from './suppression.ts'

/** An app's suppressions in force, the newest first. Throws `app_not_found`. */
export async function listSuppressions(
  ports: Pick<Ports, 'apps' | 'suppressions' | 'clock'>,
  { appId, ...paging }: { appId: string; limit: number; cursor: string | null },
): Promise<Page<Suppression>> {
  await findApp(ports, appId)
  return ports.suppressions.list({ appId, now: ports.clock.now(), ...paging })
}

type RemovePorts = Pick<Ports, 'apps' | 'suppressions' | 'audit' | 'keyring' | 'clock'>
type Which = { id: string } | { to: unknown }

/**
 * Ends a suppression, by its id or by its exact address, and forgets that there was one. Throws
 * `app_not_found`, `suppression_not_found`, `invalid_request` for the address.
 */
export async function removeSuppression(
  ports: RemovePorts,
  actor: Actor,
  { appId, ...which }: { appId: string } & Which,
): Promise<void> {
  const { keyring, suppressions } = ports
  await findApp(ports, appId)
  const key =
    'id' in which ? { id: which.id } : { recipientIndex: indexOf(keyring, appId, which.to) }
  const detail = 'id' in key ? `suppression ${key.id}` : 'by address'
  const record = entry(ports, actor, 'suppression.remove', appId, detail)
  const removed = await audited(ports, record, (append) =>
    suppressions.remove({ appId, ...key }, append),
  )
  if (!removed) throw new Problem('suppression_not_found')
}

function indexOf(
  keyring: Pick<Ports['keyring'], 'recipientIndex'>,
  appId: string,
  to: unknown,
): Uint8Array {
  return keyring.recipientIndex(appId, readRecipient(recipientKinds, to).address)
}
