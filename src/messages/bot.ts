import type { App } from '../domain/app/app.ts'
import { type BotWords, builtInBot } from './bot-words.ts'
import { languageOf } from './languages.ts'
import { fillIn } from './words.ts'

/** What the app's bot says, in the person's language, else the app's. Plain text. */
export function botWords(
  { id, name, policy }: Pick<App, 'id' | 'name' | 'policy'>,
  locale: string | null,
): BotWords {
  const words = builtInBot[languageOf(locale, policy.language)]
  const values = { name: name ?? policy.origin ?? id }
  const filled = Object.entries(words).map(([part, text]) => [part, fillIn(text, values)])
  return Object.fromEntries(filled)
}
