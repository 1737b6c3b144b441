import { Problem } from '../../domain/problem.ts'

/** The operation could not be done, or it is unknown whether it was. */
export class Unavailable extends Error {}

/** Classes and codes of PostgreSQL's appendix A that say so: nothing is wrong with the statement. */
const unavailableStates = [
  /^08/, // connection exception
  /^53/, // insufficient resources: disk full, out of memory, too many connections
  /^57P0[1-5]/, // shutdown, crash, starting up, database dropped, idle session timeout
  /^57014/, // statement_timeout
  /^55P03/, // lock_timeout
  /^25P0[34]/, // idle_in_transaction_session_timeout, transaction_timeout
  /^25006/, // read-only: a standby after a fail-over
  /^58/, // system error, such as an input/output error
  /^28/, // the role may not connect any more
  /^3D000/, // the database is gone
]
const conflictStates = ['40001', '40P01']

/** The SQLSTATE of an error of the server; null for any other error. */
export function sqlState(error: unknown): string | null {
  if (!(error instanceof Error) || !('errno' in error)) return null
  return typeof error.errno === 'string' ? error.errno : null
}

/**
 * The same operation may be run again: it was rolled back by a deadlock, a serialization failure, or a
 * partition that was made while a row of its time was on its way to the default one.
 */
export function isConflict(error: unknown): boolean {
  if (conflictStates.includes(sqlState(error) ?? '')) return true
  // The message is in the server's language; the code is also that of other checks.
  return (
    sqlState(error) === '23514' &&
    error instanceof Error &&
    'routine' in error &&
    error.routine === 'ExecPartitionCheckEmitError'
  )
}

/**
 * True when the connection cannot be used any more, or leads to a server that takes no writes: a
 * new one may reach the primary.
 */
export function isConnectionLost(error: unknown): boolean {
  const state = sqlState(error)
  if (state !== null && /^(08|57P0|25P0[34]|25006|28)/.test(state)) return true
  const code = error instanceof Error && 'code' in error ? `${error.code}` : ''
  return /^ERR_POSTGRES_(?!SERVER_ERROR|SYNTAX)/.test(code) || isCertificateError(code)
}

/** True for the code of a certificate that is not believed, which another connection may have. */
export function isCertificateError(code: string): boolean {
  return /^(ERR_TLS_|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|HOSTNAME_|INVALID_CA)/.test(code)
}

export function isUnavailable(error: unknown): boolean {
  if (error instanceof Unavailable || isConflict(error) || isConnectionLost(error)) return true
  const state = sqlState(error)
  return state !== null && unavailableStates.some((pattern) => pattern.test(state))
}

/** Converts a failure of the database to a problem; returns any other error unchanged. */
export function toProblem(error: unknown): unknown {
  return isUnavailable(error) ? new Problem('store_unavailable', { retryAfterSeconds: 5 }) : error
}
