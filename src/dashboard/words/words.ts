import { language } from '../preferences.ts'

/**
 * The words of a screen in every language; a missing one is a type error. Components call the
 * returned function, and are drawn again when the reader chooses another language.
 */
export function words<Words>(all: { en: Words; de: NoInfer<Words> }): () => Words {
  return () => all[language.value]
}
