import { effect, signal } from '@preact/signals'
import { language } from '../preferences.ts'

/** Refusals for which the server's own sentence says too little here, by their code. */
const english: Record<string, string> = {
  unreachable: 'The server did not answer. Check the connection, then try again.',
  forbidden: 'Your role does not allow this.',
  confirmation_required: 'Not done: your password was not confirmed.',
  foreign_origin: 'The server refused this, because it did not come from its own page.',
  rate_limited: 'Too many requests. Wait a moment, then try again.',
  internal_error: 'Something went wrong on the server. Its log says what.',
  invalid_request: 'Please check the marked fields.',
  last_admin: 'This is the only admin. Invite another one first.',
}

/** The server's sentences in German, once somebody reads German. */
const german = signal<typeof import('./german.ts') | null>(null)

effect(() => {
  if (language.value !== 'de') return
  import('./german.ts').then(
    (words) => {
      german.value = words
    },
    // What could not be loaded stays English.
    () => {},
  )
})

const inGerman = () => (language.value === 'de' ? german.value : null)

/** A sentence for a refusal: ours where there is one, else the server's, which is English. */
export function problemText({ code, message }: { code: string; message: string }): string {
  const known = language.value === 'de' ? german.value?.problems : english
  return known?.[code] ?? message
}

/** The language of `problemText`, for the `lang` of the element that shows it. */
export function problemLanguage({ code }: { code: string }): string {
  return inGerman()?.problems[code] === undefined ? 'en' : 'de'
}

/** What is wrong with a field, in the reader's language where it is known. */
export function reasonText(reason: string): string {
  return inGerman()?.germanOf(reason) ?? reason
}

/** What the server found out, and its language: the reader's where it is known. */
export function findingText(finding: string): { text: string; lang: 'de' | 'en' } {
  const text = inGerman()?.germanFinding(finding)
  return text == null ? { text: finding, lang: 'en' } : { text, lang: 'de' }
}
