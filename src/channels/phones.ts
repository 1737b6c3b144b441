import type { PhoneNumber as Parsed } from 'libphonenumber-js/max'
import type { Phones } from '../domain/ports.ts'
import { isE164, type PhoneNumber } from '../domain/verification/phone.ts'

type Library = typeof import('libphonenumber-js/max')

/** Digits and what people write between them, after `+`: so no extension, and no letter. */
const written = /^\+[0-9][0-9 ().-]{5,31}$/

/**
 * Reads telephone numbers with the metadata of all types: the smaller ones do not know premium
 * ranges. Loaded with the first number, because it takes longer to load than the rest of a start.
 */
export function createPhones(): Phones {
  let library: Library | null = null
  return {
    read(text) {
      if (!written.test(text)) return null
      library ??= require('libphonenumber-js/max') as Library
      const parsed = library.parsePhoneNumberFromString(text, { extract: false })
      return parsed ? numberOf(parsed) : null
    },
  }
}

/** The number, if it exists in its country's plan and has at most the 15 digits of E.164. */
function numberOf(parsed: Parsed): PhoneNumber | null {
  const { number: e164, country = null, ext } = parsed
  if (ext !== undefined || !isE164(e164) || !parsed.isValid()) return null
  return { e164, country, type: typeOf(parsed) }
}

const types: Partial<Record<NonNullable<ReturnType<Parsed['getType']>>, PhoneNumber['type']>> = {
  MOBILE: 'mobile',
  FIXED_LINE_OR_MOBILE: 'fixed_line_or_mobile',
  FIXED_LINE: 'fixed_line',
  VOIP: 'voip',
  PERSONAL_NUMBER: 'personal_number',
}

function typeOf(parsed: Parsed): PhoneNumber['type'] {
  const type = parsed.getType()
  return (type && types[type]) ?? 'other'
}
