import Mustache, { type MustacheToken } from 'mustache'
import type { Parsed, Token } from '../domain/template/token.ts'

const writer = new Mustache.Writer()
// Its own cache has no bound.
writer.templateCache = undefined

/** Parses one part of a template. A fault says what is wrong and where, and repeats nothing. */
export function parseTemplate(text: string): Parsed {
  try {
    return { tokens: writer.parse(text).flatMap(tokenOf) }
  } catch (error) {
    return faultOf(error instanceof Error ? error.message : '')
  }
}

function tokenOf([kind, value, at, , inside]: MustacheToken): Token[] {
  if (kind === 'text') return [{ kind, text: value, at }]
  if (kind === 'name') return [{ kind, name: value, at }]
  if (kind === '#') {
    return [{ kind: 'section', name: value, inside: (inside ?? []).flatMap(tokenOf), at }]
  }
  if (kind === '^') {
    return [{ kind: 'inverted', name: value, inside: (inside ?? []).flatMap(tokenOf), at }]
  }
  // A comment leaves nothing.
  return kind === '!' ? [] : [{ kind: 'other', sign: kind, at }]
}

function faultOf(message: string): Parsed {
  const at = Number(/ at (\d+)$/.exec(message)?.[1] ?? 0)
  if (message.startsWith('Unclosed tag')) return { fault: 'a tag does not end with }}', at }
  if (message.startsWith('Unopened section'))
    return { fault: 'no section of this name is open', at }
  if (message.startsWith('Unclosed section')) return { fault: 'a section is not closed', at }
  return { fault: 'the tags cannot be read', at }
}
