import { type App, recipientPlace } from '../domain/app.ts'
import { checkVerification } from '../domain/check-verification.ts'
import type { MailNames } from '../domain/mail-settings.ts'
import type { Actor } from '../domain/manage-apps.ts'
import { invalidField, Problem, problemTitles } from '../domain/problem.ts'
import { readRecipient } from '../domain/recipient.ts'
import { readSecretKey, registerOpenly } from '../domain/register-app.ts'
import { resendVerification } from '../domain/resend-verification.ts'
import { startVerification } from '../domain/start-verification.ts'
import { statusOf } from '../domain/verification.ts'
import { bearerToken, type Guard } from './authenticate.ts'
import { otpDoc, registerDoc, verifyDoc } from './original-docs.ts'
import type { HttpPorts } from './ports.ts'
import { problemHeaders, problemStatuses } from './problems.ts'
import { type Reply, text } from './reply.ts'
import type { Route, RouteMakers } from './route.ts'

/** How long `/otp` waits for the mail server, a second try after 15 s included. */
const mailWaitMs = 20_000

const mailNames: MailNames = {
  host: 'smtp_host',
  port: 'smtp_port',
  security: 'smtp_security',
  user: 'smtp_user',
  password: 'smtp_password',
  from: 'smtp_mail',
  fromName: 'smtp_from_name',
}

type Draft = { fields: Record<string, unknown> }
type OriginalPorts = HttpPorts & { guard: Guard }

/** The three calls of the original, word for word: JSON in, plain text out. */
export function originalRoutes(routes: RouteMakers, ports: OriginalPorts): Route[] {
  const common = { method: 'POST', tag: 'Original API', problemText } as const
  return [
    routes.open({
      ...common,
      ...registerDoc,
      path: '/reg_secretkey',
      handle: async ({ request, requestId, draft }) => {
        const actor = await registrar(ports, request, requestId)
        await register(ports, actor, draft)
        return text('Registration of secretKey succeeded.')
      },
    }),
    routes.open({
      ...common,
      ...otpDoc,
      path: '/otp',
      handle: async ({ request, draft: { fields }, patience }) => {
        const app = await findApp(ports, request, fields['secretKey'])
        patience(mailWaitMs / 1000 + 5)
        return fields['shareableKey'] === undefined
          ? start(ports, app, fields['mail'])
          : resend(ports, app, fields)
      },
    }),
    routes.open({
      ...common,
      ...verifyDoc,
      path: '/verify-otp',
      handle: ({ request, draft: { fields } }) => verify(ports, request, fields),
    }),
  ]
}

/** The operator by token; anybody where registration is open, counted by address. */
async function registrar(ports: OriginalPorts, request: Request, requestId: string) {
  const token = bearerToken(request)
  if (token !== null) return ports.guard.operator(request, requestId)
  if (!ports.http.openRegistration) throw new Problem('registration_closed')
  await ports.guard.chargeFailure(request)
  return { who: 'open', requestId }
}

async function register(ports: OriginalPorts, actor: Actor, { fields }: Draft): Promise<void> {
  const port = fields['smtp_port']
  const mail = {
    host: fields['smtp_host'],
    // The original took what a form sends, too.
    port: typeof port === 'string' && /^\d{1,5}$/.test(port) ? Number(port) : port,
    security: fields['smtp_security'],
    user: fields['smtp_user'],
    password: fields['smtp_password'],
    from: fields['smtp_mail'],
    fromName: fields['smtp_from_name'],
  }
  const publicOnly = actor.who === 'open'
  const secretKey = fields['secretKey']
  await registerOpenly(ports, actor, { secretKey, mail, names: mailNames, publicOnly })
}

async function findApp(ports: OriginalPorts, request: Request, secretKey: unknown): Promise<App> {
  if (typeof secretKey !== 'string') throw invalidField('secretKey', 'must be a string')
  const key = readSecretKey(secretKey)
  const app = key && (await ports.apps.findBySecretKey(ports.keyring.secretKeyIndex(key)))
  if (app) return app
  await ports.guard.chargeFailure(request)
  throw new Problem('app_not_found', { detail: 'This secretKey is not registered' })
}

