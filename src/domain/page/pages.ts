import { hashKey } from '../app/api-key.ts'
import type { App } from '../app/app.ts'
import { isTimedId } from '../id.ts'
import type { Ports } from '../ports.ts'
import { Problem } from '../problem.ts'
import type { Mode, Verification } from '../verification/verification.ts'
import {
  isOfBrowser,
  isPageToken,
  isSameSecret,
  linkSecret,
  newPageToken,
  type Page,
  resultMs,
} from './page.ts'

/** A page as the browser sees it that has opened it. */
export type OpenedPage = { page: Page; app: App; verification: Verification }

/**
 * What became of a link. `opened`: this browser has it now, by the cookie. `again`: it had it before.
 * `taken`: another browser has it. `unknown`: there is no such page, or none any more.
 */
export type Opening =
  | { outcome: 'opened'; cookie: string; keptMs: number; appId: string }
  | { outcome: 'again' | 'taken' | 'unknown' }

type Link = { id: string; secret: string; cookie: string | null }

/** Opens the page of a link for the first browser that follows it. */
export async function openPage(
  { pages, keyring, clock, random }: Pick<Ports, 'pages' | 'keyring' | 'clock' | 'random'>,
  { id, secret, cookie }: Link,
): Promise<Opening> {
  if (!isTimedId(id) || !isPageToken(secret)) return { outcome: 'unknown' }
  const now = clock.now()
  const page = await pages.get(id)
  if (!page || page.keptUntil <= now) return { outcome: 'unknown' }
  if (!isSameSecret(secret, linkSecret(keyring, 'page', page))) return { outcome: 'unknown' }
  if (cookie !== null && isOfBrowser(page, cookie)) return { outcome: 'again' }
  if (page.browserHash !== null) return { outcome: 'taken' }
  const fresh = newPageToken(random)
  const isFirst = await pages.claim({ id, browserHash: hashKey(fresh) })
  if (!isFirst) return { outcome: 'taken' }
  const { appId, keptUntil } = page
  return { outcome: 'opened', cookie: fresh, keptMs: keptUntil - now, appId }
}

/** The page of a browser; null for any other browser, and once it is kept no longer. */
export async function readPage(
  { pages, apps, verifications, clock }: Pick<Ports, 'pages' | 'apps' | 'verifications' | 'clock'>,
  { id, cookie }: { id: string; cookie: string | null },
): Promise<OpenedPage | null> {
  if (cookie === null || !isTimedId(id) || !isPageToken(cookie)) return null
  const page = await pages.get(id)
  if (!page || page.keptUntil <= clock.now() || !isOfBrowser(page, cookie)) return null
  const [app, verification] = await Promise.all([apps.get(page.appId), verifications.get(page)])
  return app && verification && { page, app, verification }
}

/**
 * Makes a token with which the app asks what became of a verification that has ended, and which is
 * good once and for a minute; it replaces the one before. Null once the app was told.
 */
export async function offerResult(
  { pages, clock, random }: Pick<Ports, 'pages' | 'clock' | 'random'>,
  { id }: Page,
): Promise<string | null> {
  const result = newPageToken(random)
  const until = clock.now() + resultMs
  const isOffered = await pages.offerResult({ id, resultHash: hashKey(result), until })
  return isOffered ? result : null
}

/** The page of a result and its verification, once. Throws `result_not_found`. */
export async function redeemResult(
  { pages, verifications, clock }: Pick<Ports, 'pages' | 'verifications' | 'clock'>,
  { appId, mode, result }: { appId: string; mode: Mode; result: string },
): Promise<{ page: Page; verification: Verification }> {
  if (!isPageToken(result)) throw new Problem('result_not_found')
  const redeemed = { appId, mode, resultHash: hashKey(result), now: clock.now() }
  const id = await pages.redeem(redeemed)
  if (id === null) throw new Problem('result_not_found')
  const [page, verification] = await Promise.all([
    pages.get(id),
    verifications.get({ appId, mode, id }),
  ])
  if (!page || !verification) throw new Problem('result_not_found')
  return { page, verification }
}
