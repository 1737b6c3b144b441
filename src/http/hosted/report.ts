import { newPageToken } from '../../domain/page/page.ts'
import { readReportLink, reportVerification } from '../../domain/page/reports.ts'
import type { VerificationKey } from '../../domain/verification/verification.ts'
import type { Context, Reply } from '../core/api.ts'
import type { RoutePorts } from '../core/route.ts'
import { isOwnForm, readCookie, setCookie } from './cookie.ts'
import { document, html, notice } from './document.ts'
import { wordsOf } from './form.ts'

type ReportCall = Context & { params: { id: string; secret: string } }

/** How long the form of a report may be open. */
const formMs = 3_600_000

/** The page of "this was not me": it asks, and does nothing by itself. Throws `rate_limited`. */
export async function ask(ports: RoutePorts, call: ReportCall): Promise<Reply> {
  const key = await readReportLink(ports, call.params)
  return key ? form(ports, call, key) : unknown(ports, call)
}

/**
 * The press of its button. It needs the cookie and the field of the form, so that who follows links and
 * sends forms without reading them reports nothing. Throws `rate_limited`.
 */
export async function report(
  ports: RoutePorts,
  call: ReportCall & { body: { action?: string; form?: string } },
): Promise<Reply> {
  const { request, params, body } = call
  const key = await readReportLink(ports, params)
  if (!key) return unknown(ports, call)
  const cookie = readCookie(request, `report-${params.id}`)
  const isRight = isOwnForm(request) && cookie !== null && cookie === body.form
  if (!isRight || body.action !== 'report')
    return { ...(await form(ports, call, key)), status: 403 }
  await reportVerification(ports, key)
  return say(ports, call, key, (words) => html`<p role="status">${words.reported}</p>`)
}

async function form(ports: RoutePorts, call: ReportCall, key: VerificationKey): Promise<Reply> {
  const token = newPageToken(ports.random)
  const reply = await say(
    ports,
    call,
    key,
    (words) => html`<p>${words.reportAsk}</p>
<form method="post">
<input type="hidden" name="form" value="${token}">
<button name="action" value="report">${words.report}</button>
</form>`,
  )
  const cookie = setCookie(`report-${key.id}`, token, { keptMs: formMs })
  return { ...reply, headers: { ...reply.headers, 'set-cookie': cookie } }
}

type Words = ReturnType<typeof wordsOf>['words']

async function say(
  ports: RoutePorts,
  { request }: ReportCall,
  key: VerificationKey,
  what: (words: Words) => ReturnType<typeof html>,
): Promise<Reply> {
  const [app, verification] = await Promise.all([
    ports.apps.get(key.appId),
    ports.verifications.get(key),
  ])
  if (!app || !verification) return notice(request, ({ unknown }) => ({ text: html`${unknown}` }))
  const { language, words } = wordsOf({ request, verification, app })
  const title = words.reportTitle
  const main = html`<h1>${title}</h1>\n${what(words)}`
  return document({ request, language, title, main, app })
}

async function unknown({ guard }: RoutePorts, { request, client }: ReportCall): Promise<Reply> {
  await guard.chargeFailure(client())
  return notice(request, ({ unknown }) => ({ text: html`${unknown}` }), { status: 404 })
}
