import { entry, findApp } from '../app/manage.ts'
import { type Actor, record } from '../audit.ts'
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
  await record(ports, entry(ports, actor, 'verification.search', request.appId, 'by address'))
  return page
}

/**
 * Ends a verification for the admin. As with a resend, the record is written first, so that nothing is done
 * that the log does not have. Throws `app_not_found` and the refusals of a check.
 */
export async function cancelAsAdmin(
  ports: AuditPorts & Pick<Ports, 'verifications' | 'outbox'>,
  actor: Actor,
  key: VerificationKey,
): Promise<Verification> {
  await findApp(ports, key.appId)
  await requirePending(ports, key)
  await record(
    ports,
    entry(ports, actor, 'verification.cancel', key.appId, `verification ${key.id}`),
  )
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
  await record(ports, entry(ports, actor, 'verification.resend', appId, `verification ${id}`))
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
