import { Database } from 'bun:sqlite'
import { join } from 'node:path'

/**
 * Makes a database look as after six days of work: verifications that were mailed and approved
 * long ago, their deliveries and events, and one wrong code for every ten. Written as SQL, from
 * the one verification that is there, because a million starts would take minutes.
 */
export function fill(directory: string, count: number): void {
  const database = new Database(join(directory, 'otpmint.db'), { strict: true })
  database.run('pragma journal_mode = wal')
  database.run('pragma synchronous = off')
  database.run('pragma cache_size = -1000000')
  database.transaction(() => {
    database.run('create temp table numbers (n integer primary key, id text)')
    const numbers = database.prepare(`
      insert into numbers
      with recursive counted (n) as (select 1 union all select n + 1 from counted where n < ?1)
      select n, hex(randomblob(11)) from counted`)
    numbers.run(count)
    const first = 'select * from verifications order by seq limit 1'
    for (const sql of statements(first)) database.prepare(sql).run({ count })
    database.run('drop table numbers')
  })()
  database.run('pragma wal_checkpoint(truncate)')
  database.close()
}

const sixDaysMs = 6 * 86_400_000

function statements(first: string): string[] {
  const age = `created_at - ${sixDaysMs} + cast(n * (${sixDaysMs}.0 / $count) as integer)`
  return [
    `insert into verifications (id, app_id, mode, recipient_index, recipient_masked, budget_key,
       channel, purpose, status, code_key_id, code_format, code_length, code_generation, reference,
       attempts_spent, attempts_max, resends_max, created_at, expires_at, resend_at, delivery_id,
       delivery_status, delivery_detail)
     select numbers.id, app_id, mode, randomblob(16), recipient_masked, randomblob(16),
       channel, purpose, 'approved', code_key_id, code_format, code_length, code_generation,
       reference, 1, attempts_max, resends_max, ${age}, ${age} + 600000, ${age} + 30000,
       printf('0%021d', n), 'sent', '250 2.0.0 Ok'
     from (${first}), numbers where $count > 0 order by n`,
    `insert into deliveries (id, app_id, verification_id, channel, status, detail, tries,
       created_at, expires_at)
     select delivery_id, app_id, id, channel, 'sent', delivery_detail, 1, created_at, expires_at
     from verifications where status = 'approved' and $count > 0 order by delivery_id`,
    ...['delivery.sent', 'verification.approved'].map(
      (type) => `insert into events (at, app_id, type, verification_id, data)
       select created_at, app_id, '${type}', id, '{"attempts_spent":1}'
       from verifications where status = 'approved' and $count > 0 order by seq`,
    ),
    `insert into guess_failures (budget_key, hour, failures)
     select budget_key, created_at / 3600000, 1
     from verifications where status = 'approved' and seq % 10 = 0 and $count > 0`,
  ]
}
