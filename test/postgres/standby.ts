import { join } from 'node:path'
import { eventually } from '../support/executable.ts'
import { freePort } from '../support/port.ts'
import { answering, bin, type Program, programs } from './programs.ts'
import { canConnect, type PostgresServer, type Role } from './server.ts'

/** Settings of a primary that a standby can follow. */
export const withStandby = { wal_level: 'replica', max_wal_senders: 5, hot_standby: 'on' }

export type Standby = {
  port: number
  url(database: string, role?: Role): string
  program: Program
  /** Waits until it has what the primary has now. */
  catchUp(): Promise<void>
  /** Makes it a primary. */
  promote(): void
  stop(): Promise<void>
}

/** Starts a server that follows another one, under the name `standby`, with more settings of its own. */
export async function startStandby(
  primary: PostgresServer,
  more: Record<string, string | number> = {},
): Promise<Standby> {
  const all = programs('standby')
  const data = join(all.folder, 'data')
  const source = `host=127.0.0.1 port=${primary.port} user=postgres application_name=standby`
  all.run([`${bin}/pg_basebackup`, '-d', source, '-D', data, '-R', '-c', 'fast', '-N'])
  const port = freePort()
  const settings = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: all.folder,
    max_connections: 300,
    fsync: 'off',
    ...withStandby,
    ...more,
  }
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const program = all.start('postgres', [`${bin}/postgres`, '-D', data, ...flags])
  const url = (database: string, role: Role = 'postgres') =>
    `postgres://${role}@127.0.0.1:${port}/${database}`
  await answering(program, () => canConnect(url('postgres')))
  return {
    ...{ port, url, program },
    async catchUp() {
      // The insert position would be past a header that nothing follows yet, after a new segment.
      const [now] = await primary.admin.unsafe('select pg_current_wal_flush_lsn()::text as place')
      const has = `select replay_lsn >= '${now.place}'::pg_lsn as has from pg_stat_replication`
      await eventually(async () => (await primary.admin.unsafe(has))[0]?.has === true)
    },
    promote: () => void all.run([`${bin}/pg_ctl`, '-D', data, '-w', 'promote']),
    async stop() {
      program.signalTree('SIGCONT')
      program.signal('SIGQUIT')
      await program.exited
      await all.stop()
    },
  }
}
