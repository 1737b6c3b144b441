import { createSign } from 'node:crypto'
import type { SmtpSettings } from '../../domain/app/smtp-fields.ts'
import { type OAuthSecret, readTenant } from '../../domain/app/smtp-login.ts'
import { type DeliveryOutcome, deferredBy } from '../../domain/delivery/delivery.ts'
import type { HttpAnswer, HttpFault } from '../../domain/http-out.ts'
import type { Ports } from '../../domain/ports.ts'
import { outcomeOfFault } from '../http-outcome.ts'

/** An access token, or why there is none. */
export type Granted =
  | {
      token: string
      lifeMs: number
      /** The refresh token that takes the place of the one used; null where that stays. */
      refreshToken: string | null
    }
  | { outcome: Exclude<DeliveryOutcome, { status: 'sent' }> }

type Request = { url: string; form: Record<string, string> }

// The only URLs that secrets of OAuth are sent to.
const googleUrl = 'https://oauth2.googleapis.com/token'
const microsoftUrl = 'https://login.microsoftonline.com'
const googleScope = 'https://mail.google.com/'

/** Asks the provider of a mailbox for an access token (RFC 6749, RFC 7523); never rejects. */
export async function requestToken(
  { clock, httpOut }: Pick<Ports, 'clock' | 'httpOut'>,
  settings: SmtpSettings,
  secret: OAuthSecret,
): Promise<Granted> {
  const request = requestOf(settings, secret, clock.now())
  if (request === null) return refused('server', 'the login of the mail server is not complete')
  const { url, form } = request
  const type = 'application/x-www-form-urlencoded'
  const headers = { accept: 'application/json', 'content-type': type }
  const body = new URLSearchParams(form).toString()
  const answer = await httpOut({ method: 'POST', url, headers, body })
  const host = new URL(url).host
  return 'fault' in answer ? withoutAnswer(answer, host) : granted(answer, settings, host)
}

function requestOf(settings: SmtpSettings, secret: OAuthSecret, now: number): Request | null {
  const { auth, clientId } = settings
  const { clientSecret, refreshToken } = secret
  const client = {
    client_id: clientId ?? '',
    ...(clientSecret !== null && { client_secret: clientSecret }),
  }
  const refresh = { grant_type: 'refresh_token', refresh_token: refreshToken ?? '', ...client }
  if (auth === 'google') return { url: googleUrl, form: refresh }
  if (auth === 'google_service_account') {
    const assertion = signedAssertion(settings, secret, now)
    const grant = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
    return assertion === null ? null : { url: googleUrl, form: { grant_type: grant, assertion } }
  }
  const tenant = readTenant(settings.tenant)
  if (tenant === null) return null
  const url = `${microsoftUrl}/${tenant}/oauth2/v2.0/token`
  if (auth === 'microsoft') {
    const scope = 'https://outlook.office.com/SMTP.Send offline_access'
    return { url, form: { ...refresh, scope } }
  }
  const scope = 'https://outlook.office365.com/.default'
  return { url, form: { grant_type: 'client_credentials', ...client, scope } }
}

/** Google's assertion of a service account that acts for the mailbox, signed with RS256. */
function signedAssertion(
  { user, clientId }: SmtpSettings,
  { serviceAccount }: OAuthSecret,
  now: number,
): string | null {
  if (!serviceAccount) return null
  const { keyId, privateKey } = serviceAccount
  const iat = Math.floor(now / 1000)
  const header = { alg: 'RS256', typ: 'JWT', ...(keyId !== null && { kid: keyId }) }
  const claims = {
    iss: clientId,
    sub: user,
    scope: googleScope,
    aud: googleUrl,
    iat,
    exp: iat + 3600,
  }
  const parts = [header, claims].map((part) =>
    Buffer.from(JSON.stringify(part)).toString('base64url'),
  )
  try {
    const signed = createSign('RSA-SHA256').update(parts.join('.')).sign(privateKey, 'base64url')
    return [...parts, signed].join('.')
  } catch {
    return null
  }
}

type Body = {
  access_token?: unknown
  token_type?: unknown
  expires_in?: unknown
  refresh_token?: unknown
  error?: unknown
  error_description?: unknown
}

