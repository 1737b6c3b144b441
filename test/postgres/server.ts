import { existsSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SQL } from 'bun'
import { migrate } from '../../src/store/postgres/migrate.ts'
import { freePort } from '../support/port.ts'
import type { Certificate } from '../support/smtp.ts'
import { answering, bin, type Program, type Programs, programs } from './programs.ts'

/** The superuser, the role that owns the tables, and the one of the service. */
export const roles = ['postgres', 'otpmint_migrate', 'otpmint'] as const
export type Role = (typeof roles)[number]

/** A PostgreSQL server of its own on loopback. */
export type PostgresServer = {
  port: number
  folder: string
  /** The URL of a database, for the superuser unless another role is named. */
  url(database: string, role?: Role): string
  /**
   * Creates a migrated, empty database; returns its URL, for the service unless another role is
   * named. Those long before it are dropped.
   */
  create(role?: Role): Promise<string>
  /** Creates an empty database that the migration role may define tables in; returns its name. */
  createEmpty(): Promise<string>
  /** A connection of the superuser to the database `postgres`. */
  admin: SQL
  /** The first process of the server. */
  postmaster(): Program
  /** Leaves so much room on a disk of its own, until the answered function is called. */
  fillDisk(leftKb?: number): () => void
  /** Fills the disk of its write-ahead log, until the answered function is called. */
  fillWalDisk(): () => void
  /** Starts the server again after it has ended. */
  restart(): Promise<void>
  stop(): Promise<void>
}

export type PostgresOptions = {
  /** Without it a commit is on disk some time after its answer, which is faster. */
  fsync?: boolean
  /** More settings of postgresql.conf. */
  settings?: Record<string, string | number>
  /** Answers with TLS too. */
  tls?: Certificate
  /** Gives the data directory a disk of its own, of that size in MB. */
  diskMb?: number
  /** Gives its write-ahead log a disk of its own, of that size in MB, with segments of 1 MB. */
  walDiskMb?: number
}

/** More than tests of one file use at once. */
const keptMax = 20

/** Starts Debian's PostgreSQL in a new folder. */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const all = programs('postgres', options.fsync ? tmpdir() : fastFolder())
  const { folder, run } = all
  const data = join(folder, 'data')
  const segments = options.walDiskMb ? ['--wal-segsize=1'] : []
  run([
    ...[`${bin}/initdb`, '-D', data, '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '-N'],
    ...segments,
  ])
  if (options.tls) {
    all.copy(options.tls.keyFile, 'key.pem')
    all.copy(options.tls.certFile, 'cert.pem')
  }
  const port = freePort()
  const settings = settingsOf(options, { port, folder })
  const url = (database: string, role: Role = 'postgres') =>
    `postgres://${role}@127.0.0.1:${port}/${database}`

  const disks = await smallDisks(all, options)
  let postmaster: Program
  const boot = async () => {
    const through = disks ? disks.through : []
    postmaster = all.start('postgres', [...through, `${bin}/postgres`, '-D', data, ...settings])
    await answering(postmaster, () => canConnect(url('postgres')))
  }
  await boot()
  const admin = new SQL({ url: url('postgres'), max: 1 })
  const databases = await createDatabases(admin, url)
  return {
    ...{ port, folder, url, admin },
    ...databases,
    postmaster: () => postmaster,
    restart: boot,
    fillDisk: (leftKb = 0) => fill(all, `${disks?.root}${data}`, leftKb),
    fillWalDisk: () => fill(all, `${disks?.root}${data}/pg_wal`, 0),
    async stop() {
      postmaster.signal('SIGQUIT')
      await Promise.all([admin.close({ timeout: 0 }), postmaster.exited])
      await all.stop()
    },
  }
}

type Place = { port: number; folder: string }

function settingsOf({ fsync, settings, tls }: PostgresOptions, { port, folder }: Place): string[] {
  const all = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: folder,
    max_connections: 300,
    ...(!fsync && { fsync: 'off', full_page_writes: 'off' }),
    // Less to write for a new database.
    ...{ wal_level: 'minimal', max_wal_senders: 0 },
    ...(tls && {
      ssl: 'on',
      ssl_cert_file: join(folder, 'cert.pem'),
      ssl_key_file: join(folder, 'key.pem'),
    }),
    // Its worker in a template would hold up the next database that is made from it.
    autovacuum: 'off',
    ...settings,
  }
  return Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])
}

