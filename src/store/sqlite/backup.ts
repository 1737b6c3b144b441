import { Database } from 'bun:sqlite'
import { closeSync, constants, fsyncSync, linkSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'

/**
 * Writes a consistent, compacted copy of the database with mode 0600. The copy is made in a new
 * folder beside the file, `file.part-` and six characters, and gets its name when all of it is on
 * disk. Fails when the file exists, also as a link.
 */
export function backUp(database: Database, file: string): void {
  const folder = mkdtempSync(`${file}.part-`)
  const part = join(folder, 'copy.db')
  const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDWR } = constants
  try {
    const descriptor = openSync(part, O_CREAT | O_EXCL | O_NOFOLLOW | O_RDWR, 0o600)
    try {
      database.query('vacuum into ?1').run(part)
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
    // Unlike a rename, a link replaces nothing.
    linkSync(part, file)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  syncDirectory(dirname(file))
}

/** `backUp` of a database that another connection has open. */
export function copyDatabase(path: string, file: string): void {
  const database = new Database(path, { readonly: true, strict: true })
  try {
    database.run('pragma trusted_schema = off')
    backUp(database, file)
  } finally {
    database.close(true)
  }
}

/** A new name is durable once its directory is. */
function syncDirectory(path: string): void {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
