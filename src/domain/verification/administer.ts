import { entry, findApp } from '../app/manage.ts'
import { type Actor, audited } from '../audit.ts'
import type { ChannelKind } from '../delivery/channel.ts'
import type { QueuePorts } from '../delivery/queue-next.ts'
import type { Ports } from '../ports.ts'
import type { Page } from '../stores.ts'
import { cancelVerification } from './cancel.ts'
import { refusalOf } from './check.ts'
import { type ListRequest, listVerifications } from './list.ts'
import { resendVerification } from './resend.ts'
import { type Mode, statusOf, type Verification, type VerificationKey } from './verification.ts'

type AuditPorts = Pick<Ports, 'apps' | 'audit' | 'keyring' | 'clock'>

/**
 * The verifications of one address, for the admin. It is audited, because it tells where somebody signs
 * in; the record names the app and not the address. Throws `app_not_found`, `invalid_request`.
 */
export async function searchAsAdmin(
  ports: AuditPorts & Pick<Ports, 'verifications'>,
  actor: Actor,
  request: ListRequest & { to: unknown },
): Promise<Page<Verification>> {
  await findApp(ports, request.appId)
  const page = await listVerifications(ports, request)
  await record(ports, actor, request.appId, ['verification.search', 'by address'])
  return page
}

/** Ends a verification for the admin. Throws `app_not_found` and the refusals of a check. */
export async function cancelAsAdmin(
  ports: AuditPorts & Pick<Ports, 'verifications' | 'outbox'>,
  actor: Actor,
  key: VerificationKey,
): Promise<Verification> {
  await findApp(ports, key.appId)
  await requirePending(ports, key)
  await record(ports, actor, key.appId, ['verification.cancel', `verification ${key.id}`])
  return cancelVerification(ports, key)
}

type Resend = { appId: string; mode: Mode; id: string; channel?: ChannelKind | undefined }

/**
 * Sends the same code again for the admin. Throws `app_not_found` and what `resendVerification` throws.
 * The record is written first, so it may also stand for a resend that was refused as too early.
 */
export async function resendAsAdmin(
  ports: AuditPorts & QueuePorts & Pick<Ports, 'settings'>,
  actor: Actor,
  { appId, mode, id, channel }: Resend,
): Promise<Verification> {
  const app = await findApp(ports, appId)
  await requirePending(ports, { appId, mode, id })
  await record(ports, actor, appId, ['verification.resend', `verification ${id}`])
  return resendVerification(ports, { app, mode, id, channel })
}

async function requirePending(
  { verifications, clock }: Pick<Ports, 'verifications' | 'clock'>,
  key: VerificationKey,
): Promise<void> {
  const now = clock.now()
  const verification = await verifications.get(key)
  if (!verification || statusOf(verification, now) !== 'pending') {
    throw refusalOf(verification, now)
  }
}

type Action = 'verification.search' | 'verification.cancel' | 'verification.resend'

/** Before what it tells of, so that nothing is done that the log does not have. */
async function record(
  ports: AuditPorts,
  actor: Actor,
  appId: string,
  [action, detail]: [Action, string],
): Promise<void> {
  await audited(ports, entry(ports, actor, action, appId, detail), (append) =>
    ports.audit.append(append),
  )
}
