import type { App } from '../domain/app/app.ts'
import type { Handover } from '../domain/delivery/delivery.ts'
import type { Life } from '../domain/delivery/life.ts'
import { builtIn, languageOf } from './languages.ts'
import { isolated, lifeIn } from './render.ts'
import { fillIn } from './words.ts'

type Source = Pick<Handover, 'code' | 'locale'> & {
  app: Pick<App, 'name' | 'policy'>
  /** The life that is left when the message is handed over. */
  life: Life
}

/** A message for channels that carry plain text only. */
export type ShortMessage = {
  /** A BCP 47 tag. */
  language: string
  /** Two sentences, and where the app has an origin a last line for the browser (WebOTP). */
  text: string
}

/** Renders the code, the app's name and the life in the language that fits best. */
export function renderShort({ app, code, locale, life }: Source): ShortMessage {
  const language = languageOf(locale, app.policy.language)
  const { direction = 'ltr', first, valid } = builtIn[language]
  const named =
    app.name === null
      ? fillIn(first.plain, { code })
      : fillIn(first.named, { code, name: isolated(app.name, direction) })
  const words = `${named} ${fillIn(valid, { life: lifeIn(language, life) })}`
  const origin = app.policy.origin === undefined ? null : URL.parse(app.policy.origin)
  // https://wicg.github.io/sms-one-time-codes/
  return { language, text: origin ? `${words}\n\n@${origin.hostname} #${code}` : words }
}
