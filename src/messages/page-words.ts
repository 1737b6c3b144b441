import type { Language } from '../domain/language.ts'
import { pagesOfAsia } from './pages/asia.ts'
import { pagesOfCentralEurope } from './pages/central-europe.ts'
import { pagesOfEastAndSouth } from './pages/east-and-south.ts'
import { pagesOfWesternEurope } from './pages/western-europe.ts'

/**
 * What hosted pages say in one language. `{to}`, `{name}`, `{n}`, `{time}` and `{channel}` stand for
 * values; `{n}` is after a colon, so that no sentence needs a plural.
 */
export type PageWords = {
  title: string
  /** `{to}` is masked. */
  sent: string
  label: string
  confirm: string
  /** `{n}`: how many characters it has. */
  length: string
  /** `{n}`: how many tries are left. */
  wrong: string
  resend: string
  /** `{time}`: `30 seconds`. */
  resendIn: string
  resent: string
  noResend: string
  /** `{channel}`: its name. */
  other: string
  email: string
  wrongAddress: string
  undelivered: string
  expired: string
  exhausted: string
  canceled: string
  approved: string
  back: string
  /** In another browser than the one that has the page. */
  elsewhere: string
  /** To a link that is used, wrong or old. */
  unknown: string
  /** `{time}`: how long to wait. */
  wait: string
  failed: string
  filled: string
  reportTitle: string
  reportAsk: string
  report: string
  reported: string
}

/** For each language of the messages. */
export const pageWords: Record<Language, PageWords> = {
  ...pagesOfWesternEurope,
  ...pagesOfCentralEurope,
  ...pagesOfEastAndSouth,
  ...pagesOfAsia,
}

/** The languages that a browser asks for in Accept-Language, in its order. */
export function acceptedLanguages(header: string | null): string[] {
  const asked = (header ?? '').slice(0, 200).split(',').slice(0, 10)
  return asked.flatMap((part) => {
    try {
      return Intl.getCanonicalLocales(part.split(';')[0]?.trim() ?? '')
    } catch {
      return []
    }
  })
}
