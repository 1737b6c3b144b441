import type { Page } from '../../domain/page/page.ts'
import type { PageStore } from '../../domain/page/store.ts'
import type { VerificationKey } from '../../domain/verification/verification.ts'
import type { AddEvents } from './events.ts'
import type { Parts } from './parts.ts'

type Deps = Pick<Parts, 'database'> & { addEvents: AddEvents }

export function createPageStore({ database, addEvents }: Deps): PageStore {
  return {
    async add({ addressMacs, ...page }) {
      await database.run(
        `insert into pages (verification_id, app_id, mode, return_url, address_macs, kept_until)
        values ($id, $appId, $mode, $returnUrl, $addressMacs, $keptUntil)
        on conflict (verification_id) do nothing`,
        { ...page, addressMacs: addressMacs && JSON.stringify(addressMacs) },
        'start',
      )
    },
    async get(id) {
      const [page] = await database.read<
        Omit<Page, 'addressMacs'> & { addressMacs: string | null }
      >(
        `select verification_id as id, app_id, mode, return_url, address_macs, browser_hash, redeemed_at,
          kept_until
        from pages where verification_id = $id`,
        { id },
      )
      return page
        ? { ...page, addressMacs: page.addressMacs && JSON.parse(page.addressMacs) }
        : null
    },
    claim: async (command) => (await database.run(claim, command, 'check')) > 0,
    offerResult: async (command) => (await database.run(offer, command, 'check')) > 0,
    async find(id) {
      const [key] = await database.read<VerificationKey>(
        'select app_id, mode, id from verifications where id = $id',
        { id },
      )
      return key ?? null
    },
    report: ({ event: type, now, ...key }) =>
      database.transaction(async (session) => {
        const { appId, id: verificationId, mode } = key
        const added = await session.run(report, { appId, id: verificationId, mode, now })
        if (added === 0) return false
        await addEvents(session, [{ at: now, appId, type, verificationId, data: {} }])
        return true
      }),
    reports: ({ since }) =>
      database.read<{ appId: string; count: number }>(
        `select app_id, count(*) as count from page_reports
        where at >= $since and mode = 'live' group by app_id`,
        { since },
      ),
    async redeem(command) {
      const [redeemed] = await database.write<{ id: string }>(redeem, command, 'check')
      return redeemed?.id ?? null
    },
  }
}

const claim = `
  update pages set browser_hash = $browserHash
  where verification_id = $id and browser_hash is null`

const offer = `
  update pages set result_hash = $resultHash, result_until = $until
  where verification_id = $id and redeemed_at is null`

const redeem = `
  update pages set result_hash = null, result_until = null, redeemed_at = $now
  where result_hash = $resultHash and app_id = $appId and mode = $mode and result_until > $now
  returning verification_id as id`

const report = `
  insert into page_reports (verification_id, app_id, mode, at)
  values ($id, $appId, $mode, $now) on conflict (verification_id) do nothing`
