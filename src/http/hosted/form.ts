import type { ChannelKind } from '../../domain/delivery/channel.ts'
import type { Language } from '../../domain/language.ts'
import type { OpenedPage } from '../../domain/page/pages.ts'
import { secondsUntil } from '../../domain/problem.ts'
import { nextSteps, statusOf, type Verification } from '../../domain/verification/verification.ts'
import { builtIn } from '../../messages/languages.ts'
import { type PageWords, pageWords } from '../../messages/page-words.ts'
import { fillIn } from '../../messages/words.ts'
import type { Reply } from '../core/api.ts'
import { isFramed } from './cookie.ts'
import {
  document,
  html,
  languageFor,
  type Markup,
  type Shell,
  sentence,
  timeIn,
} from './document.ts'

/** What a page says besides what it always says. */
export type Said = {
  /** Beside the field of the code. */
  error?: Markup
  /** Of what was done. */
  status?: Markup
}

export type View = OpenedPage & { request: Request; now: number; logo: Shell['logo'] }

export type Answering = Pick<Shell, 'status' | 'headers'>

/** The language and the words of a page. */
export function wordsOf({
  request,
  verification,
  app,
}: Pick<View, 'request' | 'verification' | 'app'>) {
  const own = app.policy.language
  const language = languageFor(request, { locale: verification.locale, own })
  return { language, words: pageWords[language] }
}

/** The page as the verification stands now: a form, or what became of it. */
export function pageView(view: View, said: Said = {}, answering: Answering = {}): Reply {
  const { verification, now, page, app, request, logo = null } = view
  const { language, words } = wordsOf(view)
  const isOpen = statusOf(verification, now) === 'pending'
  const main = isOpen ? form(view, said) : ended(view)
  const title = said.error ? `! ${words.title}` : words.title
  const shell = { request, language, title, main, app, logo, formTo: page.returnUrl }
  return document({ ...shell, embedIn: app.policy.embedOrigins ?? [], ...answering })
}

function form(view: View, { error, status }: Said): Markup {
  const { verification, now } = view
  const { language, words } = wordsOf(view)
  const { codeLength, codeFormat, to, reference, delivery } = verification
  const isNumeric = codeFormat === 'numeric'
  // Browsers refuse a focus that the page around a frame has not given.
  const focus = isFramed(view.request) ? null : html` autofocus`
  const known = ['refused', 'undeliverable', 'bounced', 'failed'].includes(delivery.status)
  const says = status ?? (known ? html`${words.undelivered}` : null)
  return html`<h1>${words.title}</h1>
<p>${sentence(words.sent, { to })}</p>
<p class="quiet">${sentence(builtIn[language].reference, { reference })}</p>
<p role="status" id="says" data-filled="${words.filled}" data-failed="${words.failed}">${says}</p>
<form method="post" id="check">
<label for="code">${words.label}</label>
<input id="code" name="code" type="text" dir="ltr" required${focus} maxlength="64"
autocomplete="one-time-code" inputmode="${isNumeric ? 'numeric' : 'text'}" spellcheck="false"
autocapitalize="${isNumeric ? 'off' : 'characters'}" data-length="${codeLength}"
aria-describedby="${error ? 'error hint' : 'hint'}"${error ? html` aria-invalid="true"` : null}>
${error ? html`<p class="error" id="error" role="alert">${error}</p>` : null}
<p class="quiet" id="hint">${fillIn(words.length, { n: String(codeLength) })}</p>
<button name="action" value="check">${words.confirm}</button>
</form>
${others(verification, { language, words, now })}`
}

type Now = { language: Language; words: PageWords; now: number }

/** Sending it again, through this channel or another one, and the way out. */
function others(verification: Verification, { language, words, now }: Now): Markup {
  const { resend } = nextSteps(verification, now)
  const seconds = resend && resend.at > now ? secondsUntil(resend.at, now) : 0
  const wait = seconds > 0 && fillIn(words.resendIn, { time: timeIn(language, seconds) })
  const offered = resend?.channels ?? []
  return html`<form method="post" id="others" novalidate>
${resend && html`<button class="plain" name="action" value="resend">${words.resend}</button>`}
${offered
  .filter((kind) => kind !== verification.channel)
  .map((kind) => {
    const label = sentence(words.other, { channel: channelName(kind, words) })
    return html`<button class="plain" name="action" value="channel:${kind}">${label}</button>`
  })}
${wait && html`<p class="quiet" id="wait" data-seconds="${seconds}" data-says="${words.resendIn}">${wait}</p>`}
<p role="status" class="away" id="ready" data-says="${words.resend}"></p>
<button class="link" name="action" value="cancel">${words.wrongAddress}</button>
</form>`
}

/** Most are names that are the same in every language. */
function channelName(kind: ChannelKind, words: PageWords): string {
  const names: Record<ChannelKind, string> = {
    email: words.email,
    sms: 'SMS',
    whatsapp: 'WhatsApp',
    telegram: 'Telegram',
    telegram_gateway: 'Telegram',
    webhook: 'SMS',
    inbox: words.email,
  }
  return names[kind]
}

function ended(view: View): Markup {
  const { verification, now, page } = view
  const { words } = wordsOf(view)
  const status = statusOf(verification, now)
  const says = status === 'pending' ? words.title : words[status]
  return html`<h1 id="says" tabindex="-1">${says}</h1>
${
  page.redeemedAt === null &&
  html`<form method="post"><button name="action" value="finish">${words.back}</button></form>`
}`
}
