import type { AppKey } from '../../domain/app/app.ts'
import { Problem } from '../../domain/problem.ts'
import type { NewKey } from '../../domain/stores.ts'
import { touchApp } from './cache.ts'
import type { Session } from './lanes.ts'

export const keyColumns = 'id, app_id, mode, prefix, last_four, created_at, revoked_at'

export async function insertKey(
  session: Session,
  { key, hash }: Omit<NewKey, 'activeMax'>,
): Promise<void> {
  await session.run(
    `insert into api_keys (id, app_id, mode, hash, prefix, last_four, created_at, revoked_at)
    values ($id, $appId, $mode, $hash, $prefix, $lastFour, $createdAt, $revokedAt)`,
    { ...key, hash },
  )
}

/** Throws `app_not_found` when the app was removed meanwhile. */
export async function addKey(
  session: Session,
  { key, hash, activeMax }: NewKey,
): Promise<'added' | 'too_many'> {
  const { appId, mode } = key
  if (!(await lockApp(session, appId))) throw new Problem('app_not_found')
  const [active] = await session.query<{ count: number }>(
    `select count(*) as count from api_keys
    where app_id = $appId and mode = $mode and revoked_at is null`,
    { appId, mode },
  )
  if ((active?.count ?? 0) >= activeMax) return 'too_many'
  await insertKey(session, { key, hash })
  await touchApp(session, appId)
  return 'added'
}

export async function revokeKey(
  session: Session,
  command: Pick<AppKey, 'appId'> & { keyId: string; now: number },
): Promise<boolean> {
  const { appId } = command
  if (!(await lockApp(session, appId))) return false
  const revoked = await session.run(
    `update api_keys set revoked_at = $now
    where app_id = $appId and id = $keyId and revoked_at is null`,
    command,
  )
  if (revoked > 0) await touchApp(session, appId)
  return revoked > 0
}

/** Locks the row of an app; false where there is none. */
export async function lockApp(session: Session, appId: string): Promise<boolean> {
  const rows = await session.query('select id from apps where id = $appId for no key update', {
    appId,
  })
  return rows.length > 0
}
