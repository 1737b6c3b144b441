import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { eventually, finished } from '../support/executable.ts'
import { goProgram } from '../support/go-program.ts'
import { succeeded } from '../support/tool-cache.ts'

const version = 'v0.5.18'

export const buildLitestream = () =>
  goProgram('github.com/benbjohnson/litestream/cmd/litestream', version)

/** Where copies go, as in the settings of Litestream, and the environment with its keys. */
export type Storage = { replica: Record<string, unknown>; keys: Record<string, string> }

export type Litestream = {
  log(): string
  /** SIGKILL: what was not uploaded is lost. */
  kill(): Promise<void>
  stop(): Promise<void>
}

type Settings = { dbs: { path: string; replica: Record<string, unknown> }[] }

/** A file of settings: those of deploy/, with this database and this storage. */
export function settingsOf(file: string, database: string, { replica }: Storage): string {
  const text = readFileSync(join(import.meta.dir, '../../deploy/litestream.yml'), 'utf8')
  const settings = Bun.YAML.parse(text) as Settings
  const [copied] = settings.dbs
  if (!copied) throw new Error('deploy/litestream.yml has no database')
  const { 'sync-interval': every } = copied.replica
  const s3 = replica['type'] === 's3' ? copied.replica : {}
  const dbs = [
    { ...copied, path: database, replica: { ...s3, 'sync-interval': every, ...replica } },
  ]
  // YAML has all of JSON.
  writeFileSync(file, JSON.stringify({ ...settings, dbs }))
  return file
}

const living = new Set<Bun.Subprocess>()

/** Kills those that tests have left. */
export async function killReplicas(): Promise<void> {
  for (const child of living) child.kill('SIGKILL')
  await Promise.all([...living].map(({ exited }) => exited))
}

/** Starts to copy, and resolves when Litestream has begun. */
export async function replicate(settings: string, { keys }: Storage): Promise<Litestream> {
  const program = await buildLitestream()
  const child = Bun.spawn([program, 'replicate', '-config', settings, '-log-level', 'debug'], {
    env: { PATH: process.env['PATH'] ?? '', ...keys },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  living.add(child)
  void child.exited.then(() => living.delete(child))
  let said = ''
  const read = async (stream: ReadableStream<Uint8Array>) => {
    for await (const chunk of stream) said += Buffer.from(chunk).toString()
  }
  const all = Promise.all([read(child.stdout), read(child.stderr)])
  const end = async (signal: 'SIGKILL' | 'SIGTERM') => {
    child.kill(signal)
    await child.exited
    await all
  }
  await eventually(() => said.includes('initialized db') || child.exitCode !== null)
  return { log: () => said, kill: () => end('SIGKILL'), stop: () => end('SIGTERM') }
}

/** Restores the copy of the database into a file. */
export async function restore(settings: string, database: string, file: string, { keys }: Storage) {
  const command = [await buildLitestream(), 'restore', '-config', settings, '-o', file, database]
  succeeded(command, await finished(command, { PATH: process.env['PATH'] ?? '', ...keys }))
}
