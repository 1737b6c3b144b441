import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../support/port.ts'
import { answering, type Program, programs } from './programs.ts'
import { canConnect, roles } from './server.ts'

export type PgBouncer = {
  port: number
  /** A URL of the server behind it, by way of it. */
  through(url: string): string
  program: Program
  stop(): Promise<void>
}

export type PgBouncerOptions = {
  /** A free one unless it is given. */
  port?: number
  poolMode?: 'transaction' | 'session'
  /** Connections to the server for each database and role. */
  poolSize?: number
  /** More settings of pgbouncer.ini. */
  settings?: Record<string, string | number>
}

/** Starts Debian's PgBouncer before a server on loopback; any role and any database of it. */
export async function startPgBouncer(
  server: number,
  options: PgBouncerOptions = {},
): Promise<PgBouncer> {
  const { poolMode = 'transaction', poolSize = 20 } = options
  const all = programs('pgbouncer')
  const { port = freePort() } = options
  const file = (name: string) => join(all.folder, name)
  writeFileSync(file('users'), roles.map((role) => `"${role}" ""\n`).join(''))
  const settings = {
    listen_addr: '127.0.0.1',
    listen_port: port,
    unix_socket_dir: '',
    auth_type: 'trust',
    auth_file: file('users'),
    pool_mode: poolMode,
    default_pool_size: poolSize,
    max_client_conn: 1000,
    // By default it waits for 15 s before it tries a server again that was away.
    server_login_retry: 1,
    ...options.settings,
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}\n`)
  const databases = `[databases]\n* = host=127.0.0.1 port=${server}\n`
  writeFileSync(file('pgbouncer.ini'), `${databases}[pgbouncer]\n${lines.join('')}`)
  const program = all.start('pgbouncer', ['/usr/sbin/pgbouncer', file('pgbouncer.ini')])
  await answering(program, () => canConnect(`postgres://postgres@127.0.0.1:${port}/postgres`))
  return {
    port,
    through(url) {
      const changed = new URL(url)
      changed.port = String(port)
      return changed.href
    },
    program,
    stop: all.stop,
  }
}
