import type { KeyRenewal } from '../../domain/stores.ts'
import type { Webhook } from '../../domain/webhook/webhook.ts'
import { fromHex, listOf, readList, writeList } from './json.ts'
import type { Session } from './lanes.ts'

/** The webhooks of the row of `apps` that a statement reads. */
export const webhookList = listOf(`
  select id, url, types, test_events, encode(secret_sealed, 'hex') as secret_sealed,
    encode(former_sealed, 'hex') as former_sealed, former_until, off_since, off_cause,
    created_at, updated_at
  from webhooks where app_id = apps.id order by created_at, id`)

export function readWebhooks(text: string | null): Webhook[] {
  return readList<Row>(text).map(({ types, secretSealed, formerSealed, ...row }) => ({
    ...row,
    types: JSON.parse(types),
    secretSealed: fromHex(secretSealed),
    formerSealed: formerSealed === null ? null : fromHex(formerSealed),
  }))
}

type Row = Omit<Webhook, 'types' | 'secretSealed' | 'formerSealed'> & {
  types: string
  secretSealed: string
  formerSealed: string | null
}

/** The time of the first message of a webhook that is due. */
export const firstDue = `select min(due_at) from webhook_messages
  where webhook_id = webhooks.id and due_at is not null`

/** These write within a transaction that has locked the app. */
export const webhookRows = {
  async replace(session: Session, appId: string, webhooks: Webhook[]): Promise<void> {
    // Locked first, so that a message that is being written is seen by what reads messages below.
    await session.query('select id from webhooks where app_id = $appId order by id for update', {
      appId,
    })
    await session.run('delete from webhooks where app_id = $appId and id <> all($ids::text[])', {
      ...{ appId, ids: webhooks.map(({ id }) => id) },
    })
    if (webhooks.length === 0) return
    const rows = webhooks.map((webhook) => ({ ...webhook, types: JSON.stringify(webhook.types) }))
    await session.run(put, { appId, rows: writeList(rows) })
  },
  async seal(session: Session, appId: string, sealed: KeyRenewal['webhooks']): Promise<void> {
    await session.run(
      `update webhooks set secret_sealed = decode(sealed, 'hex'),
        former_sealed = decode(given.former_sealed, 'hex')
      from jsonb_to_recordset($rows::jsonb) as given (id text, sealed text, former_sealed text)
      where webhooks.id = given.id and app_id = $appId`,
      { appId, rows: writeList(sealed) },
    )
  },
}

/** One that is switched on begins anew: what waits is due, and it has not failed yet. */
const put = `
  insert into webhooks (id, app_id, url, types, test_events, secret_sealed, former_sealed,
    former_until, off_since, off_cause, created_at, updated_at)
  select id, $appId, url, types, test_events, decode(secret_sealed, 'hex'),
    decode(former_sealed, 'hex'), former_until, off_since, off_cause, created_at, updated_at
  from jsonb_to_recordset($rows::jsonb) as given (id text, url text, types text,
    test_events boolean, secret_sealed text, former_sealed text, former_until bigint,
    off_since bigint, off_cause text, created_at bigint, updated_at bigint)
  on conflict (id) do update set url = excluded.url, types = excluded.types,
    test_events = excluded.test_events, secret_sealed = excluded.secret_sealed,
    former_sealed = excluded.former_sealed, former_until = excluded.former_until,
    failing_since = case when excluded.off_since is null and webhooks.off_since is not null
      then null else webhooks.failing_since end,
    due_at = case when excluded.off_since is null then (${firstDue}) end,
    off_since = excluded.off_since, off_cause = excluded.off_cause,
    updated_at = excluded.updated_at`
