import { connectError, type Target, type TlsMode } from './connect.ts'
import { withClient } from './judge.ts'
import { type Pooling, poolingOf } from './pooler.ts'

/** What `doctor` says something about. */
export type Examination = Facts & {
  place: string
  role: string
  database: string
  tls: TlsMode
  pooling: Pooling
  /** Of the URL for wake-ups; null without one. */
  directPooling: Pooling | null
}

type Facts = {
  version: string
  /** In ms; 0 is none. */
  statementTimeout: number
  lockTimeout: number
  idleTimeout: number
  /** The standbys of which one must confirm a commit; empty for none. */
  standbys: string
  commit: string
}

export async function examine(service: Target, direct: Target | null): Promise<Examination> {
  const [facts] = await withClient(service, (sql) => sql.unsafe(question))
  const { place, role, database, tls } = service
  const about = { place, role, database, tls, ...(facts as Facts) }
  const directPooling = direct && (await pooling(direct))
  return { ...about, pooling: await pooling(service), directPooling }
}

async function pooling(target: Target): Promise<Pooling> {
  try {
    return await poolingOf(target)
  } catch (error) {
    throw connectError(target, error) ?? error
  }
}

const timeout = (name: string) =>
  `(select setting::int from pg_settings where name = '${name}_timeout')`

const question = `
  select current_setting('server_version') as version,
    ${timeout('statement')} as "statementTimeout",
    ${timeout('lock')} as "lockTimeout",
    ${timeout('idle_in_transaction_session')} as "idleTimeout",
    current_setting('synchronous_standby_names') as standbys,
    current_setting('synchronous_commit') as commit`
