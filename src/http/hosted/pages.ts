import { type ChannelKind, channelKinds } from '../../domain/delivery/channel.ts'
import { takePageLimit } from '../../domain/page/limits.ts'
import { type OpenedPage, offerResult, openPage, readPage } from '../../domain/page/pages.ts'
import { withResult } from '../../domain/page/return-url.ts'
import { Problem } from '../../domain/problem.ts'
import { cancelVerification } from '../../domain/verification/cancel.ts'
import { checkVerification } from '../../domain/verification/check.ts'
import { resendVerification } from '../../domain/verification/resend.ts'
import { attemptsLeft, statusOf } from '../../domain/verification/verification.ts'
import type { Context, Reply } from '../core/api.ts'
import { problemHeaders, problemStatuses } from '../core/problems.ts'
import type { RoutePorts } from '../core/route.ts'
import { isFramed, isOwnForm, readCookie, setCookie } from './cookie.ts'
import { document, html, notice, sentence, timeIn } from './document.ts'
import { pageView, type Said, type View, wordsOf } from './form.ts'

type OpenCall = Context & { params: { id: string; secret: string } }
type PageCall = Context & { params: { id: string } }
type FormCall = PageCall & { body: { action?: string; code?: string } }

/**
 * A link to a page: the first browser gets the cookie and goes on without the secret. A HEAD changes
 * nothing. Throws `rate_limited`.
 */
export async function open(
  ports: RoutePorts,
  { request, params, client }: OpenCall,
): Promise<Reply> {
  const { id, secret } = params
  if (request.method !== 'GET') return elsewhere(request)
  const opening = await openPage(ports, { id, secret, cookie: readCookie(request, id) })
  if (opening.outcome === 'opened') {
    const { cookie, keptMs, appId } = opening
    const app = isFramed(request) ? await ports.apps.get(appId) : null
    const kept = { keptMs, isFramed: app?.policy.embedOrigins !== undefined }
    return redirect(`../${id}`, { 'set-cookie': setCookie(id, cookie, kept) })
  }
  if (opening.outcome === 'again') return redirect(`../${id}`)
  if (opening.outcome === 'unknown') await ports.guard.chargeFailure(client())
  return notice(request, ({ unknown }) => ({ text: html`${unknown}` }), { status: 404 })
}

/**
 * The page, for the browser that has its cookie. In any other one it says where to type the code, also
 * where there is no such page: nothing is looked up.
 */
export async function show(
  ports: RoutePorts,
  { request, params, client }: PageCall,
): Promise<Reply> {
  const cookie = readCookie(request, params.id)
  if (cookie === null) return elsewhere(request)
  const opened = await readPage(ports, { id: params.id, cookie })
  if (opened) return pageView(await viewOf(ports, request, opened))
  await ports.guard.chargeFailure(client())
  return elsewhere(request)
}

/** What the person does on the page. Changes nothing without its cookie. Throws `rate_limited`. */
export async function act(ports: RoutePorts, call: FormCall): Promise<Reply> {
  const { request, params, body, client } = call
  const cookie = readCookie(request, params.id)
  const opened = isOwnForm(request) ? await readPage(ports, { id: params.id, cookie }) : null
  if (!opened) {
    await ports.guard.chargeFailure(client())
    return { ...elsewhere(request), status: 403 }
  }
  const { action = '', code = '' } = body
  try {
    if (action === 'check') return await check(ports, call, opened, code)
    if (action === 'resend') return await resend(ports, call, opened, undefined)
    if (action === 'cancel') return await cancel(ports, call, opened)
    if (action === 'finish') return await finish(ports, call, opened)
    const kind = channelKinds.find((each) => action === `channel:${each}`)
    if (kind) return await resend(ports, call, opened, kind)
    return pageView(await viewOf(ports, request, opened), {}, { status: 422 })
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    return refused(ports, call, error)
  }
}

async function check(
  ports: RoutePorts,
  call: FormCall,
  { page, app, verification }: OpenedPage,
  code: string,
): Promise<Reply> {
  await takePageLimit(ports, 'page_checks', call.client())
  const { appId, mode, id } = page
  const judged = await checkVerification(ports, { appId, mode, id, code })
  ports.metrics.count('otpmint_checks_total', judged.valid ? 'approved' : 'wrong')
  const opened = { page, app, verification: judged.verification }
  if (judged.valid) return finish(ports, call, opened)
  const { words } = wordsOf({ request: call.request, verification, app })
  const error = sentence(words.wrong, { n: String(attemptsLeft(judged.verification)) })
  return pageView(await viewOf(ports, call.request, opened), { error }, { status: 422 })
}

