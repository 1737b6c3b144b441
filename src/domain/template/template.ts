/** An edited message: what an admin writes for one app and one language. */
export type Template = {
  subject: string
  text: string
  html: string
  /** The names of the values that a start may give. */
  variables: string[]
}

/** Names the template in force for a language; the content is read by it. */
export type TemplateRef = { locale: string; version: number; variables: string[] }

/** Versions of a language count up from 1; a reset to the built-in words counts too. */
export type TemplateKey = { appId: string; locale: string; version: number }

/** A version as a list shows it. */
export type TemplateVersion = {
  locale: string
  version: number
  /** False for a reset to the built-in words. */
  edited: boolean
  variables: string[]
  createdAt: number
}

export const templateParts = ['subject', 'text', 'html'] as const
export type TemplatePart = (typeof templateParts)[number]

/** The longest text and the longest HTML, in bytes of UTF-8. */
export const partBytesMax = 20_000
/** The longest subject as written, in characters. */
export const subjectMax = 150
/** Tags of each part, so that values never make a message much longer than its template. */
export const tagsMax: Record<TemplatePart, number> = { subject: 8, text: 100, html: 100 }
/** The longest tag, in characters between its braces. */
export const tagLengthMax = 200
/** Sections within sections. */
export const depthMax = 4
/**
 * Names of sections that may be empty, in a part of so many bytes: every combination of them is
 * rendered, so a part of half the size may have one more. 5 in the longest, 8 at most.
 */
export function conditionsMax(bytes: number): number {
  return Math.min(8, 5 + Math.floor(Math.log2(partBytesMax / bytes)))
}
/** Languages of one app that have a template. */
export const localesMax = 50
/** Versions of one language that are kept, the newest. */
export const versionsMax = 20

type NameRules = {
  /** False for a name that every message has a value for. */
  optional: boolean
  /** Where it may stand; everywhere if absent. A link: in the text, and in the href of an <a>. */
  only?: 'html section' | 'link'
  says: string
}

/** The names that every template may use. */
export const builtInNames = {
  code: { optional: false, says: 'The code. The text and the HTML must show it.' },
  valid: {
    optional: false,
    says: 'A sentence in the language of the template: how long the code is valid.',
  },
  minutes: {
    optional: true,
    says: 'The whole minutes that are left, in digits; empty below one and from two hours on.',
  },
  hours: { optional: true, says: 'The whole hours that are left, from two on; else empty.' },
  reference: { optional: false, says: 'The short tag that your app shows too.' },
  app: { optional: true, says: 'The name of the app; empty for an app without one.' },
  support: { optional: true, says: 'The support address of the brand; empty without one.' },
  logo: {
    optional: true,
    only: 'html section',
    says: 'A section around `<img src="cid:logo">`; left out for an app without a logo.',
  },
  page_link: {
    optional: true,
    only: 'link',
    says:
      'The link to the hosted page, which fills in the code. In the HTML within a section: ' +
      '`<a href="{{page_link}}">`; empty for an app without `page_link`.',
  },
  report_link: {
    optional: true,
    only: 'link',
    says: 'The link to report that it was not them; as `page_link`.',
  },
} as const satisfies Record<string, NameRules>

export type BuiltInName = keyof typeof builtInNames

export function isBuiltIn(name: string): name is BuiltInName {
  return Object.hasOwn(builtInNames, name)
}

export function isLink(name: string): boolean {
  return isBuiltIn(name) && rulesOf(name).only === 'link'
}

/** Whether a message may have no value for this name. */
export function isOptional(name: string): boolean {
  return !isBuiltIn(name) || rulesOf(name).optional
}

function rulesOf(name: BuiltInName): NameRules {
  return builtInNames[name]
}
