import type { Database } from 'bun:sqlite'
import type { Page } from '../../domain/page/page.ts'
import type { NewPage, PageStore, RedeemCommand } from '../../domain/page/store.ts'
import type { VerificationKey } from '../../domain/verification/verification.ts'
import type { AddEvent } from './events.ts'
import type { Parts } from './parts.ts'

export function createPageStore({ addEvent, ...parts }: Parts & { addEvent: AddEvent }): PageStore {
  const { database, read, write } = parts
  const reports = prepareReports(database)
  const insert = database.prepare<null, NewRow>(`
    insert into pages (verification_id, app_id, mode, return_url, address_macs, kept_until)
    values ($id, $appId, $mode, $returnUrl, $addressMacs, $keptUntil) on conflict (verification_id) do nothing`)
  const get = database.prepare<PageRow, { id: string }>(`
    select verification_id as id, app_id as appId, mode, return_url as returnUrl, address_macs as addressMacs,
      browser_hash as browserHash, redeemed_at as redeemedAt, kept_until as keptUntil
    from pages where verification_id = $id`)
  const claim = database.prepare<null, { id: string; browserHash: Uint8Array }>(`
    update pages set browser_hash = $browserHash
    where verification_id = $id and browser_hash is null`)
  const offer = database.prepare<null, { id: string; resultHash: Uint8Array; until: number }>(`
    update pages set result_hash = $resultHash, result_until = $until
    where verification_id = $id and redeemed_at is null`)
  const redeem = database.prepare<{ id: string }, RedeemCommand>(`
    update pages set result_hash = null, result_until = null, redeemed_at = $now
    where result_hash = $resultHash and app_id = $appId and mode = $mode and result_until > $now
    returning verification_id as id`)

  return {
    add: ({ addressMacs, ...page }) =>
      write(() => {
        insert.run({ ...page, addressMacs: addressMacs && JSON.stringify(addressMacs) })
      }, 'start'),
    get: (id) => read(() => toPage(get.get({ id }))),
    claim: (command) => write(() => claim.run(command).changes > 0, 'check'),
    offerResult: (command) => write(() => offer.run(command).changes > 0, 'check'),
    find: (id) => read(() => reports.find.get({ id })),
    report: ({ event: type, now, ...key }) =>
      write(() => {
        if (reports.insert.run({ ...key, now }).changes === 0) return false
        const { appId, id: verificationId } = key
        addEvent({ at: now, appId, type, verificationId, data: {} })
        return true
      }),
    reports: (query) => read(() => reports.count.all(query)),
    redeem: (command) => write(() => redeem.get(command)?.id ?? null, 'check'),
  }
}

type NewRow = Omit<NewPage, 'addressMacs'> & { addressMacs: string | null }
type PageRow = Omit<Page, 'addressMacs'> & { addressMacs: string | null }

function toPage(row: PageRow | null): Page | null {
  return row && { ...row, addressMacs: row.addressMacs && JSON.parse(row.addressMacs) }
}

function prepareReports(database: Database) {
  return {
    find: database.prepare<VerificationKey, { id: string }>(
      'select app_id as appId, mode, id from verifications where id = $id',
    ),
    insert: database.prepare<null, VerificationKey & { now: number }>(`
      insert into page_reports (verification_id, app_id, mode, at)
      values ($id, $appId, $mode, $now) on conflict (verification_id) do nothing`),
    count: database.prepare<{ appId: string; count: number }, { since: number }>(`
      select app_id as appId, count(*) as count from page_reports
      where at >= $since and mode = 'live' group by app_id`),
  }
}
