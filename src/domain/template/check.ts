import type { FieldError } from '../problem.ts'
import { codeMark, linkIn, linkMark, type MarkupFault, readMarkup, valueMark } from './markup.ts'
import {
  builtInNames,
  conditionsMax,
  depthMax,
  isBuiltIn,
  isLink,
  isOptional,
  partBytesMax,
  subjectMax,
  type Template,
  type TemplatePart,
  tagLengthMax,
  tagsMax,
  templateParts,
} from './template.ts'
import { type ParseTemplate, pieces, renderTokens, type Token } from './token.ts'
import { readNames } from './variables.ts'

/** A template as received, not validated. */
export type TemplateInput = { [Name in keyof Template]?: unknown }

type Checking = {
  parse: ParseTemplate
  input: TemplateInput
  /** Whether the language has the sentence of `valid`. */
  hasWords: boolean
  mistakes: FieldError[]
}

/**
 * Reads a template. Adds what is wrong to `mistakes`, by part and line and without repeating
 * anything of it; null when anything is.
 */
export function readTemplate({ parse, input, hasWords, mistakes }: Checking): Template | null {
  const before = mistakes.length
  const variables = readNames(input.variables, mistakes)
  const parts: Partial<Record<TemplatePart, string>> = {}
  for (const part of templateParts) {
    const text = readText(part, input[part], mistakes)
    if (text === null) continue
    parts[part] = text
    for (const { at, reason } of faultsOf(part, text, { parse, variables, hasWords })) {
      const place = part === 'subject' ? '' : `line ${lineAt(text, at)}: `
      mistakes.push({ field: part, reason: place + reason })
    }
  }
  const { subject, text, html } = parts
  if (mistakes.length > before) return null
  if (subject === undefined || text === undefined || html === undefined) return null
  return { subject, text, html, variables }
}

/** The text of a part with LF line ends; null when it is none. */
function readText(part: TemplatePart, value: unknown, mistakes: FieldError[]): string | null {
  const refuse = (reason: string) => {
    mistakes.push({ field: part, reason })
    return null
  }
  if (value === undefined) return refuse('is missing')
  const text = typeof value === 'string' ? value.replace(/\r\n?/g, '\n') : ''
  if (part === 'subject') {
    const subject = text.trim()
    const length = [...subject].length
    if (length >= 1 && length <= subjectMax && !/[\p{Cc}\p{Cs}\p{Co}]/u.test(subject)) {
      return subject
    }
    return refuse(`must be one line of 1 to ${subjectMax} characters`)
  }
  const bytes = Buffer.byteLength(text)
  if (text.trim() === '' || bytes > partBytesMax) {
    return refuse(`must be 1 to ${partBytesMax.toLocaleString('en')} bytes of text`)
  }
  // Private-use characters mark values while the text is judged.
  const unsafe = text.replace(/[\n\t]/g, ' ').search(/[\p{Cc}\p{Cs}\p{Co}]/u)
  if (unsafe < 0) return text
  return refuse(`line ${lineAt(text, unsafe)}: holds a character that is no text`)
}

type Fault = MarkupFault
/** The most faults of a part that are named. */
const faultsMax = 20
type Rules = { parse: ParseTemplate; variables: string[]; hasWords: boolean }

function faultsOf(part: TemplatePart, text: string, { parse, ...rules }: Rules): Fault[] {
  const long = text.search(new RegExp(`\\{\\{[^}]{${tagLengthMax + 1}}`))
  if (long >= 0) {
    return [
      { at: long, reason: `a tag may be ${tagLengthMax} characters long; does this one end?` },
    ]
  }
  const parsed = parse(text)
  if ('fault' in parsed) return [{ at: parsed.at, reason: parsed.fault }]
  const { tokens } = parsed
  const found: Found = { faults: [], tags: 0, conditions: new Set() }
  walk(tokens, { part, ...rules, depth: 0 }, found)
  const { faults, tags, conditions } = found
  const last = text.length - 1
  if (tags > tagsMax[part]) faults.push({ at: last, reason: `there may be ${tagsMax[part]} tags` })
  const most = conditionsMax(Buffer.byteLength(text))
  if (conditions.size > most) {
    const reason = `sections may use ${most} names that can be empty in a part of this length`
    faults.push({ at: last, reason })
  }
  if (faults.length > 0) return faults.slice(0, faultsMax)
  // A subject of optional names only could be empty; a link outside of a section could lead nowhere.
  const alone = { subject: isOptional, text: () => false, html: isLink }[part]
  return rendered(part, tokens, [...new Set([...conditions, ...namesIn(tokens).filter(alone)])])
}

type Place = Omit<Rules, 'parse'> & { part: TemplatePart; depth: number }
type Found = { faults: Fault[]; tags: number; conditions: Set<string> }

