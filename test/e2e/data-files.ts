import { Database } from 'bun:sqlite'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The files that contain secrets by design. */
const keyFiles = /^(master\.key|admin\.token)/
const sockets = /\.sock$/

/** The files of a data directory that may contain no secret. */
export function filesOf(dataDir: string): [name: string, content: Uint8Array][] {
  const names = readdirSync(dataDir).filter((name) => {
    return !keyFiles.test(name) && !sockets.test(name)
  })
  return names.map((name) => [name, readFileSync(join(dataDir, name))])
}

/** What SQLite finds wrong with a database: `['ok']` for a sound one. */
export function faultsOf(path: string): string[] {
  const database = new Database(path)
  const rows = database.query<{ integrity_check: string }, []>('pragma integrity_check').all()
  database.close()
  return rows.map(({ integrity_check: fault }) => fault)
}
