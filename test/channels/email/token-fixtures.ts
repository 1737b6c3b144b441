import { generateKeyPairSync } from 'node:crypto'
import type { App } from '../../../src/domain/app/app.ts'
import type { SmtpSettings } from '../../../src/domain/app/smtp-fields.ts'
import type { OAuthSecret } from '../../../src/domain/app/smtp-login.ts'
import type { HttpOut } from '../../../src/domain/http-out.ts'
import { loopbackHttpOut } from '../../support/http.ts'
import { appWith } from '../mail-fixtures.ts'

/** One key for all, because making one takes long. */
export const serviceKey = generateKeyPairSync('rsa', { modulusLength: 2048 })
const privateKey = serviceKey.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()

export const tenant = '0f5b3e2c-1111-4222-8333-944445555666'
const clientId = 'client-1'
const kinds: Record<string, { settings: Partial<SmtpSettings>; secret: Partial<OAuthSecret> }> = {
  google: { settings: { clientId }, secret: { clientSecret: 's3cret', refreshToken: '1//old' } },
  google_service_account: {
    settings: { clientId: 'mailer@project.iam.gserviceaccount.com' },
    secret: { serviceAccount: { keyId: 'key-1', privateKey } },
  },
  microsoft: { settings: { tenant, clientId }, secret: { refreshToken: '0.old' } },
  microsoft_app: { settings: { tenant, clientId }, secret: { clientSecret: 's3cret' } },
}

/** An app whose mail server wants an access token. */
export function tokenApp(
  auth: Exclude<SmtpSettings['auth'], 'password'>,
  email: Partial<SmtpSettings> = {},
  parts: { id?: string; version?: number } = {},
): App {
  const { settings, secret } = kinds[auth] ?? {}
  const none: OAuthSecret = { clientSecret: null, refreshToken: null, serviceAccount: null }
  const user = 'codes@acme.test'
  const password = JSON.stringify({ ...none, ...secret })
  return appWith({ ...parts, email: { ...settings, auth, user, ...email }, password })
}

type Reply = Response | Promise<Response>

/**
 * A token server on loopback, and `httpOut` that reaches it in place of the provider's. `reply`
 * may be replaced; by default it gives `token-1`, `token-2` and so on for an hour.
 */
export function tokenServer() {
  const asked: { url: string; form: Record<string, string> }[] = []
  const server = {
    reply: (number: number): Reply => Response.json(grant(`token-${number}`)),
  }
  const listener = Bun.serve({ port: 0, fetch: () => server.reply(asked.length) })
  const out = loopbackHttpOut()
  const httpOut: HttpOut = (request) => {
    const form = Object.fromEntries(new URLSearchParams(request.body))
    asked.push({ url: request.url, form })
    return out({ ...request, url: `http://127.0.0.1:${listener.port}/` })
  }
  return Object.assign(server, { asked, httpOut, stop: () => listener.stop(true) })
}

export function grant(token: string, more: Record<string, unknown> = {}) {
  return { access_token: token, token_type: 'Bearer', expires_in: 3600, ...more }
}