/** Looks at every tag, also those that are never rendered, and never deeper than the limit. */
function walk(tokens: Token[], place: Place, found: Found): void {
  for (const token of tokens) {
    if (token.kind === 'text') continue
    found.tags++
    const reason = refusalOf(token, place)
    if (reason !== null) found.faults.push({ at: token.at, reason })
    if (token.kind !== 'section' && token.kind !== 'inverted') continue
    if (reason === null && isOptional(token.name)) found.conditions.add(token.name)
    if (place.depth < depthMax) walk(token.inside, { ...place, depth: place.depth + 1 }, found)
    else found.faults.push({ at: token.at, reason: `sections may be nested ${depthMax} deep` })
  }
}

function refusalOf(
  token: Exclude<Token, { kind: 'text' }>,
  { part, variables, hasWords }: Place,
): string | null {
  if (token.kind === 'other') {
    if (token.sign === '&') return 'values are always escaped: use two braces and no &'
    return token.sign === '>' ? 'templates include no others' : 'the braces cannot be changed'
  }
  const { kind, name } = token
  if (name.includes('.')) return 'names have no dots'
  if (!isBuiltIn(name)) {
    if (variables.includes(name)) return null
    const known = Object.keys(builtInNames).join(', ')
    return `this name is not known: use ${known} or a name of "variables"`
  }
  if (name === 'logo' && (kind === 'name' || part !== 'html')) {
    return 'logo is a section of the HTML, around its image'
  }
  if (isLink(name) && part === 'subject') return 'a subject may hold no link'
  if (name !== 'valid' || hasWords) return null
  return 'this language has no built-in sentence for valid: use minutes'
}

/** Renders every combination of what may be empty, and judges what a reader would get. */
function rendered(part: TemplatePart, tokens: Token[], conditions: string[]): Fault[] {
  const faults = new Map<string, Fault>()
  for (let empty = 0; empty < 2 ** conditions.length; empty++) {
    const missing = conditions.filter((_, index) => (empty >> index) & 1)
    for (const fault of judge(part, tokens, missing)) {
      faults.set(`${fault.at} ${fault.reason}`, fault)
    }
    if (faults.size >= faultsMax) break
  }
  return [...faults.values()].slice(0, faultsMax)
}

function judge(part: TemplatePart, tokens: Token[], missing: string[]): Fault[] {
  const values = marked(tokens, missing)
  const text = renderTokens(tokens, values)
  if (part === 'subject') return judgeSubject(text)
  const markup = part === 'html' ? readMarkup(text) : null
  const faults = markup ? markup.faults : plainFaults(text)
  if (!(markup ? markup.visible : text).includes(codeMark)) {
    const when = missing.length === 0 ? '' : `, also where ${missing.join(' and ')} is empty`
    faults.push({ at: 0, reason: `must show {{code}}${when}` })
  }
  const image = Object.hasOwn(values, 'logo') ? -1 : text.search(/cid:logo/i)
  if (image >= 0) {
    faults.push({ at: image, reason: 'the image may stand only between {{#logo}} and {{/logo}}' })
  }
  return faults.map(({ at, reason }) => ({ at: writtenAt(tokens, values, at), reason }))
}

function judgeSubject(text: string): Fault[] {
  if (linkIn(text)) return [{ at: 0, reason: 'may hold no link' }]
  return text.trim() === '' ? [{ at: 0, reason: 'may not be empty in any case' }] : []
}

function plainFaults(text: string): Fault[] {
  const at = text.search(/:\/\/|www\.|mailto:/i)
  const reason = 'links are not sent: write the name of a place without http:// or www.'
  return at < 0 ? [] : [{ at, reason }]
}

/** A mark for every name that is not missing. */
function marked(tokens: Token[], missing: string[]): Record<string, string> {
  const names = namesIn(tokens).filter((name) => !missing.includes(name))
  return Object.fromEntries(names.map((name) => [name, markOf(name)]))
}

function markOf(name: string): string {
  if (name === 'code') return codeMark
  return isLink(name) ? linkMark : valueMark
}

export function namesIn(tokens: Token[]): string[] {
  return tokens.flatMap((token) => {
    if (token.kind === 'name') return [token.name]
    return 'inside' in token ? [token.name, ...namesIn(token.inside)] : []
  })
}

/** The place in the template of a place in what was rendered from it. */
function writtenAt(tokens: Token[], values: Record<string, string>, at: number): number {
  let end = 0
  for (const piece of pieces(tokens, values)) {
    const length = piece.kind === 'text' ? piece.text.length : (values[piece.name] ?? '').length
    if (end + length > at) return piece.kind === 'text' ? piece.at + at - end : piece.at
    end += length
  }
  return 0
}

function lineAt(text: string, at: number): number {
  return text.slice(0, at).split('\n').length
}
