import { isWithin, mustBe } from '../field.ts'
import type { Pem } from '../ports.ts'
import { type FieldError, Problem } from '../problem.ts'
import { readDomain } from '../verification/recipient.ts'
import { destinationOf, type NewSecret } from './endpoint-fields.ts'
import {
  type SmtpAuth,
  type SmtpField,
  type SmtpInput,
  type SmtpNames,
  type SmtpSettings,
  smtpFields,
} from './smtp-fields.ts'

type Login = {
  /** Fields without which it does not work. */
  needs: LoginField[]
  /** Fields that it may have. */
  may?: LoginField[]
}
export type LoginField = 'tenant' | 'clientId' | SecretField
export type SecretField = 'password' | 'clientSecret' | 'refreshToken' | 'serviceAccount'

/** The fields of each kind of login, beside the user. */
export const logins: Record<SmtpAuth, Login> = {
  password: { needs: ['password'] },
  google: { needs: ['clientId', 'clientSecret', 'refreshToken'] },
  google_service_account: { needs: ['serviceAccount'] },
  microsoft: { needs: ['tenant', 'clientId', 'refreshToken'], may: ['clientSecret'] },
  microsoft_app: { needs: ['tenant', 'clientId', 'clientSecret'] },
}

const loginFields = [...new Set(Object.values(logins).flatMap(({ needs }) => needs))]

/** What is sealed for a login with OAuth, as JSON; for `password` it is the password alone. */
export type OAuthSecret = {
  clientSecret: string | null
  refreshToken: string | null
  serviceAccount: { keyId: string | null; privateKey: string } | null
}

/** The settings of an endpoint that is changed, and its sealed secret. */
export type SmtpCurrent = { settings: SmtpSettings; secretSealed: Uint8Array | null }

type Reading = {
  input: SmtpInput
  names: SmtpNames
  current: SmtpCurrent | null
  mistakes: FieldError[]
}
type Refuse = (field: SmtpField, reason: string) => void

/**
 * Reads the login of settings that are otherwise complete, and its secret. A changed destination
 * needs the secret again (`secret_required`), so that it is never sent elsewhere. Fields of another
 * kind of login are mistakes; null when anything is.
 */
export function readLogin(
  ports: { pem: Pem },
  { input, names, current, mistakes }: Reading,
  rest: Omit<SmtpSettings, 'tenant' | 'clientId'>,
): { settings: SmtpSettings; secret: NewSecret } | null {
  const before = mistakes.length
  const refuse: Refuse = (field, reason) => void mistakes.push({ field: names[field], reason })
  const { auth, user } = rest
  const kept = current?.settings.auth === auth ? current : null
  refuseOthers(input, auth, refuse)
  if (user === null && auth !== 'password') refuse('user', 'must be the mailbox')
  const login = readPublic(input, { auth, kept: kept?.settings ?? null }, refuse)
  const given = readSecrets(ports, input, { auth, refuse })
  const settings = { ...rest, ...login, ...(given?.clientId && { clientId: given.clientId }) }
  if (given) {
    if (user === null) refuse('password', 'needs a user')
    return mistakes.length > before ? null : { settings, secret: { set: given.secret } }
  }
  if (mistakes.length > before) return null
  if (user === null) return { settings, secret: 'none' }
  if (!kept?.secretSealed) {
    for (const field of secretsOf(logins[auth].needs)) refuse(field, 'is missing')
    return null
  }
  if (destinationOf(smtpFields, settings) !== destinationOf(smtpFields, kept.settings))
    throw new Problem('secret_required')
  return { settings, secret: 'keep' }
}

function refuseOthers(input: SmtpInput, auth: SmtpAuth, refuse: Refuse): void {
  const { needs, may = [] } = logins[auth]
  for (const field of loginFields) {
    const isOwn = needs.includes(field) || may.includes(field)
    if (!isOwn && isGiven(input[field])) refuse(field, `is not for auth "${auth}"`)
  }
}

