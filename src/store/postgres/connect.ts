import { readFileSync } from 'node:fs'
import { SQL } from 'bun'
import { isLoopback } from '../../domain/app/host.ts'
import { cannotStart, type StartupError, settingsAreWrong } from '../../startup-error.ts'
import { isCertificateError, sqlState } from './failure.ts'

/** Where a URL leads and how; `connect` makes a client with one connection. */
export type Target = {
  /** The name of its setting, for what an admin reads. */
  name: string
  role: string
  database: string
  /** Host and port, or the path of a Unix socket. */
  place: string
  tls: TlsMode
  connect(options?: ConnectOptions): SQL
}

export type ConnectOptions = {
  /** A parameter that PostgreSQL keeps, and a pooler does not pass on. */
  mark?: string
  /** Called when the connection has ended, also when it was not asked to. */
  onClose?: () => void
}

/** `off` on this machine only. */
export type TlsMode = 'off' | 'verify-ca' | 'verify-full'

/** How long making a connection may take, in seconds. */
const connectSeconds = 5
const parameters = ['sslmode', 'sslrootcert', 'host']

/**
 * Reads the URL of a database. To another machine the connection is encrypted and its certificate is
 * verified; a URL that does without is refused. Throws `StartupError` with every mistake, which
 * repeats nothing of the URL but its host.
 */
export function readDatabaseUrl(text: string, name: string): Target {
  const url = URL.parse(text)
  if (!url) throw settingsAreWrong(`${name} is no URL: encode special characters of the password`)
  const mistakes: string[] = []
  const role = decoded(url.username)
  const database = decoded(url.pathname.slice(1))
  if (!role) mistakes.push(`${name} must name a role before the @`)
  if (!database) mistakes.push(`${name} must name a database after the host`)
  for (const parameter of url.searchParams.keys()) {
    if (parameters.includes(parameter)) continue
    mistakes.push(
      `${name} takes the parameters ${parameters.join(', ')} only: give others to the role with ` +
        'ALTER ROLE ... SET',
    )
  }
  const port = Number(url.port || 5432)
  const socket = socketOf(url, port)
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const isLocal = socket !== null || isLoopback(host)
  if (!isLocal && (host === '' || host.includes(','))) {
    mistakes.push(`${name} must name one host: of a proxy or an address that follows the primary`)
  }
  const tls = tlsOf(url, { isLocal, host }, name, mistakes)
  const ca = caOf(url, name, mistakes)
  if (tls === 'verify-ca' && ca === null) {
    mistakes.push(`${name} has sslmode=verify-ca, which needs the authority in sslrootcert`)
  }
  if (mistakes.length > 0) throw settingsAreWrong(...new Set(mistakes))

  const place = socket ?? `${host}:${port}`
  const connect = ({ mark, onClose }: ConnectOptions = {}) =>
    new SQL({
      adapter: 'postgres',
      ...(socket === null ? { hostname: host, port } : { path: socket }),
      username: role,
      password: decoded(url.password),
      database,
      tls: tls === 'off' ? false : tlsOptions(tls, ca),
      max: 1,
      // Named statements do not survive a pooler in transaction mode.
      prepare: false,
      bigint: true,
      connectionTimeout: connectSeconds,
      ...(onClose && { onclose: onClose }),
      connection: { application_name: 'otpmint', ...(mark && { [markName]: mark }) },
    })
  return { name, role, database, place, tls, connect }
}

/** A parameter that PostgreSQL knows nothing of and keeps all the same, because of its dot. */
export const markName = 'otpmint.mark'

/** Percent-decoded; as it is where that is impossible. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The path of a Unix socket: `?host=/run/postgresql`, or an encoded path in place of the host. */
function socketOf(url: URL, port: number): string | null {
  const folder = url.searchParams.get('host') ?? decoded(url.hostname)
  return folder.startsWith('/') ? `${folder}/.s.PGSQL.${port}` : null
}

type Host = { isLocal: boolean; host: string }

function tlsOf(url: URL, { isLocal, host }: Host, name: string, mistakes: string[]): TlsMode {
  const mode = url.searchParams.get('sslmode')
  if (mode === 'verify-full' || mode === 'verify-ca') return mode
  if (isLocal) {
    if (mode === null || mode === 'disable') return 'off'
    mistakes.push(`${name} has an sslmode that is none of disable, verify-ca, verify-full`)
  } else if (mode !== null) {
    mistakes.push(
      `${name} has an sslmode that would let anybody between here and ${host} read or pose as the ` +
        'database: use verify-full, with sslrootcert for an authority of your own, or verify-ca',
    )
  }
  return 'verify-full'
}

/** The certificates of `sslrootcert`; null for those of the system. */
function caOf(url: URL, name: string, mistakes: string[]): string | null {
  const path = url.searchParams.get('sslrootcert')
  if (path === null || path === 'system') return null
  try {
    const text = readFileSync(path, 'utf8')
    if (text.includes('-----BEGIN CERTIFICATE-----')) return text
  } catch {
    // Says the same of a file that cannot be read.
  }
  mistakes.push(`${name} has an sslrootcert that is no readable file with certificates in PEM`)
  return null
}

function tlsOptions(tls: TlsMode, ca: string | null): SQL.TLSOptions {
  const verified = { rejectUnauthorized: true, ...(ca !== null && { ca }) }
  // The authority is an admin's own, so that any certificate of it is a right one.
  return tls === 'verify-ca' ? { ...verified, checkServerIdentity: () => undefined } : verified
}

/**
 * What an admin reads when the database cannot be used: what is wrong in the settings is 78, a
 * database that is away is 1. Null for an error that says nothing of that.
 */
export function connectError({ name, role, database, place }: Target, error: unknown) {
  const wrong = (says: string): StartupError => settingsAreWrong(`${name}: ${says}`)
  const state = sqlState(error)
  if (state === '28P01') return wrong(`${place} refuses the password of role ${role}`)
  if (state === '28000') {
    return wrong(
      `${place} lets role ${role} not connect: see its pg_hba.conf, and that it has LOGIN`,
    )
  }
  if (state === '3D000') return wrong(`${place} has no database ${database}`)
  if (state === '42501') return wrong(`role ${role} may not connect to database ${database}`)
  if (isStatementMode(error)) {
    return wrong(`${place} is a pooler in statement mode, which lets no transaction begin`)
  }
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code === 'ERR_POSTGRES_TLS_NOT_AVAILABLE') {
    return wrong(`${place} speaks no TLS: switch it on there (ssl = on)`)
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return wrong(`the certificate of ${place} is for another name: name that host in the URL`)
  }
  if (isCertificateError(code)) {
    const advice = 'name the authority of that server with sslrootcert=FILE in the URL'
    return wrong(`the certificate of ${place} is not trusted (${code}): ${advice}`)
  }
  if (state !== null || code.startsWith('ERR_POSTGRES_')) {
    return cannotStart(`${name}: ${place} cannot be used (${state ?? code})`)
  }
  return null
}

/** PgBouncer has one code for everything that it refuses. */
export function isStatementMode(error: unknown): boolean {
  return error instanceof Error && /statement pooling mode/.test(error.message)
}
