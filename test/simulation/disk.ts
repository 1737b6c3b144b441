import { Database } from 'bun:sqlite'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * What can be wrong with a disk. `locked`: another process holds the write lock. `full`: the file
 * cannot grow. `failing`: a commit fails. `doubtful`: a commit fails, but its changes are there.
 */
export const diskFaults = ['locked', 'full', 'failing', 'doubtful'] as const
export type DiskFault = (typeof diskFaults)[number]

export type Disk = {
  /** The path of the current database file. */
  path(): string
  /** Copies what the process has written to a new file, which is current from then on. */
  crash(): void
  /** Begins a fault, which holds until `heal`. */
  fail(fault: DiskFault): void
  heal(): void
  /** Deletes all files; the databases have been closed before. */
  remove(): void
}

/** Creates a database file in memory with SQLite's own faults. One at a time in a process. */
export function createDisk(): Disk {
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'otpmint-sim-'))
  let generation = 0
  let fault: DiskFault | null = null
  let connection: Database | null = null
  let locker: Database | null = null
  mkdirSync(folder, { recursive: true })
  const pathOf = (number: number) => join(folder, `${number}.db`)
  const path = () => pathOf(generation)

  /** Every commit of the store goes through here. */
  const commit = (database: Database, run: () => unknown): unknown => {
    const isHere = database.filename === path()
    if (isHere && fault === 'failing') throw ioError()
    const changes = run()
    if (isHere && fault === 'doubtful') throw ioError()
    return changes
  }
  const restore = watchCommits((database) => {
    if (database.filename.startsWith(folder)) connection = database
  }, commit)

  const heal = () => {
    if (fault === 'full') connection?.run(`pragma max_page_count = ${pagesMax}`)
    if (locker) {
      locker.run('rollback')
      locker.close()
      locker = null
    }
    fault = null
  }
  return {
    path,
    crash() {
      heal()
      const [from, to] = [path(), pathOf(++generation)]
      for (const ending of ['', '-wal']) {
        if (existsSync(from + ending)) copyFileSync(from + ending, to + ending)
      }
    },
    fail(next) {
      heal()
      fault = next
      // SQLite takes the present number of pages where the limit is lower.
      if (next === 'full') connection?.run('pragma max_page_count = 1')
      if (next === 'locked') {
        locker = new Database(path())
        locker.run('begin immediate')
      }
    },
    heal,
    remove() {
      restore()
      rmSync(folder, { recursive: true })
    },
  }
}

const pagesMax = 4_294_967_294

/** An error as bun:sqlite throws it. */
function ioError(): Error {
  const error = new Error('disk I/O error')
  return Object.assign(error, { name: 'SQLiteError', errno: 10, code: 'SQLITE_IOERR' })
}

/** Passes every prepared `commit` to this function, until the returned function is called. */
function watchCommits(
  opened: (database: Database) => void,
  commit: (database: Database, run: () => unknown) => unknown,
): () => void {
  const { prepare } = Database.prototype
  Database.prototype.prepare = function (this: Database, sql: string, ...rest: never[]) {
    const statement = prepare.call(this, sql, ...rest)
    if (sql === 'commit') {
      const run = statement.run.bind(statement)
      opened(this)
      Object.assign(statement, { run: () => commit(this, run) })
    }
    return statement
  } as typeof prepare
  return () => {
    Database.prototype.prepare = prepare
  }
}
