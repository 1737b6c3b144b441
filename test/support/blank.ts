/** Replaces comments and the contents of strings and patterns by spaces; the length stays. */
export function blank(text: string): string {
  const code = text.split('')
  // What each open brace began: a block, or an expression in a template.
  const braces: ('block' | 'hole')[] = []

  let at = 0
  while (at < text.length) {
    const end = commentEnd(text, at)
    if (end !== null) {
      at = wipe(code, at, end)
    } else if (text[at] === "'" || text[at] === '"') {
      at = wipe(code, at + 1, stringEnd(text, at)) + 1
    } else if (text[at] === '`') {
      at = template(at + 1)
    } else if (text[at] === '/' && opensPattern(code, at)) {
      at = wipe(code, at + 1, patternEnd(text, at))
    } else {
      if (text[at] === '{') braces.push('block')
      at = text[at] === '}' && braces.pop() === 'hole' ? template(at + 1) : at + 1
    }
  }
  return code.join('')

  function template(from: number): number {
    let end = from
    while (end < text.length && text[end] !== '`') {
      if (text.startsWith('${', end)) {
        braces.push('hole')
        return wipe(code, from, end) + 2
      }
      end += text[end] === '\\' ? 2 : 1
    }
    return wipe(code, from, end) + 1
  }
}

function wipe(code: string[], from: number, to: number): number {
  for (let i = from; i < to; i++) if (code[i] !== '\n') code[i] = ' '
  return to
}

function commentEnd(text: string, at: number): number | null {
  if (text.startsWith('//', at)) return orEnd(text, text.indexOf('\n', at))
  if (text.startsWith('/*', at)) return orEnd(text, text.indexOf('*/', at) + 2, 2)
  return null
}

function orEnd(text: string, found: number, none = 0): number {
  return found < none ? text.length : found
}

function stringEnd(text: string, start: number): number {
  let at = start + 1
  while (at < text.length && text[at] !== text[start] && text[at] !== '\n') {
    at += text[at] === '\\' ? 2 : 1
  }
  return at
}

function patternEnd(text: string, start: number): number {
  let inSet = false
  let at = start + 1
  while (at < text.length && text[at] !== '\n' && (inSet || text[at] !== '/')) {
    if (text[at] === '[') inSet = true
    if (text[at] === ']') inSet = false
    at += text[at] === '\\' ? 2 : 1
  }
  return at + 1
}

/** A slash after an operator, a bracket or one of a few words opens a pattern; else it divides. */
function opensPattern(code: string[], at: number): boolean {
  const before = code
    .slice(Math.max(0, at - 40), at)
    .join('')
    .trimEnd()
  return /(^|[(,=:[!&|?{};+\-*%<>~^]|\b(return|typeof|case|in|of|await|throw|else))$/.test(before)
}
