import { type Actor, audited } from '../audit.ts'
import type { Ports } from '../ports.ts'
import { collected, type FieldError, Problem, refuseIfAny, secondsUntil } from '../problem.ts'
import { hourMs, type Rate } from '../verification/limits.ts'
import { type App, readName, readStrangersName } from './app.ts'
import { draftEndpoint, type EmailEndpoint, isEmail } from './endpoint.ts'
import { draftApp, entry, type ManagePorts } from './manage.ts'
import type { SmtpInput, SmtpNames } from './smtp-fields.ts'

export type Registration = {
  secretKey: unknown
  /** The app's name; absent for none. */
  name: unknown
  /** The SMTP server; null keeps every mail in the inbox (developer mode). */
  mail: SmtpInput | null
  names: SmtpNames
  registeredBy: App['registeredBy']
  /** The client address of an open registration; null for an admin. */
  address: string | null
}

/** The most openly registered apps: in all, and from one address. */
const openAppsMax = 1000
const openAppsPerAddressMax = 10
/** Logins that all open registrations together may try at one mail server. */
const serverLogins: Rate = { name: 'server_logins', max: 30, windowMs: hourMs }

type RegisterPorts = ManagePorts &
  Pick<Ports, 'egress' | 'limits'> & {
    /** Tests the login at the endpoint; null on success, else the reason. */
    tryLogin(app: App, endpoint: EmailEndpoint): Promise<string | null>
  }

/**
 * Registers an app through the original API, under a secretKey that the caller chooses. Without the
 * admin token the mail server must be public and accept the login. Throws `invalid_request` with
 * every mistake, `host_not_public`, `login_refused`, `rate_limited`, `secret_key_taken`.
 */
export async function registerApp(
  ports: RegisterPorts,
  actor: Actor,
  registration: Registration,
): Promise<App> {
  const { mail, registeredBy, address } = registration
  const draft = draftApp(ports, registeredBy)
  const mistakes: FieldError[] = []
  const secretKey = readSecretKey(registration.secretKey)
  if (secretKey === null) mistakes.push({ field: 'secretKey', reason: secretKeyReason })
  const name = readAppName(registration, mistakes)
  const { names } = registration
  const endpoint =
    mail &&
    draftEndpoint(ports, draft, { kind: 'email', input: mail, names, current: null, mistakes })
  const server = endpoint && isEmail(endpoint) ? endpoint : null
  if (registeredBy === 'open' && server) refuseForeignFrom(server, names, mistakes)
  refuseIfAny(mistakes)
  if (secretKey === null) throw new Problem('invalid_request')

  const endpoints = endpoint ? [endpoint] : []
  const app: App = { ...draft, name, hasSecretKey: true, endpoints }
  const registeredFrom =
    address === null ? null : ports.keyring.limitIndex('registered_from', address)
  if (registeredFrom && server) await refuseStranger(ports, app, server, registeredFrom)

  const secretKeyIndex = ports.keyring.secretKeyIndex(secretKey)
  const command = { app, keys: [], secretKeyIndex, registeredFrom }
  const audit = entry(ports, actor, 'app.register', app.id, `name ${name ?? ''}`.trim())
  const outcome = await audited(ports, audit, async (append) => {
    // Counted once more: an app that is created meanwhile moves the head that `append` expects.
    if (registeredFrom) await refuseFull(ports, registeredFrom)
    return ports.apps.create(command, append)
  })
  if (outcome === 'secret_key_taken') throw new Problem('secret_key_taken')
  return app
}

const secretKeyReason = 'must be 8 to 256 characters without control characters'

/** A valid secretKey; null for anything else. */
export function readSecretKey(value: unknown): string | null {
  if (typeof value !== 'string' || value.length < 8 || value.length > 256) return null
  return /[\p{Cc}\p{Cs}]/u.test(value) ? null : value
}

function readAppName(
  { name, mail, names, registeredBy }: Registration,
  mistakes: FieldError[],
): string | null {
  const read = registeredBy === 'open' ? readStrangersName : readName
  const fromName = mail?.fromName ?? null
  // Without `app_name` the sender's name shows in its place; both follow the same rules.
  if (fromName !== null && registeredBy === 'open') {
    collected(mistakes, () => readStrangersName(fromName, names.fromName))
  }
  if (name !== undefined) return collected(mistakes, () => read(name, 'app_name'))
  return fromName === null ? null : collected([], () => readName(fromName))
}

/** Requires that an open registration sends from the login's domain or from the login itself. */
function refuseForeignFrom(
  { settings: { from, user } }: EmailEndpoint,
  names: SmtpNames,
  mistakes: FieldError[],
): void {
  const domain = (address: string) => address.slice(address.lastIndexOf('@') + 1).toLowerCase()
  if (user?.includes('@') && domain(user) === domain(from)) return
  mistakes.push({ field: names.from, reason: 'must lie in the domain of the login' })
}

async function refuseStranger(
  ports: RegisterPorts,
  app: App,
  endpoint: EmailEndpoint,
  registeredFrom: Uint8Array,
): Promise<void> {
  await refuseFull(ports, registeredFrom)
  const { host } = endpoint.settings
  if ((await ports.egress.reach(host)) !== 'public') throw new Problem('host_not_public')
  const now = ports.clock.now()
  const key = ports.keyring.limitIndex('server_logins', host)
  const login = await ports.limits.take({ key, rates: [serverLogins] }, now)
  if (!login.taken) {
    const retryAfterSeconds = secondsUntil(login.retryAt, now)
    throw new Problem('rate_limited', { limit: login.name, retryAfterSeconds })
  }
  const fault = await ports.tryLogin(app, endpoint)
  if (fault !== null) throw new Problem('login_refused', { detail: fault })
}

async function refuseFull({ apps }: RegisterPorts, registeredFrom: Uint8Array): Promise<void> {
  const { all, fromAddress } = await apps.countOpen(registeredFrom)
  if (all >= openAppsMax || fromAddress >= openAppsPerAddressMax) {
    throw new Problem('rate_limited', { limit: 'open_apps', retryAfterSeconds: 3600 })
  }
}
