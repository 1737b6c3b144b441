import type { App } from '../domain/app.ts'
import { cancelVerification } from '../domain/cancel-verification.ts'
import { checkVerification } from '../domain/check-verification.ts'
import { listVerifications } from '../domain/list-verifications.ts'
import { invalidField, Problem } from '../domain/problem.ts'
import { resendVerification } from '../domain/resend-verification.ts'
import { type Started, startVerification } from '../domain/start-verification.ts'
import type { Verification } from '../domain/verification.ts'
import { canonical, idempotencyKey, preferredWait } from './headers.ts'
import type { HttpPorts } from './ports.ts'
import { presentVerification } from './present.ts'
import { json, type Reply } from './reply.ts'
import type { Context, Route, RouteMakers } from './route.ts'
import type { StartBody } from './verification-docs.ts'
import * as docs from './verification-docs.ts'

/** How long a start may take before a repeat with its Idempotency-Key is answered without it. */
const inFlightMs = 60_000

/** `/v1/verifications`: start, read, list, check, resend, cancel. */
export function verificationRoutes(routes: RouteMakers, ports: HttpPorts): Route[] {
  const present = (verification: Verification) =>
    presentVerification(verification, ports.clock.now())

  return [
    routes.app({
      ...docs.start,
      method: 'POST',
      path: '/v1/verifications',
      handle: async ({ app, key, body, ...context }) => {
        if (Object.keys(body.variables ?? {}).length > 0) {
          throw invalidField('variables', 'must be empty: no template takes variables yet')
        }
        const started = await start(ports, { app, mode: key.mode, body, context })
        return started.outcome === 'replayed'
          ? replay(ports, app, started)
          : announce(ports, app, started, context)
      },
    }),
    routes.app({
      ...docs.list,
      method: 'GET',
      path: '/v1/verifications',
      handle: async ({ app, query: { limit = 20, cursor = null, status, to } }) => {
        const page = await listVerifications(ports, { appId: app.id, limit, cursor, status, to })
        return json({ items: page.items.map(present), next_cursor: page.nextCursor })
      },
    }),
    routes.app({
      ...docs.read,
      method: 'GET',
      path: '/v1/verifications/:id',
      handle: async ({ app, params }) => {
        const verification = await ports.verifications.get(app.id, idOf(params))
        if (!verification) throw new Problem('verification_not_found')
        return json(present(verification))
      },
    }),
    routes.app({
      ...docs.check,
      method: 'POST',
      path: '/v1/verifications/:id/check',
      handle: async ({ app, params, body: { code } }) => {
        const checked = await checkVerification(ports, { appId: app.id, id: idOf(params), code })
        ports.metrics.count('otpmint_checks_total', checked.valid ? 'approved' : 'wrong')
        return json({ valid: checked.valid, ...present(checked.verification) })
      },
    }),
    routes.app({
      ...docs.resend,
      method: 'POST',
      path: '/v1/verifications/:id/resend',
      handle: async ({ app, params, body, request, patience }) => {
        const id = idOf(params)
        await refuseOtherChannel(ports, app, id, body.channel)
        const { verification, deliveryId } = await resendVerification(ports, { app, id })
        const { waited, headers } = await wait(ports, deliveryId, { request, patience })
        return json(present({ ...verification, ...waited }), 200, headers)
      },
    }),
    routes.app({
      ...docs.cancel,
      method: 'POST',
      path: '/v1/verifications/:id/cancel',
      handle: async ({ app, params }) =>
        json(present(await cancelVerification(ports, { appId: app.id, id: idOf(params) }))),
    }),
  ]
}

function idOf(params: Record<string, string>): string {
  return params['id'] ?? ''
}

type StartInput = { app: App; mode: 'live' | 'test'; body: StartBody; context: Context }

function start(ports: HttpPorts, { app, mode, body, context }: StartInput): Promise<Started> {
  const key = idempotencyKey(context.request)
  return startVerification(ports, {
    app,
    mode,
    to: body.to,
    channel: body.channel,
    purpose: body.purpose,
    locale: body.locale,
    codeLength: body.code_length,
    ttlSeconds: body.ttl_seconds,
    metadata: body.metadata,
    idempotency: key === null ? undefined : { key, body: canonical(body) },
  })
}

async function announce(
  ports: HttpPorts,
  app: App,
  { verification, deliveryId, keep }: Extract<Started, { outcome: 'started' }>,
  context: Context,
): Promise<Reply> {
  ports.metrics.count('otpmint_verifications_started_total', 'started')
  const { waited, headers } = await wait(ports, deliveryId, context)
  const now = ports.clock.now()
  const answer = json(presentVerification({ ...verification, ...waited }, now), 201, headers)
  if (keep) {
    const command = { appId: app.id, key: keep, answer: String(answer.body) }
    await ports.verifications.keepAnswer(command)
  }
  return answer
}

/** The first answer again; of one that was never finished, the verification as it stands now. */
async function replay(
  ports: HttpPorts,
  app: App,
  { verificationId, answer, keptAt }: Extract<Started, { outcome: 'replayed' }>,
): Promise<Reply> {
  ports.metrics.count('otpmint_verifications_started_total', 'replayed')
  const now = ports.clock.now()
  const headers = { 'idempotency-replayed': 'true' }
  if (answer !== null) return { ...json(null, 201, headers), body: answer }
  if (now - keptAt < inFlightMs) {
    throw new Problem('idempotency_in_flight', { retryAfterSeconds: 1 })
  }
  const verification = await ports.verifications.get(app.id, verificationId)
  if (!verification) throw new Problem('verification_not_found')
  return json(presentVerification(verification, now), 201, headers)
}

/** Holds the answer for `Prefer: wait=N` until the delivery has an outcome. */
async function wait(
  { outbox }: Pick<HttpPorts, 'outbox'>,
  deliveryId: string,
  { request, patience }: Pick<Context, 'request' | 'patience'>,
): Promise<{ waited: { delivery?: Verification['delivery'] }; headers: Record<string, string> }> {
  const seconds = preferredWait(request)
  if (seconds === null) return { waited: {}, headers: {} }
  patience(seconds + 10)
  const state = await outbox.settled(deliveryId, seconds * 1000)
  const headers = { 'preference-applied': `wait=${seconds}` }
  return { waited: state ? { delivery: state } : {}, headers }
}

/** A verification stays with its channel until another one can take it over. */
async function refuseOtherChannel(
  { verifications }: Pick<HttpPorts, 'verifications'>,
  app: App,
  id: string,
  channel: string | undefined,
): Promise<void> {
  if (channel === undefined) return
  const verification = await verifications.get(app.id, id)
  if (verification && verification.channel !== channel) {
    throw invalidField('channel', 'must be the channel of the first message')
  }
}
