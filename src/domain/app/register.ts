import { type Actor, audited } from '../audit.ts'
import type { Ports } from '../ports.ts'
import { collected, type FieldError, Problem, refuseIfAny } from '../problem.ts'
import { type App, readName, readStrangersName } from './app.ts'
import type { Endpoint, SmtpInput, SmtpNames } from './endpoint.ts'
import { draftEndpoint } from './endpoints.ts'
import { draftApp, entry, type ManagePorts } from './manage.ts'

export type Registration = {
  secretKey: unknown
  /** The app's name; absent, it has none. */
  name: unknown
  /** The SMTP server; null keeps every mail in the inbox (developer mode). */
  mail: SmtpInput | null
  names: SmtpNames
  registeredBy: App['registeredBy']
  /** Of whoever registers openly; null for an admin. */
  address: string | null
}

/** Apps that strangers may register: in all, and from one address. */
const openAppsMax = 1000
const openAppsPerAddressMax = 10

type RegisterPorts = ManagePorts &
  Pick<Ports, 'egress'> & {
    /** Logs in at the endpoint and ends; null when that went well, else why not. */
    tryLogin(app: App, endpoint: Endpoint): Promise<string | null>
  }

/**
 * The original API's registration: an app that is found by a secretKey of the caller's choosing. A
 * stranger's server must be public and take the login at once. Throws `invalid_request` with every
 * mistake, `host_not_public`, `login_refused`, `rate_limited`, `secret_key_taken`.
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
    mail && draftEndpoint(ports, draft, { input: mail, names, current: null, mistakes })
  if (registeredBy === 'open' && endpoint) refuseForeignFrom(endpoint, names, mistakes)
  refuseIfAny(mistakes)
  if (secretKey === null) throw new Problem('invalid_request')

  const app: App = { ...draft, name, endpoints: endpoint ? [endpoint] : [] }
  const registeredFrom =
    address === null ? null : ports.keyring.limitIndex('registered_from', address)
  if (registeredFrom && endpoint) await refuseStranger(ports, app, endpoint, registeredFrom)

  const secretKeyIndex = ports.keyring.secretKeyIndex(secretKey)
  const command = { app, keys: [], secretKeyIndex, registeredFrom }
  const audit = entry(ports, actor, 'app.register', app.id, `name ${name ?? ''}`.trim())
  const outcome = await audited(ports, audit, (append) => ports.apps.create(command, append))
  if (outcome === 'secret_key_taken') throw new Problem('secret_key_taken')
  return app
}

export const secretKeyReason = 'must be 8 to 256 characters without control characters'

/** A secretKey that may be registered or looked up; null for any other. */
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
  // The sender's name is the app's where nothing else is; both are judged alike.
  if (fromName !== null && registeredBy === 'open') {
    collected(mistakes, () => readStrangersName(fromName, names.fromName))
  }
  if (name !== undefined) return collected(mistakes, () => read(name, 'app_name'))
  return fromName === null ? null : collected([], () => readName(fromName))
}

/** A stranger sends as an address in the domain of the login, or as the login itself. */
function refuseForeignFrom(
  { settings: { from, user } }: Endpoint,
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
  endpoint: Endpoint,
  registeredFrom: Uint8Array,
): Promise<void> {
  const { all, fromAddress } = await ports.apps.countOpen(registeredFrom)
  if (all >= openAppsMax || fromAddress >= openAppsPerAddressMax) {
    throw new Problem('rate_limited', { limit: 'open_apps', retryAfterSeconds: 3600 })
  }
  if ((await ports.egress.reach(endpoint.settings.host)) !== 'public') {
    throw new Problem('host_not_public')
  }
  const fault = await ports.tryLogin(app, endpoint)
  if (fault !== null) throw new Problem('login_refused', { detail: fault })
}
