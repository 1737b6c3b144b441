import type { SQL } from 'bun'
import { tables } from './tables.ts'

/** `turns` too, because who has a turn may drop partitions. */
export const guardedTables = [...tables.map(({ name }) => name), 'turns']

/** Lets this connection write to a guarded database, and takes its time for every statement. */
export async function enterGuarded(sql: SQL): Promise<void> {
  await sql.unsafe(`
    set otpmint.move = 'on';
    set statement_timeout = 0;
    set idle_in_transaction_session_timeout = 0;
    set lock_timeout = '10s';
    set bytea_output = 'hex'`)
}

/** Lets no other connection write: one that tries is told that the database is read-only. */
export async function guard(sql: SQL): Promise<void> {
  await sql.unsafe(`
    create or replace function move_guard() returns trigger language plpgsql as $$
    begin
      if current_setting('otpmint.move', true) = 'on' then return null; end if;
      raise exception 'this database is being moved' using errcode = '25006';
    end $$`)
  for (const name of guardedTables) {
    await sql.unsafe(`
      create or replace trigger move_guard before insert or update or delete or truncate on ${name}
      for each statement execute function move_guard()`)
  }
}

export async function unguard(sql: SQL): Promise<void> {
  for (const name of guardedTables) await sql.unsafe(`drop trigger if exists move_guard on ${name}`)
  await sql.unsafe('drop function if exists move_guard')
}

/** Waits for running writes; gives leases back, and then refuses every write. */
export async function freezePostgres(sql: SQL): Promise<void> {
  await sql.unsafe(`lock table ${guardedTables.join(', ')} in share row exclusive mode`)
  await sql.unsafe(`
    update deliveries set leased_by = '', due_at = try_at
    where due_at is not null and leased_by <> ''`)
  await sql.unsafe(`update webhooks set leased_by = '', leased_until = 0 where leased_by <> ''`)
  await guard(sql)
}
