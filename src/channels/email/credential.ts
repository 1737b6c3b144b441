import type { App } from '../../domain/app/app.ts'
import { type EmailEndpoint, secretPlace } from '../../domain/app/endpoint.ts'
import type { Keyring } from '../../domain/keyring.ts'
import { notOpened, type Refused, type Tokens } from './tokens.ts'

export type CredentialPorts = { keyring: Pick<Keyring, 'open'>; tokens: Tokens }

/** What to log in with: a password, an access token, null for no login; or why there is none. */
export type Credential = { credential: string | null } | { outcome: Refused }

/** The credential of an endpoint; a promise only where a token has to be asked for. */
export function credentialOf(
  { keyring, tokens }: CredentialPorts,
  app: App,
  endpoint: EmailEndpoint,
): Credential | Promise<Credential> {
  const { settings, secretSealed } = endpoint
  if (settings.auth !== 'password') return tokens.get(app, endpoint)
  if (secretSealed === null) return { credential: null }
  try {
    const place = secretPlace(endpoint)
    return { credential: keyring.open(app.id, app.dataKey, place, secretSealed) }
  } catch {
    return { outcome: notOpened }
  }
}
