import type { Database } from 'bun:sqlite'
import type { KeyRenewal } from '../../domain/stores.ts'
import type { Webhook } from '../../domain/webhook/webhook.ts'

type Row = Omit<Webhook, 'types' | 'testEvents'> & { types: string; testEvents: 0 | 1 }

/** Reads and writes the webhooks of an app within the transaction of the caller. */
export function createWebhookRows(database: Database) {
  const list = database.prepare<Row, { appId: string }>(`
    select id, url, types, test_events as testEvents, secret_sealed as secretSealed,
      former_sealed as formerSealed, former_until as formerUntil, off_since as offSince,
      off_cause as offCause, created_at as createdAt, updated_at as updatedAt
    from webhooks where app_id = $appId order by created_at, id`)
  // One that is switched on begins anew: what waits is due, and it has not failed yet.
  const put = database.prepare<null, Row & { appId: string }>(`
    insert into webhooks (id, app_id, url, types, test_events, secret_sealed, former_sealed,
      former_until, off_since, off_cause, created_at, updated_at)
    values ($id, $appId, $url, $types, $testEvents, $secretSealed, $formerSealed,
      $formerUntil, $offSince, $offCause, $createdAt, $updatedAt)
    on conflict (id) do update set url = excluded.url, types = excluded.types,
      test_events = excluded.test_events, secret_sealed = excluded.secret_sealed,
      former_sealed = excluded.former_sealed, former_until = excluded.former_until,
      failing_since = iif(excluded.off_since is null and off_since is not null,
        null, failing_since),
      due_at = iif(excluded.off_since is null, (${firstDue}), null),
      off_since = excluded.off_since, off_cause = excluded.off_cause,
      updated_at = excluded.updated_at`)
  const keep = database.prepare<null, { appId: string; ids: string }>(`
    delete from webhooks
    where app_id = $appId and id not in (select value from json_each($ids))`)
  const seal = database.prepare<null, KeyRenewal['webhooks'][number] & { appId: string }>(`
    update webhooks set secret_sealed = $sealed, former_sealed = $formerSealed
    where id = $id and app_id = $appId`)

  return {
    of: (appId: string) => list.all({ appId }).map(toWebhook),
    replace(appId: string, webhooks: Webhook[]): void {
      keep.run({ appId, ids: JSON.stringify(webhooks.map(({ id }) => id)) })
      for (const { types, testEvents, ...webhook } of webhooks) {
        const flag = testEvents ? 1 : 0
        put.run({ ...webhook, appId, types: JSON.stringify(types), testEvents: flag })
      }
    },
    seal(appId: string, sealed: KeyRenewal['webhooks']): void {
      for (const one of sealed) seal.run({ ...one, appId })
    },
  }
}

export type WebhookRows = ReturnType<typeof createWebhookRows>

/** The time of the first message of a webhook that is due. */
export const firstDue = `select min(due_at) from webhook_messages
  where webhook_id = webhooks.id and due_at is not null`

function toWebhook({ types, testEvents, ...row }: Row): Webhook {
  return { ...row, types: JSON.parse(types), testEvents: testEvents === 1 }
}
