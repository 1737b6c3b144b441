import { Database } from 'bun:sqlite'
import { join } from 'node:path'

/** Copies the latest verification of a data directory, under ids before it. */
export function multiplyVerification(dataDir: string, count: number): void {
  const database = new Database(join(dataDir, 'otpmint.db'))
  database.run('pragma busy_timeout = 10000')
  const names = database
    .query<{ name: string }, []>("select name from pragma_table_info('verifications')")
    .all()
    .map(({ name }) => name)
    .filter((name) => name !== 'id')
    .join(', ')
  database.run(`
    insert into verifications (id, ${names})
    with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < ${count})
    select printf('0A%s%018d', substr(app_id, 1, 10), n), ${names}
    from numbers, (select * from verifications order by id desc limit 1)`)
  database.close()
}
