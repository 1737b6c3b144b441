import type { ChannelKind } from '../../domain/delivery/channel.ts'
import { redeemResult } from '../../domain/page/pages.ts'
import { proofClaims } from '../../domain/page/proof.ts'
import { startWithPage } from '../../domain/page/start.ts'
import { Problem } from '../../domain/problem.ts'
import { cancelVerification } from '../../domain/verification/cancel.ts'
import { checkAsOf, checkVerification } from '../../domain/verification/check.ts'
import { listVerifications } from '../../domain/verification/list.ts'
import { resendVerification } from '../../domain/verification/resend.ts'
import { startVerification } from '../../domain/verification/start.ts'
import type { Status, Verification } from '../../domain/verification/verification.ts'
import { presentDetails, presentVerification } from '../../present.ts'
import type { Context, Reply } from '../core/api.ts'
import type { Caller } from '../core/guard.ts'
import { json } from '../core/pipeline.ts'
import { canonical, idempotencyKey, preferredWait } from '../core/request.ts'
import type { RoutePorts } from '../core/route.ts'
import type { AppCall, CheckerCall } from './api.ts'
import { presentPage } from './components/page.ts'
import type { StartRequest } from './components/verification.ts'

type One = AppCall & { params: { id: string } }

export async function start(
  ports: RoutePorts,
  { app, key, body, ...context }: AppCall & { body: StartRequest },
): Promise<Reply> {
  const idempotency = idempotencyKey(context.request)
  const request = {
    app,
    mode: key.mode,
    startedBy: 'v1' as const,
    to: body.to,
    channel: body.channel,
    fallbackAfterSeconds: body.fallback_after_seconds,
    purpose: body.purpose,
    locale: body.locale,
    codeLength: body.code_length,
    ttlSeconds: body.ttl_seconds,
    metadata: body.metadata && wellFormed(body.metadata),
    variables: body.variables,
    idempotency:
      idempotency === undefined ? undefined : { key: idempotency, body: canonical(body) },
  }
  const returnUrl = body.return_url
  const { outcome, verification, pageUrl } =
    returnUrl !== undefined
      ? await startWithPage(ports, request, { returnUrl, base: ports.pageBase() })
      : { ...(await startVerification(ports, request)), pageUrl: null }
  const extra = pageUrl === null ? {} : { page_url: pageUrl }
  ports.metrics.count('otpmint_verifications_started_total', outcome)
  // Every answer to one key is the same, so none waits for the outcome of the message.
  if (idempotency === undefined) {
    return announce(ports, verification, context, { status: 201, extra })
  }
  const headers = outcome === 'replayed' ? replayed : {}
  const shown = presentVerification(verification, verification.createdAt)
  return json({ ...shown, ...extra }, 201, headers)
}

export async function list(
  ports: RoutePorts,
  { app, key, query }: AppCall & { query: { limit?: number; cursor?: string; status?: Status } },
): Promise<Reply> {
  const { limit = 20, cursor = null, status } = query
  const request = { appId: app.id, mode: key.mode, limit, cursor, status }
  const page = await listVerifications(ports, request)
  return json(presentPage(page, presenter(ports)))
}

type Search = { to: string; limit?: number; cursor?: string; status?: Status }

export async function search(
  ports: RoutePorts,
  { app, key, body }: AppCall & { body: Search },
): Promise<Reply> {
  const { limit = 20, cursor = null, status } = body
  const { to } = body
  const request = { appId: app.id, mode: key.mode, limit, cursor, status, to }
  const page = await listVerifications(ports, request)
  return json(presentPage(page, presenter(ports)))
}

export async function get(ports: RoutePorts, call: One): Promise<Reply> {
  const place = placeOf(call)
  const verification = await ports.verifications.get(place)
  if (!verification) throw new Problem('verification_not_found')
  const deliveries = await ports.deliveries.history(place)
  return json(presentDetails(verification, deliveries, ports.clock.now()))
}

export async function check(
  ports: RoutePorts,
  { body, params, ...call }: CheckerCall & { params: { id: string }; body: { code: string } },
): Promise<Reply> {
  const request = { code: body.code, idempotencyKey: idempotencyKey(call.request) }
  const placed = (caller: Caller) => ({ ...placeOf({ ...caller, params }), ...request })
  const result =
    (await checkAsOf(ports, placed(call), call.asOf)) ??
    (await checkVerification(ports, placed(await call.confirm())))
  const { valid, replayed: isReplayed, at, verification } = result
  if (!isReplayed) ports.metrics.count('otpmint_checks_total', valid ? 'approved' : 'wrong')
  const answer = { valid, ...presentVerification(verification, at) }
  return json(answer, 200, isReplayed ? replayed : {})
}

export async function resend(
  ports: RoutePorts,
  { body: { channel }, ...call }: One & { body: { channel?: ChannelKind } },
): Promise<Reply> {
  const { app, key, params } = call
  const request = { app, mode: key.mode, id: params.id, channel }
  const verification = await resendVerification(ports, request)
  return announce(ports, verification, call, { status: 200 })
}

export async function cancel(ports: RoutePorts, call: One): Promise<Reply> {
  return json(presenter(ports)(await cancelVerification(ports, placeOf(call))))
}

export async function redeem(
  ports: RoutePorts,
  { app, key, body: { result } }: AppCall & { body: { result: string } },
): Promise<Reply> {
  const request = { appId: app.id, mode: key.mode, result }
  const { page, verification } = await redeemResult(ports, request)
  const about = { issuer: ports.pageBase() ?? '', now: ports.clock.now() }
  const claims = proofClaims(about, page, verification)
  const proof = claims && (await ports.proofs.sign(claims))
  return json({ ...presenter(ports)(verification), ...(proof && { proof }) })
}

const replayed = { 'idempotency-replayed': 'true' }

function placeOf({ app, key, params }: Caller & { params: { id: string } }) {
  return { appId: app.id, mode: key.mode, id: params.id }
}

function presenter({ clock }: Pick<RoutePorts, 'clock'>) {
  const now = clock.now()
  return (verification: Verification) => presentVerification(verification, now)
}

/** Answers at once, or, with `Prefer: wait=N`, once the message has an outcome. */
async function announce(
  { outbox, clock, verifications }: Pick<RoutePorts, 'outbox' | 'clock' | 'verifications'>,
  verification: Verification,
  { request, patience }: Pick<Context, 'request' | 'patience'>,
  { status, extra = {} }: { status: number; extra?: { page_url?: string } },
): Promise<Reply> {
  const seconds = preferredWait(request)
  if (seconds === null) {
    return json({ ...presentVerification(verification, clock.now()), ...extra }, status)
  }
  patience(seconds + 10)
  const state = await outbox.settled(verification.id, seconds * 1000)
  // Another server may have sent it, of which this one has not heard.
  const stored = state ? null : await verifications.get(verification).catch(() => null)
  const { delivery: known } = stored ?? verification
  const delivery = state ? { status: state.status, detail: state.detail } : known
  const shown = presentVerification({ ...verification, delivery }, clock.now())
  return json({ ...shown, ...extra }, status, { 'preference-applied': `wait=${seconds}` })
}

/** Replaces lone surrogates, which the database would change to another character. */
function wellFormed(metadata: Record<string, string>): Record<string, string> {
  const entries = Object.entries(metadata)
  return Object.fromEntries(
    entries.map(([name, value]) => [name.toWellFormed(), value.toWellFormed()]),
  )
}
