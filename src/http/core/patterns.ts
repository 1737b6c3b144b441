/**
 * Patterns for OpenAPI, for texts that the domain reads with more than a pattern. It accepts every
 * text of these patterns, and a few more, such as host names outside of ASCII.
 */

// Without two hyphens in a row, because most labels that begin with `xn--` are none.
const label = '[A-Za-z0-9](-?[A-Za-z0-9]){0,31}'
// A last label that begins with a digit may be read as an IPv4 address.
const lastLabel = '[A-Za-z](-?[A-Za-z0-9]){0,31}'
const atom = "[A-Za-z0-9#$&'*+/=?^_`{|}~-]+"
const byte = '(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])'
const group = '[0-9A-Fa-f]{1,4}'
/** IPv6 in every length of `::`, without an IPv4 address at its end (RFC 4291 section 2.2). */
const ipv6 = [
  `(${group}:){7}${group}`,
  ...[1, 2, 3, 4, 5, 6].map((before) => `(${group}:){${before}}(:${group}){1,${7 - before}}`),
  `(${group}:){1,7}:`,
  `:(:${group}){1,7}`,
  '::',
].join('|')
const port = '(:([1-9][0-9]{3}|[1-5][0-9]{4}|6[0-4][0-9]{3}))?'

/** At most 64 characters before the @. */
export const emailPattern = `^(?![^@]{65})${atom}(\\.${atom})*@(${label}\\.)+${lastLabel}$`

export const hostPattern = `^((${label}\\.)*${lastLabel}|(${byte}\\.){3}${byte}|${ipv6})$`

export const domainPattern = `^(${label}\\.)+${lastLabel}$`

const lowerLabel = '[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?'
export const selectorPattern = `^${lowerLabel}(\\.${lowerLabel})*$`

/** 1 to 65535, as text. */
export const portPattern =
  '^([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])$'

export const originPattern = `^(https://([a-z0-9-]*[a-z0-9]\\.)*[a-z]+|http://localhost)${port}$`

/** Control, format, separator and surrogate characters of the basic plane. */
const unseen =
  '\\u0000-\\u001f\\u007f-\\u009f\\u00ad\\u0600-\\u0605\\u061c\\u06dd\\u070f\\u0890\\u0891' +
  '\\u08e2\\u180e\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u2064\\u2066-\\u206f\\ufeff\\ufff9-\\ufffb'

/** No invisible character, and at least one visible one. */
export const namePattern = `^[^${unseen}]*[^\\s${unseen}][^${unseen}]*$`

export const textPattern = '^[^\\u0000-\\u001f\\u007f-\\u009f]+$'

/** 6 to 10 digits or 13 letters and digits, with spaces and hyphens anywhere. */
export const codePattern = '^[ -]*([0-9][ -]*){6,10}$|^[ -]*([0-9A-TV-Za-tv-z][ -]*){13}$'

export const cursorPatterns = {
  timedId: '^[0-9A-Za-z]{30}$',
  id: '^[0-9A-Za-z]{22}$',
  number: '^[1-9][0-9]{0,14}$',
  message: '^msg_[0-9A-Za-z]{16}$',
}

/** An http or https URL without user, password and fragment, to a name or an IPv4 address. */
export const urlPattern = `^https?://(${label}\\.)*${lastLabel}(:[1-9][0-9]{0,3})?(/[A-Za-z0-9._~/-]*)?$`

/** "whsec_" and 24, 32 or 64 bytes in base64. */
export const webhookSecretPattern =
  '^whsec_([A-Za-z0-9+/]{32}|[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=|[A-Za-z0-9+/]{85}[AQgw]==)$'
