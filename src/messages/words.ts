/**
 * The sentences of a message in one language. `{code}`, `{name}`, `{life}`, `{n}` and
 * `{reference}` stand for values. The word for "code" is beside the digits, and a value that
 * changes between messages begins its line or follows a space, so that no encoding of the line
 * breaks it.
 */
export type Words = {
  /** Absent for a language that is written from left to right. */
  direction?: 'rtl'
  /** The subject with the code, and without it. */
  subject: ByName
  title: ByName
  /** The first line of the text. */
  first: ByName
  /** Above the code in HTML. */
  heading: ByName
  valid: string
  /** What `{life}` of `valid` stands for. */
  underOneMinute: string
  minutes: Plural
  hours: Plural
  reference: string
  never: ByName
  ignore: string
}

/** A sentence with the app's name, and one for an app without a name. */
export type ByName = { named: string; plain: string }

/** A form for each category of the language's plurals (CLDR); a missing one is as `other`. */
export type Plural = Partial<Record<Intl.LDMLPluralRule, string>> & { other: string }

/** Puts values into a sentence. */
export function fillIn(sentence: string, values: Record<string, string>): string {
  return sentence.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? '')
}
