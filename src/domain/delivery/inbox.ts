import { entry, findApp } from '../app/manage.ts'
import { type Actor, audited } from '../audit.ts'
import type { Ports } from '../ports.ts'

/** Deletes the kept messages of test keys, of one app or of all; how many. Throws `app_not_found`. */
export async function clearInbox(
  ports: Pick<Ports, 'inbox' | 'apps' | 'audit' | 'keyring' | 'clock'>,
  actor: Actor,
  { appId }: { appId: string | null },
): Promise<number> {
  if (appId !== null) await findApp(ports, appId)
  const record = entry(ports, actor, 'inbox.clear', appId ?? 'inbox', 'messages of test keys')
  return audited(ports, record, (append) => ports.inbox.clear({ appId }, append))
}
