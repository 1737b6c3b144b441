import { effect, signal } from '@preact/signals'

/** What a reader has chosen in this browser. It stays here: the server is not told. */

export const languages = ['en', 'de'] as const
export type Language = (typeof languages)[number]

export const themes = ['auto', 'light', 'dark'] as const
export type Theme = (typeof themes)[number]

export const language = signal<Language>(pick(languages, read('language')) ?? preferred())
export const theme = signal<Theme>(pick(themes, read('theme')) ?? 'auto')
/** Single keys as shortcuts; WCAG 2.1.4 asks for a way to switch them off. */
export const hasShortcuts = signal(read('shortcuts') !== 'off')

export function chooseLanguage(chosen: Language): void {
  language.value = chosen
  write('language', chosen)
}

export function chooseTheme(chosen: Theme): void {
  theme.value = chosen
  write('theme', chosen)
}

export function switchShortcuts(on: boolean): void {
  hasShortcuts.value = on
  write('shortcuts', on ? 'on' : 'off')
}

/** Keeps the attributes of the page as chosen. */
export function applyPreferences(): void {
  effect(() => {
    document.documentElement.lang = language.value
    document.documentElement.dataset['theme'] = theme.value
  })
}

/** The reader's own locale of the chosen language, for dates and numbers: `de-CH` for `de`. */
export function locale(): string {
  const chosen = language.value
  return navigator.languages.find((tag) => tag.split('-')[0] === chosen) ?? chosen
}

/** The first language of the browser that there is. */
function preferred(): Language {
  const tags = navigator.languages.map((tag) => tag.split('-')[0] ?? '')
  return tags.map((tag) => pick(languages, tag)).find((found) => found !== null) ?? 'en'
}

function pick<Choice extends string>(choices: readonly Choice[], text: string | null) {
  return choices.find((choice) => choice === text) ?? null
}

// A browser may refuse storage; then a choice lasts as long as the page.
function read(name: string): string | null {
  try {
    return localStorage.getItem(`otpmint.${name}`)
  } catch {
    return null
  }
}

function write(name: string, value: string): void {
  try {
    localStorage.setItem(`otpmint.${name}`, value)
  } catch {}
}
