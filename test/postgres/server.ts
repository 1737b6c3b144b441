import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SQL } from 'bun'
import { migrate } from '../../src/store/postgres/migrate.ts'
import { freePort } from '../support/port.ts'

const bin = '/usr/lib/postgresql/15/bin'

/** A PostgreSQL server of its own on loopback. */
export type PostgresServer = {
  port: number
  /** The superuser's URL of a database. */
  url(database: string): string
  /** Creates a migrated, empty database; returns its URL. */
  create(): Promise<string>
  stop(): void
}

/** Starts Debian's PostgreSQL in a new folder, without fsync unless it is asked for. */
export async function startPostgres({ fsync = false } = {}): Promise<PostgresServer> {
  const folder = mkdtempSync(join(tmpdir(), 'otpmint-postgres-'))
  const data = join(folder, 'data')
  mkdirSync(data, { mode: 0o700 })
  run(['chown', '-R', 'postgres', folder])
  asPostgres([`${bin}/initdb`, '-D', data, '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '-N'])
  const port = await freePort()
  const settings = {
    port,
    fsync: fsync ? 'on' : 'off',
    max_connections: 300,
    listen_addresses: '127.0.0.1',
  }
  const options = Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${value}`)
    .join(' ')
  const log = join(folder, 'log')
  asPostgres([
    `${bin}/pg_ctl`,
    '-D',
    data,
    '-o',
    `${options} -k ${folder}`,
    '-l',
    log,
    '-w',
    'start',
  ])

  const url = (database: string) => `postgres://postgres@127.0.0.1:${port}/${database}`
  const admin = new SQL({ url: url('postgres'), max: 1 })
  await admin.unsafe('create database template_otpmint')
  const template = new SQL({ url: url('template_otpmint'), max: 1 })
  await migrate(template)
  await template.close()
  let count = 0
  return {
    port,
    url,
    async create() {
      const name = `test_${++count}`
      await admin.unsafe(`create database ${name} template template_otpmint`)
      return url(name)
    },
    stop() {
      asPostgres([`${bin}/pg_ctl`, '-D', data, '-m', 'immediate', 'stop'])
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export const isInstalled = existsSync(`${bin}/postgres`)

/** PostgreSQL refuses to run as root. */
function asPostgres(command: string[]): void {
  const isRoot = process.getuid?.() === 0
  run(
    isRoot
      ? ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups', ...command]
      : command,
  )
}

function run(command: string[]): void {
  const { exitCode, stderr, stdout } = Bun.spawnSync(command, { stdout: 'pipe', stderr: 'pipe' })
  if (exitCode !== 0) throw new Error(`${command.join(' ')}: ${stdout}${stderr}`)
}
