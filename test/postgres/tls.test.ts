import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { readDatabaseUrl } from '../../src/store/postgres/connect.ts'
import { type Certificate, makeCertificate } from '../support/smtp.ts'
import { type PostgresServer, startPostgres } from './server.ts'

setDefaultTimeout(60_000)

let server: PostgresServer
let certificate: Certificate
let other: Certificate

beforeAll(async () => {
  certificate = makeCertificate()
  other = makeCertificate()
  // The certificate has the first of the two addresses.
  const settings = { listen_addresses: '127.0.0.1,127.0.0.2' }
  server = await startPostgres({ tls: certificate, settings })
})
afterAll(async () => {
  await server.stop()
  certificate.remove()
  other.remove()
})

/** Whether a connection is encrypted, or the code of the error that refuses it. */
async function outcome(host: string, parameters: string): Promise<unknown> {
  const url = `postgres://otpmint@${host}:${server.port}/template_otpmint?${parameters}`
  const sql = readDatabaseUrl(url, 'OTPMINT_DATABASE_URL').connect()
  try {
    const [row] = await sql.unsafe('select ssl from pg_stat_ssl where pid = pg_backend_pid()')
    return row.ssl
  } catch (error) {
    return (error as { code?: string }).code
  } finally {
    await sql.close({ timeout: 0 })
  }
}

test('verify-full connects with its own authority, and to no other name or authority', async () => {
  const full = (authority: Certificate) => `sslmode=verify-full&sslrootcert=${authority.caFile}`

  expect(await outcome('localhost', full(certificate))).toBe(true)
  expect(await outcome('127.0.0.2', full(certificate))).toBe('ERR_TLS_CERT_ALTNAME_INVALID')
  expect(await outcome('localhost', full(other))).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE')
  expect(await outcome('localhost', 'sslmode=verify-full')).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE')
})

test('verify-ca takes any name of its authority, and no other authority', async () => {
  const authority = (one: Certificate) => `sslmode=verify-ca&sslrootcert=${one.caFile}`

  expect(await outcome('127.0.0.2', authority(certificate))).toBe(true)
  expect(await outcome('localhost', authority(other))).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE')
})