/**
 * Makes small disks that are there for commands run `through` them only; no rights are needed. A process
 * keeps them while the server is down. `root` is where others find them.
 */
async function smallDisks(
  { folder, start }: Programs,
  { diskMb, walDiskMb }: PostgresOptions,
): Promise<{ root: string; through: string[] } | null> {
  const disk = (name: string, megabytes: number, place: string) => `
    mkdir ${name}; mount -t tmpfs -o size=${megabytes}m,mode=0700 tmpfs ${name}
    cp -a ${place}/. ${name}; mount --bind ${name} ${place}`
  if (!diskMb && !walDiskMb) return null
  const script = `cd ${folder}
    ${diskMb ? disk('disk', diskMb, 'data') : ''}
    ${walDiskMb ? disk('wal-disk', walDiskMb, 'data/pg_wal') : ''}
    echo mounted; exec sleep infinity`
  const keeper = start('disks', ['unshare', '--mount', '--map-root-user', 'sh', '-ec', script])
  await answering(keeper, () => keeper.output().includes('mounted'))
  const into = ['--preserve-credentials', '--user', '--mount', '--target', String(keeper.pid)]
  const through = ['nsenter', ...into, '--', 'unshare', '--user', '--map-user=1000', '--']
  return { root: `/proc/${keeper.pid}/root`, through }
}

/** Writes a file that leaves so much room on the disk of a folder; returns a function that removes it. */
function fill({ run }: Programs, folder: string, leftKb: number): () => void {
  const filler = `${folder}/filler`
  const full = `cat /dev/zero >${filler} 2>&-; test -s ${filler}`
  run(['sh', '-c', `${full} && truncate -s -${leftKb}K ${filler}`])
  return () => void run(['rm', filler])
}

/** A disk in memory where there is one with room. */
function fastFolder(): string {
  const memory = '/dev/shm'
  if (!existsSync(memory)) return tmpdir()
  const { bavail, bsize } = statfsSync(memory)
  return bavail * bsize > 2 ** 31 ? memory : tmpdir()
}

/** Makes the roles as docs/postgresql.md does. */
export async function createRoles(admin: SQL): Promise<void> {
  await admin.unsafe(`
    create role otpmint_migrate login;
    create role otpmint login;
    alter role otpmint set statement_timeout = '3s';
    alter role otpmint set lock_timeout = '2s';
    alter role otpmint set idle_in_transaction_session_timeout = '5s'`)
}

async function createDatabases(admin: SQL, url: PostgresServer['url']) {
  await createRoles(admin)
  await admin.unsafe('create database template_otpmint owner otpmint_migrate')
  const template = new SQL({ url: url('template_otpmint', 'otpmint_migrate'), max: 1 })
  await migrate(template, 'otpmint')
  await template.close()

  const names: string[] = []
  let count = 0
  const make = async (template: string) => {
    const name = `test_${++count}`
    await admin.unsafe(`create database ${name} owner otpmint_migrate
      template ${template} strategy file_copy`)
    names.push(name)
    const old = names.length > keptMax ? names.shift() : undefined
    if (old) await admin.unsafe(`drop database ${old} with (force)`)
    return name
  }
  // One is made ahead, while the test before runs.
  let next = make('template_otpmint')
  return {
    async create(role: Role = 'otpmint') {
      const name = await next.catch(() => make('template_otpmint'))
      next = make('template_otpmint')
      next.catch(() => {})
      return url(name, role)
    },
    createEmpty: () => make('template0'),
  }
}

export async function canConnect(url: string): Promise<boolean> {
  const sql = new SQL({ url, max: 1 })
  try {
    await sql.unsafe('select 1')
    return true
  } catch {
    return false
  } finally {
    await sql.close({ timeout: 0 })
  }
}
