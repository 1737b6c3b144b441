import type { DatabaseSettings } from '../../config/load.ts'
import type { Finding } from '../../domain/server.ts'
import type { DifferingSetting } from '../../domain/shared-settings.ts'
import { clockLead, type Examination, examineDatabase, examineNodes } from '../examine.ts'
import type { OpenPorts } from '../open.ts'
import { failed, ok, warning } from './finding.ts'

/** Checks of a PostgreSQL database that is open, so that its role, schema and keys are right. */
export async function checkPostgres(
  ports: OpenPorts,
  database: DatabaseSettings,
): Promise<Finding[]> {
  const examined = await examineDatabase(database)
  const { live, holding, differing } = await examineNodes(ports)
  return [
    await checkStore(ports, examined),
    ok('role', `${examined.role} reads and writes rows and calls functions, and defines nothing`),
    ...checkTimeouts(examined),
    checkTls(examined),
    checkClock(ports),
    checkStandby(examined),
    ...checkPooler(examined),
    ok('nodes', `${live} live${holding > 0 ? `, ${holding} of them with a next master key` : ''}`),
    ...checkSettings(live, differing),
  ]
}

function checkSettings(live: number, differing: DifferingSetting[]): Finding[] {
  if (live < 2) return []
  if (differing.length === 0) {
    return [ok('same settings', 'live servers have the same limits and other settings')]
  }
  return differing.map(({ name, values }) => {
    const shown = values.length > 0 ? `: ${values.join(' and ')}` : ''
    const next = `set ${name} to the same value on every server, and restart those that differ`
    return warning('same settings', `${name} differs between live servers${shown}`, next)
  })
}

async function checkStore({ maintenance }: OpenPorts, examined: Examination): Promise<Finding> {
  const { database, place, version } = examined
  const faults = await maintenance.faults()
  if (faults.length === 0) return ok('database', `${database} at ${place}, PostgreSQL ${version}`)
  return failed('database', faults.join('; '), 'see docs/postgresql.md')
}

/** A statement that outlives our own timer keeps its locks while nobody waits for it. */
const timeouts = [
  ['statement_timeout', 'statementTimeout', 3_000],
  ['lock_timeout', 'lockTimeout', 2_000],
  ['idle_in_transaction_session_timeout', 'idleTimeout', 5_000],
] as const

function checkTimeouts(examined: Examination): Finding[] {
  const long = timeouts.filter(([, name, most]) => examined[name] === 0 || examined[name] > most)
  if (long.length === 0) {
    return [ok('time-outs', timeouts.map(([name, of]) => `${name} ${examined[of]} ms`).join(', '))]
  }
  return long.map(([name, of, most]) => {
    const is = examined[of] === 0 ? 'not set' : `${examined[of]} ms`
    const next = `ALTER ROLE "${examined.role}" SET ${name} = '${most / 1000}s', then restart servers`
    return warning('time-outs', `${name} is ${is} for ${examined.role}`, next)
  })
}

function checkTls({ tls, place }: Examination): Finding {
  if (tls === 'verify-full') return ok('tls', `the certificate of ${place} is verified`)
  if (tls === 'verify-ca') {
    return ok('tls', 'the authority of the certificate is verified, and not its name')
  }
  return ok('tls', `none: ${place} is on this machine`)
}

function checkClock(ports: OpenPorts): Finding {
  const lead = clockLead(ports)
  const detail = lead ? `${lead.ms} ms off the database's, give or take ${lead.errorMs} ms` : ''
  if (!lead?.isOff) return ok('clock', detail)
  const next = 'set both clocks by NTP: a server more than 250 ms off is not ready'
  return failed('clock', detail, next)
}

function checkStandby({ standbys, commit }: Examination): Finding {
  if (standbys !== '' && commit !== 'off' && commit !== 'local') {
    return ok('standby', `commits wait for ${standbys} (synchronous_commit ${commit})`)
  }
  const detail =
    standbys === ''
      ? 'no standby confirms commits: with the primary the latest of them may be lost'
      : `commits wait for no standby (synchronous_commit ${commit})`
  return warning(
    'standby',
    detail,
    'set synchronous_standby_names, unless a provider does the same',
  )
}

function checkPooler({ pooling, directPooling }: Examination): Finding[] {
  if (directPooling !== null && directPooling !== 'none') {
    const detail = 'OTPMINT_DATABASE_DIRECT_URL leads through a pooler, which drops wake-ups'
    return [failed('pooler', detail, 'let it lead to PostgreSQL itself')]
  }
  if (pooling === 'none') return [ok('pooler', 'none')]
  if (directPooling === null) {
    const detail = `in ${pooling} mode, and wake-ups do not come through it: messages wait a second`
    return [warning('pooler', detail, 'set OTPMINT_DATABASE_DIRECT_URL')]
  }
  return [ok('pooler', `in ${pooling} mode; wake-ups go past it`)]
}