function granted(answer: HttpAnswer, settings: SmtpSettings, host: string): Granted {
  const { status, retryAfterMs } = answer
  const body = readBody(answer.body)
  if (status === 408 || status === 429 || status >= 500) {
    const says = status === 429 ? 'asks for fewer requests' : `answers ${status}`
    return deferred('busy', `the token server ${host} ${says}`, retryAfterMs)
  }
  if (status === 200 && body) {
    const { access_token: token, token_type: type, refresh_token: refreshToken } = body
    // RFC 6750 section 2.1: a bearer token has no other characters.
    const isToken = typeof token === 'string' && /^[\w.~+/-]{1,16384}=*$/.test(token)
    if (isToken && /^bearer$/i.test(String(type))) {
      const isNew = typeof refreshToken === 'string' && /^[\x21-\x7e]{1,8192}$/.test(refreshToken)
      const lifeMs = lifeOf(body.expires_in)
      return { token, lifeMs, refreshToken: isNew ? refreshToken : null }
    }
  }
  if (status >= 400 && typeof body?.error === 'string') return refusalOf(body, settings, host)
  return deferred('network', `${host} does not answer as a token server (status ${status})`)
}

function readBody(text: string): Body | null {
  try {
    const body = JSON.parse(text)
    return typeof body === 'object' ? body : null
  } catch {
    return null
  }
}

/** The life of a token, in ms: an hour where the server does not say, a day at most. */
function lifeOf(seconds: unknown): number {
  const life = Number(seconds)
  return (Number.isFinite(life) && life > 0 ? Math.min(life, 86_400) : 3600) * 1000
}

/** No message was sent yet, so nothing is ambiguous. */
function withoutAnswer({ fault }: HttpFault, host: string): Granted {
  return { outcome: outcomeOfFault({ fault, isSent: false }, `the token server ${host}`) }
}

/** Errors of RFC 6749 section 5.2 and of providers; others are not repeated. */
const knownErrors = new Set([
  ...['invalid_request', 'invalid_client', 'invalid_grant', 'unauthorized_client'],
  ...['unsupported_grant_type', 'invalid_scope', 'access_denied', 'interaction_required'],
  ...['consent_required', 'login_required', 'invalid_resource', 'deleted_client'],
  ...['disabled_client', 'org_internal', 'admin_policy_enforced'],
])

function refusalOf(body: Body, { auth }: SmtpSettings, host: string): Granted {
  const error = String(body.error)
  if (error === 'temporarily_unavailable' || error === 'server_error' || error === 'slow_down') {
    return deferred('busy', `the token server ${host} is not available (${error})`)
  }
  const known = knownErrors.has(error) ? error : 'another error'
  // Microsoft's numbers of errors, which its documentation explains.
  const [number] = /\bAADSTS\d{4,8}\b/.exec(String(body.error_description)) ?? []
  const said = number === undefined ? known : `${known}, ${number}`
  const provider = auth.startsWith('google') ? 'Google' : 'Microsoft'
  return refused('login', `${provider} gives no token (${said}): ${adviceOf(auth, error, number)}`)
}

function adviceOf(auth: SmtpSettings['auth'], error: string, number: string | undefined): string {
  if (number === 'AADSTS7000222') return 'the client secret has expired; make a new one and set it'
  if (number === 'AADSTS90002') return 'there is no such tenant; check it'
  if (number === 'AADSTS700016') return 'the tenant has no such app; check client id and tenant'
  if (error === 'invalid_client') return 'check client id and client secret'
  if (auth === 'google_service_account') {
    return error === 'unauthorized_client' || error === 'access_denied'
      ? `allow the service account the scope ${googleScope} in domain-wide delegation`
      : 'check that the mailbox exists, that the key was not deleted, and the clock of this machine'
  }
  if (error === 'invalid_grant' && auth === 'google') {
    return (
      'the refresh token is not valid any more; make a new one, and publish the consent screen: ' +
      'while it is in testing they end after 7 days'
    )
  }
  if (error === 'invalid_grant') {
    return 'the refresh token is not valid any more; make a new one and set it'
  }
  return 'check client id, client secret and what the app is allowed'
}

function deferred(
  cause: 'network' | 'busy',
  detail: string,
  retryAfterMs: number | null = null,
): Granted {
  return { outcome: { ...deferredBy(cause, detail), retryAfterMs } }
}

function refused(cause: 'login' | 'server', detail: string): Granted {
  return { outcome: { status: 'refused', cause, code: null, detail } }
}
