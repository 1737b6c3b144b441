-- Verifications, deliveries and what belongs to them are kept in a partition for each day (UTC) of the
-- time that their ids begin with. These functions belong to the role of the migrations, so that the role
-- of the service defines no table.

-- What the ids of a time begin with: epoch ms in eight digits of base62, as in src/domain/id.ts.
create function time_id__v(at bigint) returns text language plpgsql immutable as $$
declare
  digits constant text := '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
  id text := '';
  rest bigint := at;
begin
  for i in 1 .. 8 loop
    id := substr(digits, (rest % 62)::int + 1, 1) || id;
    rest := rest / 62;
  end loop;
  return id;
end
$$;

-- The name of a partition. Only of these tables, so that no caller names another.
create function partition_name__v(parent text, day bigint) returns text
language plpgsql immutable as $$
begin
  if parent not in ('verifications', 'verification_recipients', 'deliveries', 'delivery_tries') then
    raise exception 'no table with partitions: %', parent;
  end if;
  return parent || '_' || to_char(date '1970-01-01' + day::int, 'YYYYMMDD');
end
$$;

-- Makes the partition of a day (counted from 1970 on), if it is not there. Rows of that day that are in
-- the default partition, for example of a clock that was wrong, are moved to it; with more than
-- moved_max of them the day stays there, because nobody reads or writes them meanwhile. 'there', 'made'
-- or 'left'.
create function make_partition__v(parent text, day bigint, moved_max bigint) returns text
language plpgsql security definer set lock_timeout = '2s' as $$
declare
  made constant text := partition_name__v(parent, day);
  rest constant text := parent || '_default';
  from_id constant text := time_id__v(day * 86400000);
  to_id constant text := time_id__v((day + 1) * 86400000);
  id_column text := 'id';
  of_day text;
  found bigint;
begin
  -- Nodes make them one after another. What was cached of the catalog before the wait does not count.
  perform pg_advisory_xact_lock(7046118532);
  if exists (select from pg_class
    where relname = made and relnamespace = current_schema()::regnamespace) then
    return 'there';
  end if;
  if parent = 'verification_recipients' then
    id_column := 'verification_id';
  elsif parent = 'delivery_tries' then
    id_column := 'delivery_id';
  end if;
  -- Everything that reads or writes the table waits behind this one.
  perform set_config('lock_timeout', '500ms', true);
  of_day := format('%I >= %L and %I < %L', id_column, from_id, id_column, to_id);
  execute format('lock table %I in access exclusive mode', rest);
  execute format('select count(*) from (select from %I where %s limit %s) as row',
    rest, of_day, moved_max + 1) into found;
  if found > moved_max then
    return 'left';
  end if;
  -- A table that is attached blocks less than one that is made as a partition.
  execute format('create table %I (like %I including all) %s', made, rest,
    (select 'with (' || array_to_string(reloptions, ', ') || ')' from pg_class
      where oid = to_regclass(quote_ident(rest))));
  if found > 0 then
    execute format('with moved as (delete from %I where %s returning *) insert into %I
      select * from moved', rest, of_day, made);
  end if;
  execute format('alter table %I attach partition %I for values from (%L) to (%L)',
    parent, made, from_id, to_id);
  return 'made';
end
$$;

-- Drops the partition of a day; about how many rows it had. Null, and nothing is dropped, while it has a
-- code that is not forgotten.
create function drop_partition__v(parent text, day bigint) returns bigint
language plpgsql security definer set lock_timeout = '2s' as $$
declare
  old constant text := partition_name__v(parent, day);
  is_needed boolean := false;
  found bigint;
begin
  perform pg_advisory_xact_lock(7046118532);
  select greatest(reltuples, 0) into found from pg_class
    where relname = old and relnamespace = current_schema()::regnamespace;
  if found is null then
    return 0;
  end if;
  -- Everything that reads or writes the table waits behind this one.
  perform set_config('lock_timeout', '200ms', true);
  execute format('lock table only %I in access exclusive mode', parent);
  if parent = 'verifications' then
    -- In order, so by an index.
    execute format('select exists (
      select from %I where code_digest is not null order by expires_at limit 1 offset 0)', old)
      into is_needed;
  end if;
  if is_needed then
    return null;
  end if;
  execute format('drop table %I', old);
  return found;
end
$$;

do $$ begin
  execute format('alter function make_partition__v(text, bigint, bigint)
    set search_path = %I, pg_temp', current_schema());
  execute format('alter function drop_partition__v(text, bigint) set search_path = %I, pg_temp',
    current_schema());
end $$;