async function start(ports: OriginalPorts, app: App, mail: unknown): Promise<Reply> {
  const to = readRecipient(mail, 'mail')
  const started = await startVerification(ports, { app, mode: 'live', to })
  if (started.outcome === 'replayed') throw new Error('a start without a key was replayed')
  ports.metrics.count('otpmint_verifications_started_total', 'started')
  const { id } = started.verification
  const refusal = await refusalOfMail(ports, started.deliveryId)
  if (refusal === null) return text(id)
  // Nobody got this code; a later try of the outbox must not send it after all.
  await ports.verifications.cancel({ appId: app.id, id, now: ports.clock.now() })
  return text(refusal, 400)
}

/** The same code again, to the address that it was minted for and to no other. */
async function resend(
  ports: OriginalPorts,
  app: App,
  fields: Record<string, unknown>,
): Promise<Reply> {
  const { shareableKey: id } = fields
  if (typeof id !== 'string') throw invalidField('shareableKey', 'must be a string')
  const to = readRecipient(fields['mail'], 'mail')
  const verification = await ports.verifications.get(app.id, id)
  const sealed = await ports.verifications.sealedRecipient(app.id, id)
  const live = verification && statusOf(verification, ports.clock.now()) === 'pending'
  if (!live || !sealed) throw new Problem('verification_not_found')
  if (ports.keyring.open(app.id, app.dataKey, recipientPlace(id), sealed) !== to) {
    throw new Problem('verification_not_found')
  }
  const { deliveryId } = await resendVerification(ports, { app, id })
  const refusal = await refusalOfMail(ports, deliveryId)
  return refusal === null ? text(id) : text(refusal, 400)
}

/** Waits until the mail server has accepted the mail: null; else what it said instead. */
async function refusalOfMail(
  { outbox }: Pick<HttpPorts, 'outbox'>,
  deliveryId: string,
): Promise<string | null> {
  const until = performance.now() + mailWaitMs
  let state = await outbox.settled(deliveryId, mailWaitMs)
  if (state?.status === 'deferred') {
    state = (await outbox.settled(deliveryId, until - performance.now())) ?? state
  }
  if (state?.status === 'sent') return null
  const reason = state?.detail ?? 'the mail server gave no answer in time'
  return `Error: The mail was not sent: ${reason}`
}

async function verify(
  ports: OriginalPorts,
  request: Request,
  { shareableKey: id, otp }: Record<string, unknown>,
): Promise<Reply> {
  if (typeof id !== 'string') throw invalidField('shareableKey', 'must be a string')
  if (typeof otp !== 'string') throw invalidField('otp', 'must be a string')
  const app = await ports.verifications.findApp(id)
  try {
    if (!app) throw new Problem('verification_not_found')
    const { valid } = await checkVerification(ports, { appId: app.id, id, code: otp })
    ports.metrics.count('otpmint_checks_total', valid ? 'approved' : 'wrong')
    return valid ? text('OTP Matched!', 201) : text('OTP Mismatched!', 403)
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    // What cannot be the code is not the code, and costs no attempt.
    if (error.code === 'invalid_request') return text('OTP Mismatched!', 403)
    if (deadKey.includes(error.code)) await ports.guard.chargeFailure(request)
    throw error
  }
}

const deadKey = [
  'verification_not_found',
  'verification_used',
  'verification_expired',
  'verification_canceled',
]

/** The original's answers: 400 for whatever a caller did wrong, in words. */
function problemText({ code, extra }: Problem, developerDetail: string | null): Reply {
  if (code === 'internal_error') {
    return text(developerDetail ? `Unknown Error: ${developerDetail}` : 'Unknown Error', 500)
  }
  if (code === 'verification_exhausted') return text('Maximum Attempts Reached!', 400)
  if (deadKey.includes(code)) {
    return text('Error: This shareableKey is unknown, used or expired', 400)
  }
  const status = problemStatuses[code]
  const kept = [401, 405, 413, 415].includes(status) || status >= 429
  const named = extra.errors?.map(({ field, reason }) => `${field} ${reason}`).join('; ')
  const words = named ?? extra.detail ?? problemTitles[code]
  if (!kept) return text(`Error: ${words}`, 400)
  return text(`Error: ${words}`, status, problemHeaders(code, extra.retryAfterSeconds))
}
