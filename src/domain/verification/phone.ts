import type { EffectivePolicy } from '../app/policy.ts'

/**
 * The kinds of numbers that an app may allow. Numbers that charge the one who calls or writes
 * (premium rate, shared cost) are none of them, and those of pagers and voice mail have no person.
 */
export const phoneTypes = [
  'mobile',
  'fixed_line_or_mobile',
  'fixed_line',
  'voip',
  'personal_number',
] as const
export type PhoneType = (typeof phoneTypes)[number]

/** A telephone number that exists in its country's numbering plan. */
export type PhoneNumber = {
  /** `+`, the calling code and the rest, digits only (E.164). */
  e164: string
  /** ISO 3166; null for a number of no country. */
  country: string | null
  /** `other`: one that no app may allow. */
  type: PhoneType | 'other'
}

/** The countries and types that an app allows. */
export type PhoneRules = Pick<EffectivePolicy, 'phoneCountries' | 'phoneTypes'>

/** What is wrong with a number for an app, as the rest of a sentence; null when it is allowed. */
export function phoneFault(number: PhoneNumber | null, rules: PhoneRules): string | null {
  const { phoneCountries, phoneTypes: allowed } = rules
  if (phoneCountries.length === 0) return 'is refused: the app’s policy allows no phone_countries'
  if (number === null) return mustBePhone
  const { country, type } = number
  if (country === null || !phoneCountries.includes(country)) {
    return 'is a number of a country that is not among the app’s phone_countries'
  }
  if (type === 'other' || !allowed.includes(type)) {
    return 'is a number of a type that is not among the app’s phone_types'
  }
  return null
}

/** `+` and digits, without what people write between them; null for anything else. */
export function readPhone(text: string): string | null {
  if (!/^\+[0-9][0-9 ().-]{5,31}$/.test(text)) return null
  // The national prefix, which is not dialled from abroad.
  const e164 = text.replace('(0)', '').replace(/[ ().-]/g, '')
  return isE164(e164) ? e164 : null
}

export const mustBePhone =
  'must be one telephone number with its country code, like +4917012345678, without extension'

/** A number with the longest allowed calling code and national number (E.164 section 6). */
const e164Pattern = /^\+[1-9]\d{6,14}$/

export function isE164(text: string): boolean {
  return e164Pattern.test(text)
}

/**
 * The number for limits: Argentina writes a mobile number with 9 after the country code or with 15
 * before the subscriber's part, so the 9 is left out.
 */
export function foldPhone(e164: string): string {
  return e164.replace(/^\+549(?=\d{10}$)/, '+54')
}

/** One digit for zones 1 and 7, else two or three (ITU-T E.164 annex, list of country codes). */
const callingCode = /^\+(?:1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|\d{3})(?=\d)/

/** The calling code and the last two digits: `+49 *** **** 78`. */
export function maskPhone(e164: string): string {
  return `${callingCodeOf(e164)} *** **** ${e164.slice(-2)}`
}

/** `+49`, which several countries may have in common. */
export function callingCodeOf(e164: string): string {
  return callingCode.exec(e164)?.[0] ?? '+'
}

/** The block of 10,000 numbers that a number is in; pumping runs through such blocks. */
export function prefixOf(e164: string): string {
  return e164.slice(0, -4)
}