type Public = Pick<SmtpSettings, 'tenant' | 'clientId'>

function readPublic(
  input: SmtpInput,
  { auth, kept }: { auth: SmtpAuth; kept: SmtpSettings | null },
  refuse: Refuse,
): Public {
  const { needs } = logins[auth]
  const read = (field: 'tenant' | 'clientId', parse: (value: unknown) => string | null) => {
    if (!needs.includes(field)) return null
    const value = input[field] === undefined ? (kept?.[field] ?? null) : parse(input[field])
    if (value === null) {
      refuse(field, isGiven(input[field]) ? mustBe(smtpFields[field]) : 'is missing')
    }
    return value
  }
  const tenant = read('tenant', readTenant)
  const clientId = read('clientId', (value) => text('clientId', value))
  // The address of a service account comes with its key.
  return {
    tenant,
    clientId: auth === 'google_service_account' ? (kept?.clientId ?? null) : clientId,
  }
}

/** The id or a domain of a Microsoft tenant, in lower case; null for anything else. */
export function readTenant(value: unknown): string | null {
  if (typeof value !== 'string') return null
  const id = value.toLowerCase()
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id) ? id : readDomain(id)
}

/** The secret to seal, if any part of it was given; then its other parts must be given too. */
function readSecrets(
  { pem }: { pem: Pem },
  input: SmtpInput,
  { auth, refuse }: { auth: SmtpAuth; refuse: Refuse },
): { secret: string; clientId?: string } | null {
  const { needs, may = [] } = logins[auth]
  const fields = secretsOf([...needs, ...may])
  if (!fields.some((field) => isGiven(input[field]))) return null
  for (const field of fields) {
    if (isGiven(input[field])) {
      if (text(field, input[field]) === null) refuse(field, mustBe(smtpFields[field]))
    } else if (needs.includes(field)) refuse(field, 'is missing')
  }
  if (auth === 'password') return { secret: String(input.password) }
  const [clientSecret, refreshToken] = [
    text('clientSecret', input.clientSecret),
    text('refreshToken', input.refreshToken),
  ]
  const secret: OAuthSecret = { clientSecret, refreshToken, serviceAccount: null }
  if (auth !== 'google_service_account') return { secret: JSON.stringify(secret) }
  const file = text('serviceAccount', input.serviceAccount)
  const account = file === null ? null : readServiceAccount(pem, file)
  if (file !== null && !account) refuse('serviceAccount', mustBe(smtpFields.serviceAccount))
  if (!account) return null
  const { clientId, ...serviceAccount } = account
  return { secret: JSON.stringify({ ...secret, serviceAccount }), clientId }
}

/** The parts of a service account's key file; its token URL is not among them. */
function readServiceAccount(pem: Pem, file: string) {
  try {
    const { type, client_email: clientId, private_key: privateKey, ...key } = JSON.parse(file)
    if (type !== 'service_account' || !isWithin(smtpFields.clientId, clientId)) return null
    if (typeof privateKey !== 'string' || pem.rsaKeyBits(privateKey) < 2048) return null
    const keyId = isWithin(smtpFields.clientId, key.private_key_id) ? key.private_key_id : null
    return { clientId: String(clientId), keyId: keyId as string | null, privateKey }
  } catch {
    return null
  }
}

function text(field: LoginField, value: unknown): string | null {
  return isWithin(smtpFields[field], value) ? String(value) : null
}

/** The secrets that a login needs, or may have, as a person names it; none for an unknown one. */
export function loginSecrets(auth: unknown): SecretField[] {
  const { needs, may = [] } = logins[auth as SmtpAuth] ?? { needs: [] }
  return secretsOf([...needs, ...may])
}

function secretsOf(fields: LoginField[]): SecretField[] {
  return fields.filter((field) => field !== 'tenant' && field !== 'clientId')
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null
}
