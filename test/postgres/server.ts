import { existsSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SQL } from 'bun'
import { migrate } from '../../src/store/postgres/migrate.ts'
import { freePort } from '../support/port.ts'
import type { Certificate } from '../support/smtp.ts'
import { answering, bin, type Program, programs } from './programs.ts'

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
  /** Gives the data directory a disk of its own, of that size in MB, which exists once only. */
  diskMb?: number
}

/** More than tests of one file use at once. */
const keptMax = 20

/** Starts Debian's PostgreSQL in a new folder. */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const all = programs('postgres', options.fsync ? tmpdir() : fastFolder())
  const { folder, run } = all
  const data = join(folder, 'data')
  run([`${bin}/initdb`, '-D', data, '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '-N'])
  if (options.tls) {
    all.copy(options.tls.keyFile, 'key.pem')
    all.copy(options.tls.certFile, 'cert.pem')
  }
  const port = freePort()
  const settings = settingsOf(options, { port, folder })
  const url = (database: string, role: Role = 'postgres') =>
    `postgres://${role}@127.0.0.1:${port}/${database}`

  let postmaster: Program
  const boot = async () => {
    const through = options.diskMb ? smallDisk(folder, options.diskMb) : []
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
    fillDisk(leftKb = 0) {
      // The disk exists in the mount namespace of the server only.
      const filler = `/proc/${postmaster.pid}/root${data}/filler`
      const full = `cat /dev/zero >${filler} 2>&-; test -s ${filler}`
      run(['sh', '-c', `${full} && truncate -s -${leftKb}K ${filler}`])
      return () => void run(['rm', filler])
    },
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

/** A command that runs another one with a small disk as `folder/data`; no rights are needed. */
function smallDisk(folder: string, megabytes: number): string[] {
  const script = `cd ${folder} && mkdir disk
    mount -t tmpfs -o size=${megabytes}m,mode=0700 tmpfs disk && cp -a data/. disk
    mount --bind disk data && cd / && exec unshare --user --map-user=1000 -- "$@"`
  return ['unshare', '--mount', '--map-root-user', 'sh', '-ec', script, 'sh']
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
