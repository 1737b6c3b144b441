import { isConflict, toProblem, Unavailable } from './failure.ts'
import type { Lanes, Priority, Session } from './lanes.ts'
import type { Values } from './placeholders.ts'

/** Every method rejects with a problem when the database cannot be used. */
export type Database = {
  /** One statement that changes nothing. */
  read<Row>(text: string, values?: Values, priority?: Priority): Promise<Row[]>
  /** One statement in a transaction of its own. */
  write<Row>(text: string, values?: Values, priority?: Priority): Promise<Row[]>
  /** Like `write`; how many rows were changed. */
  run(text: string, values?: Values, priority?: Priority): Promise<number>
  /**
   * Several statements in one transaction (READ COMMITTED), which is run again once after a
   * deadlock. A body reads what it decides by with `for update`, in the order that
   * `migrations/001-start.sql` names.
   */
  transaction<Result>(
    body: (session: Session) => Promise<Result>,
    priority?: Priority,
  ): Promise<Result>
}

export function createDatabase(lanes: Lanes): Database {
  async function use<Result>(
    priority: Priority,
    work: (session: Session) => Promise<Result>,
  ): Promise<Result> {
    try {
      return await lanes.use(priority, work).catch((error: unknown) => {
        if (!isConflict(error)) throw error
        return lanes.use(priority, work)
      })
    } catch (error) {
      throw toProblem(error)
    }
  }

  return {
    read: (text, values, priority = 'start') =>
      use(priority, (session) => session.query(text, values)),
    write: (text, values, priority = 'background') =>
      use(priority, (session) => session.query(text, values)),
    run: (text, values, priority = 'background') =>
      use(priority, (session) => session.run(text, values)),
    transaction: (body, priority = 'background') =>
      use(priority, (session) => transact(session, body)),
  }
}

async function transact<Result>(
  session: Session,
  body: (session: Session) => Promise<Result>,
): Promise<Result> {
  await session.run('begin')
  let result: Result
  try {
    result = await body(session)
  } catch (error) {
    // A lane that is lost has no transaction any more.
    await session.run('rollback').catch(() => {})
    throw error
  }
  await session.run('commit')
  return result
}

/** The only row. */
export function only<Row>(rows: Row[]): Row {
  const [row] = rows
  if (row === undefined) throw new Unavailable('the database answered without a row')
  return row
}
