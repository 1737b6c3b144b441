/**
 * The description of one field of a policy, an endpoint or the settings: the one place that HTTP
 * schemas, OpenAPI, flags, help and docs read its type, bounds and sentence from.
 */
export type Field = { says: string } & FieldType

type FieldType =
  | { type: 'integer'; min: number; max: number }
  | { type: 'boolean' }
  | { type: 'choice'; of: readonly string[] }
  /** Different words, in order; `must` says which ones, where there are too many to name. */
  | { type: 'list'; of: readonly string[]; min: number; max: number; must?: string }
  /** One number or more, in order, each from `min` to `max`. */
  | { type: 'integers'; min: number; max: number; most: number }
  /** Different texts of up to `max` characters; `must` says what each of them is. */
  | { type: 'texts'; max: number; most: number; must: string }
  /**
   * `must` completes "must be ..." where the lengths alone do not say it; `lines`: it may have line
   * breaks; `pattern`: a regular expression of the whole text, for JSON Schema too.
   */
  | { type: 'text'; min: number; max: number; must?: string; lines?: true; pattern?: string }

/** The rule of a field as part of a sentence: `must be a whole number from 6 to 10`. */
export function mustBe(field: Field): string {
  if (field.type === 'integer') return `must be a whole number from ${field.min} to ${field.max}`
  if (field.type === 'boolean') return 'must be true or false'
  if (field.type === 'choice') return `must be ${oneOf(field.of)}`
  if (field.type === 'list') {
    const words = field.must ?? field.of.join(', ')
    return `must be a list of ${field.min} to ${field.max} different ones of: ${words}`
  }
  if (field.type === 'integers') {
    const { most, min, max } = field
    return `must be a list of 1 to ${most} whole numbers from ${min} to ${max}`
  }
  if (field.type === 'texts') {
    return `must be a list of 1 to ${field.most} different texts, each ${field.must}`
  }
  return `must be ${field.must ?? `${field.min} to ${field.max} characters`}`
}

function oneOf(words: readonly string[]): string {
  const quoted = words.map((word) => `"${word}"`)
  return quoted.length < 2
    ? quoted.join('')
    : `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}`
}

/** True when the value has the field's type and lies within its bounds. */
export function isWithin(field: Field, value: unknown): boolean {
  if (field.type === 'integer') {
    return Number.isInteger(value) && Number(value) >= field.min && Number(value) <= field.max
  }
  if (field.type === 'boolean') return typeof value === 'boolean'
  if (field.type === 'list') return isListWithin(field, value)
  if (field.type === 'integers') {
    if (!Array.isArray(value) || value.length < 1 || value.length > field.most) return false
    return value.every((each) => isWithin({ ...field, type: 'integer' }, each))
  }
  if (field.type === 'texts') return areTextsWithin(field, value)
  if (typeof value !== 'string') return false
  if (field.type === 'choice') return field.of.includes(value)
  const control = field.lines ? /[^\P{Cc}\t\r\n]/u : /\p{Cc}/u
  if (field.pattern !== undefined && !new RegExp(field.pattern).test(value)) return false
  return value.length >= field.min && value.length <= field.max && !control.test(value)
}

function isListWithin(
  { of, min, max }: Extract<Field, { type: 'list' }>,
  value: unknown,
): value is string[] {
  if (!Array.isArray(value) || value.length < min || value.length > max) return false
  return value.every((word) => of.includes(word)) && new Set(value).size === value.length
}

function areTextsWithin(
  { max, most }: Extract<Field, { type: 'texts' }>,
  value: unknown,
): value is string[] {
  if (!Array.isArray(value) || value.length < 1 || value.length > most) return false
  const areTexts = value.every((each) => isWithin({ type: 'text', min: 1, max, says: '' }, each))
  return areTexts && new Set(value).size === value.length
}
