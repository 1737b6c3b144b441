import type { Session } from './lanes.ts'
import type { Parts } from './parts.ts'

/** The most rows of each table that one commit deletes. */
const batch = 500

/** The tables with rows of an app by itself, besides keys and endpoints. */
const owned = [
  ...[
    'inbox',
    'answers',
    'alarms',
    'events',
    'webhook_messages',
    'suppressions',
    'bindings',
    'bots',
    'pages',
    'page_reports',
  ],
  ...['endpoint_minutes', 'app_costs', 'app_countries', 'learned_days', 'learned_recipients'],
  ...['figures', 'app_minutes'],
]

/** Deletes an app with what its admin has set. */
export async function removeApp(session: Session, id: string): Promise<boolean> {
  const removed = await session.run('delete from apps where id = $id', { id })
  await session.query('select from webhooks where app_id = $id order by id for update', { id })
  await session.run('delete from webhooks where app_id = $id', { id })
  return removed > 0
}

/** Deletes what is left of an app that was deleted, in batches, so that no commit is long. */
export async function removeRows(
  { transaction, run }: Parts['database'],
  appId: string,
): Promise<void> {
  while (await transaction((session) => removeVerifications(session, appId)));
  for (const table of owned) {
    const statement = `
      delete from ${table} where ctid = any(array(
        select ctid from ${table} where app_id = $appId limit $limit for update))`
    while ((await run(statement, { appId, limit: batch })) === batch);
  }
}

/** Deletes some of the app's verifications with their deliveries and tries; whether there are more. */
async function removeVerifications(session: Session, appId: string): Promise<boolean> {
  const rows = await session.query<{ id: string }>(
    'select id from verifications where app_id = $appId order by id limit $limit for update',
    { appId, limit: batch },
  )
  await session.run(
    `with further as (
      delete from verification_recipients where verification_id = any($ids::text[])),
    sent as (delete from deliveries where verification_id = any($ids::text[]) returning id),
    tries as (delete from delivery_tries where delivery_id = any(array(select id from sent)))
    delete from verifications where id = any($ids::text[])`,
    { ids: rows.map(({ id }) => id) },
  )
  return rows.length === batch
}
