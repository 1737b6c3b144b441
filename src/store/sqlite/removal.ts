import type { Parts } from './parts.ts'

/** The most rows of each table that one commit deletes. */
const batch = 500

const some = 'select id from verifications where app_id = $appId limit $limit'

/** The tables with rows of an app, besides keys and endpoints; deliveries follow verifications. */
const owned = {
  inbox: 'id in (select id from inbox where app_id = $appId limit $limit)',
  answers: 'key in (select key from answers where app_id = $appId limit $limit)',
  delivery_tries: `delivery_id in (select id from deliveries where verification_id in (${some}))`,
  deliveries: `verification_id in (${some})`,
  verification_recipients: `verification_id in (${some})`,
  verifications: `id in (${some})`,
  alarms: 'id in (select id from alarms where app_id = $appId limit $limit)',
  events: 'id in (select id from events where app_id = $appId limit $limit)',
  webhook_messages:
    'number in (select number from webhook_messages where app_id = $appId limit $limit)',
  suppressions: 'id in (select id from suppressions where app_id = $appId limit $limit)',
  bindings: 'id in (select id from bindings where app_id = $appId limit $limit)',
  pages: `verification_id in
    (select verification_id from pages where app_id = $appId limit $limit)`,
  page_reports: `verification_id in
    (select verification_id from page_reports where app_id = $appId limit $limit)`,
  bots: '(app_id, bot) in (select app_id, bot from bots where app_id = $appId limit $limit)',
  endpoint_minutes: `(app_id, endpoint_id, minute) in
    (select app_id, endpoint_id, minute from endpoint_minutes where app_id = $appId limit $limit)`,
  app_costs:
    '(app_id, day) in (select app_id, day from app_costs where app_id = $appId limit $limit)',
  app_countries: `(app_id, country, slot) in
    (select app_id, country, slot from app_countries where app_id = $appId limit $limit)`,
  learned_days: `(app_id, day, recipient_group, endpoint_id) in
    (select app_id, day, recipient_group, endpoint_id from learned_days
      where app_id = $appId limit $limit)`,
  learned_recipients: `(app_id, day, recipient_key) in
    (select app_id, day, recipient_key from learned_recipients where app_id = $appId limit $limit)`,
  figures: `(app_id, span_ms, at, part, value) in
    (select app_id, span_ms, at, part, value from figures where app_id = $appId limit $limit)`,
  app_minutes: `(app_id, minute) in
    (select app_id, minute from app_minutes where app_id = $appId limit $limit)`,
}

/** Deletes an app at once, and its other rows in batches, so that no commit is long. */
export function createRemoval({ database, write }: Pick<Parts, 'database' | 'write'>) {
  const app = database.prepare<null, { id: string }>('delete from apps where id = $id')
  const rows = Object.entries(owned).map(([table, condition]) =>
    database.prepare<null, { appId: string; limit: number }>(
      `delete from ${table} where ${condition}`,
    ),
  )
  const removeBatch = (appId: string) => () =>
    rows.reduce((sum, statement) => sum + statement.run({ appId, limit: batch }).changes, 0)

  return {
    app: (id: string): boolean => app.run({ id }).changes > 0,
    async rows(appId: string): Promise<void> {
      while ((await write(removeBatch(appId))) > 0);
    },
  }
}
