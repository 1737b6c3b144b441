import { type FieldError, Problem } from '../problem.ts'
import { isBuiltIn, type TemplateRef } from './template.ts'

/** Values that a start gives for its message, by name. */
export type Variables = Record<string, string>

/** Variables of one template, and of one start. */
export const variablesMax = 10
/** The longest value, in characters. */
export const valueMax = 64
export const namePattern = '^[a-z_]{1,32}$'

const isName = (name: unknown): name is string =>
  typeof name === 'string' && new RegExp(namePattern).test(name)

/** Reads the names that a template declares; adds mistakes. */
export function readNames(input: unknown, mistakes: FieldError[]): string[] {
  if (input === undefined || input === null) return []
  const refuse = (reason: string) => {
    mistakes.push({ field: 'variables', reason })
    return []
  }
  if (!Array.isArray(input) || !input.every(isName)) {
    return refuse('must be a list of names of 1 to 32 letters a-z and _')
  }
  const names = [...new Set(input)]
  if (names.length > variablesMax) return refuse(`may be ${variablesMax} names`)
  if (names.some(isBuiltIn)) return refuse('may not be names that every template has')
  return names
}

/**
 * Reads the variables of a start, of which each is declared by a template of the app. A value is
 * text of a person's or a place's name: no link, address, markup or number that could pass for a
 * code, because the caller may pass on what a stranger has typed. Throws `invalid_request` naming
 * `variables.<name>`; `named` is the caller's name of them.
 */
export function readVariables(
  input: Record<string, string> | undefined,
  templates: readonly Pick<TemplateRef, 'variables'>[],
  named = 'variables',
): Variables | null {
  const given = Object.entries(input ?? {})
  if (given.length === 0) return null
  const declared = new Set(templates.flatMap(({ variables }) => variables))
  const errors: FieldError[] = []
  if (given.length > variablesMax) {
    errors.push({ field: named, reason: `must be at most ${variablesMax}` })
  }
  const read: [string, string][] = []
  for (const [name, value] of given.slice(0, variablesMax)) {
    const reason = declared.has(name) ? refusalOf(value) : 'is in no template of this app'
    const field = isName(name) ? `${named}.${name}` : named
    if (reason !== null) errors.push({ field, reason })
    else if (value.trim() !== '') read.push([name, value.trim().normalize('NFC')])
  }
  if (errors.length > 0) throw new Problem('invalid_request', { errors })
  return read.length === 0 ? null : Object.fromEntries(read)
}

/** Why a value is refused; null when it is not. */
function refusalOf(value: unknown): string | null {
  if (typeof value !== 'string' || [...value].length > valueMax) {
    return `must be a text of up to ${valueMax} characters`
  }
  if (/[\p{C}\p{Zl}\p{Zp}]/u.test(value)) {
    return 'must hold no control, bidi or invisible characters'
  }
  // Full-width and other compatible forms count as what they look like.
  const plain = value.normalize('NFKC')
  if (/[<>]/.test(plain)) return 'must hold no markup'
  if (/:\/\/|www\.|@|[\p{L}\p{N}][.。](\p{L}{2,}|\p{Nd}+[.。])/iu.test(plain)) {
    return 'must hold no link, domain or address'
  }
  if (/\p{N}{4}/u.test(plain.replace(/(?<=\p{N})[\p{Z}\p{P}\p{S}]+(?=\p{N})/gu, ''))) {
    return 'must hold no number of 4 digits or more'
  }
  return null
}
