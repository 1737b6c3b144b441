import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SQL } from 'bun'
import type { Environment } from './executable.ts'

/** The names of variables that test/postgres/stories.ts gives to the stories. */
export const storyVariables = {
  admin: 'STORIES_POSTGRES',
  pooler: 'STORIES_PGBOUNCER',
  log: 'STORIES_POSTGRES_LOG',
} as const

const adminUrl = process.env[storyVariables.admin]
const poolerPort = process.env[storyVariables.pooler]

/** Whether the stories run over PostgreSQL, by way of PgBouncer. */
export const isOverPostgres = adminUrl !== undefined

const databases = new Map<string, Promise<Environment>>()
let admin: SQL | null = null

/**
 * The environment of a server or a command: what has a data directory has a database of its own
 * in its place, with the keys that a first start over SQLite would make.
 */
export async function withStoryStore(env: Environment): Promise<Environment> {
  const dataDir = env['OTPMINT_DATA_DIR']
  if (!isOverPostgres || dataDir === undefined || env['OTPMINT_DATABASE_URL']) return env
  const made = databases.get(dataDir) ?? makeDatabase(dataDir)
  databases.set(dataDir, made)
  return { ...(await made), ...env }
}

async function makeDatabase(dataDir: string): Promise<Environment> {
  admin ??= new SQL({ url: adminUrl ?? '', max: 1 })
  const name = `story_${databases.size + 1}`
  await admin.unsafe(`create database ${name} owner otpmint_migrate
    template template_otpmint strategy file_copy`)
  const { host, port } = new URL(adminUrl ?? '')
  const direct = `postgres://otpmint@${host}/${name}`
  const token = `admin-token-of-${name}-${Buffer.from(random(16)).toString('hex')}`
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  writeFileSync(join(dataDir, 'admin.token'), `${token}\n`, { mode: 0o600 })
  return {
    OTPMINT_DATABASE_URL: direct.replace(`:${port}/`, `:${poolerPort}/`),
    OTPMINT_DATABASE_DIRECT_URL: direct,
    OTPMINT_MASTER_KEY: Buffer.from(random(32)).toString('base64'),
    OTPMINT_ADMIN_TOKEN: token,
  }
}

const random = (count: number) => crypto.getRandomValues(new Uint8Array(count))

/** Everything that the database of a data directory holds, as text. */
export async function dumpOf(dataDir: string): Promise<string> {
  const { OTPMINT_DATABASE_DIRECT_URL: url } = (await databases.get(dataDir)) ?? {}
  const dump = Bun.spawnSync([
    'pg_dump',
    '--data-only',
    url?.replace('//otpmint@', '//postgres@') ?? '',
  ])
  if (!dump.success) throw new Error(`${dump.stderr}`)
  return dump.stdout.toString()
}

/** The master key that the servers of a data directory have. */
export async function masterKeyOf(dataDir: string): Promise<string> {
  return (await databases.get(dataDir))?.['OTPMINT_MASTER_KEY'] ?? ''
}

/** What the database server has logged so far, of all stories. */
export function postgresLog(): string {
  return readFileSync(process.env[storyVariables.log] ?? '', 'utf8')
}
