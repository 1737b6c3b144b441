import type { Page } from '../../domain/page/page.ts'
import type { NewPage, PageStore, RedeemCommand } from '../../domain/page/store.ts'
import type { Parts } from './parts.ts'

export function createPageStore({ database, read, write }: Parts): PageStore {
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
    redeem: (command) => write(() => redeem.get(command)?.id ?? null, 'check'),
  }
}

type NewRow = Omit<NewPage, 'addressMacs'> & { addressMacs: string | null }
type PageRow = Omit<Page, 'addressMacs'> & { addressMacs: string | null }

function toPage(row: PageRow | null): Page | null {
  return row && { ...row, addressMacs: row.addressMacs && JSON.parse(row.addressMacs) }
}
