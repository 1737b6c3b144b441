/** A parsed part of a template. `at` is the place in the text as it was written. */
export type Token =
  | { kind: 'text'; text: string; at: number }
  | { kind: 'name'; name: string; at: number }
  | { kind: 'section' | 'inverted'; name: string; inside: Token[]; at: number }
  /** A tag that mustache knows and templates here may not use: `&`, `>` or `=`. */
  | { kind: 'other'; sign: string; at: number }

/** The parser's answer: the tokens, or what is wrong and where. */
export type Parsed = { tokens: Token[] } | { fault: string; at: number }

export type ParseTemplate = (text: string) => Parsed

/** The values of names; a name without a value is empty. */
export type TemplateValues = Record<string, string>

/**
 * Fills in values. A section is rendered when its name has a value, an inverted one when it has
 * none. Only own fields count, and values are text: there is nothing to call and nothing to descend
 * into, so no template reaches anything but its values.
 */
export function renderTokens(
  tokens: Token[],
  values: TemplateValues,
  encode: (value: string) => string = (value) => value,
): string {
  let text = ''
  for (const piece of pieces(tokens, values)) {
    text += piece.kind === 'text' ? piece.text : encode(valueFor(values, piece.name))
  }
  return text
}

export type Piece = Extract<Token, { kind: 'text' | 'name' }>

/** The texts and names that are rendered with these values, in order. */
export function* pieces(tokens: Token[], values: TemplateValues): Generator<Piece> {
  for (const token of tokens) {
    if (token.kind === 'text' || token.kind === 'name') yield token
    else if (token.kind !== 'other') {
      const hasValue = valueFor(values, token.name) !== ''
      if (hasValue === (token.kind === 'section')) yield* pieces(token.inside, values)
    }
  }
}

function valueFor(values: TemplateValues, name: string): string {
  return Object.hasOwn(values, name) ? (values[name] ?? '') : ''
}