async function resend(
  ports: RoutePorts,
  { request, client }: FormCall,
  { page, app }: OpenedPage,
  channel: ChannelKind | undefined,
): Promise<Reply> {
  await takePageLimit(ports, 'page_sends', client())
  const { mode, id } = page
  const verification = await resendVerification(ports, { app, mode, id, channel })
  const view = await viewOf(ports, request, { page, app, verification })
  return pageView(view, { status: html`${wordsOf(view).words.resent}` })
}

/** The wrong address: ends the verification, and the app learns that from its result. */
async function cancel(ports: RoutePorts, call: FormCall, opened: OpenedPage): Promise<Reply> {
  await cancelVerification(ports, opened.page)
  return leave(ports, call, opened)
}

/** Back to the app, once the verification has ended. */
async function finish(
  ports: RoutePorts,
  { request }: FormCall,
  { page, app, verification }: OpenedPage,
): Promise<Reply> {
  if (statusOf(verification, ports.clock.now()) !== 'pending')
    return leave(ports, { request }, { page, app, verification })
  return pageView(await viewOf(ports, request, { page, app, verification }))
}

/**
 * To the return URL; in a frame to the page around it, which the script tells. Without a result where the
 * app has been told before.
 */
async function leave(
  ports: RoutePorts,
  { request }: Pick<FormCall, 'request'>,
  { page, app, verification }: OpenedPage,
): Promise<Reply> {
  const result = await offerResult(ports, page)
  const url = result === null ? page.returnUrl : withResult(page.returnUrl, result)
  if (!isFramed(request)) return redirect(url)
  const { language, words } = wordsOf({ request, verification, app })
  const status = statusOf(verification, ports.clock.now())
  const title = status === 'pending' ? words.canceled : words[status]
  const main = html`<h1>${title}</h1>
<p><a class="button" href="${url}" target="_top">${words.back}</a></p>`
  const ended = result === null ? {} : { ended: { id: page.id, result } }
  const embedIn = app.policy.embedOrigins ?? []
  return document({ request, language, title, main, app, embedIn, ...ended })
}

/** Says beside the form why nothing was done; a verification that has ended leads back. */
async function refused(ports: RoutePorts, call: FormCall, problem: Problem): Promise<Reply> {
  const { request, params } = call
  const opened = await readPage(ports, { id: params.id, cookie: readCookie(request, params.id) })
  const status = problemStatuses[problem.code]
  if (!opened || status >= 500) throw problem
  if (problem.code === 'verification_used') return finish(ports, call, opened)
  const view = await viewOf(ports, request, opened)
  const headers = problemHeaders(status, problem.extra.retryAfterSeconds)
  const reply = pageView(view, reasonOf(view, problem), { status })
  return { ...reply, headers: { ...reply.headers, ...headers }, problem }
}

function reasonOf(view: View, { code, extra }: Problem): Said {
  const { language, words } = wordsOf(view)
  const time = timeIn(language, extra.retryAfterSeconds ?? 1)
  if (code === 'rate_limited' || code === 'check_too_early') {
    return { error: sentence(words.wait, { time }) }
  }
  if (code === 'resend_too_early') return { status: sentence(words.resendIn, { time }) }
  if (code === 'sends_exhausted') return { status: html`${words.noResend}` }
  if (code !== 'invalid_request') return { error: html`${words.failed}` }
  return { error: sentence(words.length, { n: String(view.verification.codeLength) }) }
}

async function viewOf(ports: RoutePorts, request: Request, opened: OpenedPage): Promise<View> {
  const { app } = opened
  const ref = app.brand?.logo
  const logo = ref ? await ports.templates.logo(app.id, ref.id) : null
  const shown = logo && { type: logo.type, base64: Buffer.from(logo.bytes).toString('base64') }
  return { ...opened, request, now: ports.clock.now(), logo: shown }
}

/** Where the code of a link is shown, which is in its fragment. */
function elsewhere(request: Request): Reply {
  return notice(request, (words) => ({
    text: html`${words.elsewhere}`,
    more: html`<output id="shown" dir="ltr" hidden></output>`,
  }))
}

function redirect(location: string, headers: Record<string, string> = {}): Reply {
  return { status: 303, type: '', body: null, headers: { location, ...headers } }
}
