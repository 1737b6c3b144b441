import { afterAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { StartupError } from '../../src/startup-error.ts'
import { connectError, readDatabaseUrl } from '../../src/store/postgres/connect.ts'
import { isUnavailable } from '../../src/store/postgres/failure.ts'

const folder = mkdtempSync(join(tmpdir(), 'otpmint-connect-'))
afterAll(() => rmSync(folder, { recursive: true }))
const caFile = join(folder, 'ca.pem')
writeFileSync(caFile, '-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n')

const read = (url: string) => readDatabaseUrl(url, 'URL')

/** What is wrong with a URL. */
function mistakesIn(url: string): string[] {
  try {
    read(url)
    return []
  } catch (error) {
    if (!(error instanceof StartupError) || error.exitCode !== 78) throw error
    return error.reasons
  }
}

describe('the URL of a database', () => {
  test.each([
    ['postgres://otpmint@127.0.0.1/x', 'off', '127.0.0.1:5432'],
    ['postgres://otpmint@localhost:6432/x?sslmode=disable', 'off', 'localhost:6432'],
    ['postgres://otpmint@[::1]/x', 'off', '::1:5432'],
    ['postgres://otpmint@db.example.com/x', 'verify-full', 'db.example.com:5432'],
    [`postgresql://otpmint@10.0.0.1/x?sslrootcert=${caFile}`, 'verify-full', '10.0.0.1:5432'],
    [
      `postgres://o@10.0.0.1/x?sslmode=verify-ca&sslrootcert=${caFile}`,
      'verify-ca',
      '10.0.0.1:5432',
    ],
    ['postgres://otpmint@localhost/x?sslmode=verify-full', 'verify-full', 'localhost:5432'],
    ['postgres://otpmint@%2Frun%2Fpg:6000/x', 'off', '/run/pg/.s.PGSQL.6000'],
    ['postgres://otpmint@localhost/x?host=/run/pg', 'off', '/run/pg/.s.PGSQL.5432'],
  ])('%s has the security %s', (url, tls, place) => {
    expect(read(url)).toMatchObject({ tls, place, database: 'x' })
  })

  test('has its role and database decoded', () => {
    expect(read('postgres://a%40b:p%2Fw@127.0.0.1/my%20data')).toMatchObject({
      role: 'a@b',
      database: 'my data',
    })
  })

  test.each(['disable', 'allow', 'prefer', 'require', 'no-verify', 'VERIFY-FULL', ''])(
    'with sslmode=%s leads to no other machine',
    (mode) => {
      const url = `postgres://otpmint:canary@127.0.0.1.example.com/x?sslmode=${mode}`
      const [mistake, ...more] = mistakesIn(url)
      expect(mistake).toContain('URL has an sslmode that would let anybody between here and')
      expect([more, `${mistake}`.includes('canary')]).toEqual([[], false])
    },
  )

  test.each([
    ['postgres://127.0.0.1', ['must name a role', 'must name a database']],
    ['postgres://otpmint@127.0.0.1/x?sslmode=require', ['none of disable, verify-ca, verify-full']],
    ['postgres://otpmint@db.example.com/x?sslmode=verify-ca', ['needs the authority']],
    ['postgres://otpmint@db.example.com/x?sslrootcert=/nowhere', ['no readable file']],
    ['postgres://o@127.0.0.1/x?options=-c&password=canary', ['takes the parameters sslmode']],
    ['postgres://o:ca/nary@127.0.0.1/x', ['is no URL: encode']],
    ['postgres://o@a.example.com,b.example.com/x', ['must name one host']],
  ])('%s is refused', (url, says) => {
    const mistakes = mistakesIn(url)
    expect(mistakes).toHaveLength(says.length)
    for (const [index, text] of says.entries()) expect(mistakes[index]).toContain(text)
    expect(mistakes.join()).not.toContain('canary')
  })
})

describe('an error of connecting', () => {
  const target = read('postgres://otpmint:canary@db.example.com/x')
  const failing = (code: string, errno?: string) =>
    Object.assign(new Error('role canary'), { code, ...(errno && { errno }) })

  test.each([
    ['ERR_POSTGRES_SERVER_ERROR', '28P01', 78, 'refuses the password of role otpmint'],
    ['ERR_POSTGRES_SERVER_ERROR', '28000', 78, 'pg_hba.conf'],
    ['ERR_POSTGRES_SERVER_ERROR', '3D000', 78, 'has no database x'],
    ['ERR_POSTGRES_TLS_NOT_AVAILABLE', undefined, 78, 'speaks no TLS'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', undefined, 78, 'is for another name'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', undefined, 78, 'is not trusted'],
    ['ERR_POSTGRES_SERVER_ERROR', '57P03', 1, 'cannot be used (57P03)'],
    ['ERR_POSTGRES_CONNECTION_REFUSED', undefined, 1, 'cannot be used'],
  ])(
    '%s %s is status %d and a sentence without what the driver says',
    (code, errno, exit, says) => {
      const said = connectError(target, failing(code, errno))
      expect([said?.exitCode, said?.message]).toEqual([exit, expect.stringContaining(says)])
      expect(said?.message).not.toContain('canary')
    },
  )

  test('of a certificate is a database that is away, for a server that runs', () => {
    expect(isUnavailable(failing('CERT_HAS_EXPIRED'))).toBe(true)
    expect(connectError(target, new Error('a bug'))).toBeNull()
  })
})
