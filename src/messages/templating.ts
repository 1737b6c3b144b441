import { languages } from '../domain/language.ts'
import type { Templating } from '../domain/ports.ts'
import { chooseLanguage } from './languages.ts'
import { parseTemplate } from './mustache.ts'

/** What the check of templates needs to know of this renderer. */
export const templating: Templating = {
  parse: parseTemplate,
  hasWords: (locale) => chooseLanguage(languages, [locale]) !== null,
}
