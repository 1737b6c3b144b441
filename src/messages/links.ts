import type { Handover } from '../domain/delivery/delivery.ts'
import type { Language } from '../domain/language.ts'
import { pageWords } from './page-words.ts'

/**
 * The links of a message. `page`: to the hosted page, with the code behind a #, which no server sees.
 * `report`: the secret of "this was not me"; null for none.
 */
export type Links = { base: string; id: string; page: boolean; report: string | null }

/** The addresses of the links; null for one that a message does not have. */
export type LinkUrls = Record<'page' | 'report', string | null>

export type ShownLink = { kind: 'page' | 'report'; label: string; url: string }

/** Null for an app without links, and where there is no address that they could begin with. */
export function linksOf(
  { app, verificationId: id, reportSecret: report = null }: Handover,
  base: string | null,
): Links | null {
  const page = app.policy.pageLink === true
  return base !== null && (page || report !== null) ? { base, id, page, report } : null
}

export function urlsOf({ links = null, code }: { links?: Links | null; code: string }): LinkUrls {
  if (links === null) return { page: null, report: null }
  const { base, id, page, report } = links
  return {
    page: page ? `${base}/verify/${id}#${code}` : null,
    report: report === null ? null : `${base}/verify/${id}/report/${report}`,
  }
}

/** The links of the built-in messages, with their words. */
export function shownLinks({ page, report }: LinkUrls, language: Language): ShownLink[] {
  const { title, reportTitle } = pageWords[language]
  const shown: ShownLink[] = []
  if (page !== null) shown.push({ kind: 'page', label: title, url: page })
  if (report !== null) shown.push({ kind: 'report', label: reportTitle, url: report })
  return shown
}
