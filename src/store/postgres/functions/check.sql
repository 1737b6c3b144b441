-- Judges checks of different verifications, and answers each by its number. `counter_shard` is the row in
-- which this process counts. Without one the caller writes events, answers and counts itself, in the
-- same transaction.
--
-- Outcomes: `judged`, `refused` (with the verification as it is, if there is one), `replayed` and
-- `key_reused` (by the stored answer to an Idempotency-Key); nothing was done for `app_changed`, because
-- the app has another stamp than the command names, and for `to_tell`, because an event would follow and
-- the app has webhooks, which only a caller without shard tells of it.
--
-- Plans are made once a connection, because planning over all partitions takes longer than a batch. Some
-- are made while tables are empty, and must be right when they are full. So seq scans are off, and
-- conditions are written so that one way is left: through the caller's rows, each to its own by an index.
-- That goes in the order of ids, so that calls never wait for one another in a circle.
create function check_many__v(commands jsonb, counter_shard bigint, country_slot_ms bigint)
returns table (
  number bigint, outcome text, kept_answer text, kept_at bigint, verification verifications)
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
#variable_conflict use_column
declare
  telling text[] := '{}';
  answered bigint[] := '{}';
  -- What is judged: the rows, and of each its number, its time and the types of its events.
  judged verifications[];
  numbers bigint[];
  times bigint[];
  right_types text[];
  last_types text[];
  approved_ids text[];
begin
  if counter_shard is not null then
    telling := array(
      select distinct app_id from webhooks
      where app_id = any (array(
        select one ->> 'appId' from jsonb_array_elements(commands) as one)));
  end if;

  for number in
    select command.number
    from jsonb_to_recordset(commands) as command (number bigint, "appId" text, "asOf" bigint)
    where "asOf" is not null
      and not exists (select from apps where apps.id = "appId" and stamp = "asOf" offset 0)
  loop
    answered := answered || number;
    outcome := 'app_changed';
    return next;
  end loop;

  if jsonb_path_exists(commands, '$[*].key') then
    -- All requests with a key are for one verification, whose row is the lock of the answer.
    perform from (
      select * from jsonb_to_recordset(commands) as one (id text, "appId" text, mode text)
      order by id collate "C") as command
    cross join lateral (
      select from verifications
      where id = command.id and app_id = "appId" and mode = command.mode for update) as locked;
    for number, outcome, kept_answer, kept_at in
      select command.number, case when is_same then 'replayed' else 'key_reused' end,
        case when is_same then answer end, case when is_same then kept_at end
      from jsonb_to_recordset(commands) as command
        (number bigint, key bytea, fingerprint bytea, since bigint)
      cross join lateral (
        select answer, kept_at, answers.fingerprint = command.fingerprint as is_same from answers
        where answers.key = command.key and kept_at > command.since offset 0) as stored
      where command.number <> all (answered)
    loop
      answered := answered || number;
      return next;
    end loop;
  end if;

  -- Spends an attempt and judges it, and clears what an approval has no more use for. No column that a
  -- wrong code changes is in an index.
  with
    command as materialized (
      select * from jsonb_to_recordset(commands) as one (
        number bigint, id text, "appId" text, mode text, format text, length bigint, digests jsonb,
        now bigint, approved text, exhausted text)
      where number <> all (answered) order by id collate "C"),
    charged as (
      update verifications
      set attempts_spent = attempts_spent + 1,
        check_at = now + (check_delays::jsonb ->> (attempts_spent + 1)::int)::bigint,
        checked_at = case when checked_at is null then now::text
          else checked_at || ',' || now end,
        status = case when is_right__v(code_digest, code_key_id, digests)
          then 'approved' else status end,
        code_digest = case when is_right__v(code_digest, code_key_id, digests)
          then null else code_digest end,
        recipient_sealed = case when is_right__v(code_digest, code_key_id, digests)
          then null else recipient_sealed end,
        variables_sealed = case when is_right__v(code_digest, code_key_id, digests)
          then null else variables_sealed end,
        fall_back_at = case when is_right__v(code_digest, code_key_id, digests)
          then null else fall_back_at end,
        delivery_status = case when delivery_status in ('queued', 'deferred')
          and is_right__v(code_digest, code_key_id, digests)
          then 'undeliverable' else delivery_status end
      from command
      -- The row of the command, for which an equality would do if it could not be joined from the other
      -- side; and a test for null, which is not that of the partial index.
      where verifications.id = any (array[command.id])
        and (app_id, verifications.mode, verifications.id) >= ("appId", command.mode, command.id)
        and (app_id, verifications.mode, verifications.id) <= ("appId", command.mode, command.id)
        and status = 'pending' and attempts_spent < attempts_max
        and (code_digest is null) is not true and expires_at > now
        and code_length = length and code_format = format and digests ->> code_key_id is not null
        -- The 10 s are `lateMs` of src/domain/ports.ts.
        and (check_at is null or check_at <= now
          or check_at > now + (check_delays::jsonb ->> attempts_spent::int)::bigint + 10000)
        and not (app_id = any (telling) and (attempts_spent + 1 >= attempts_max
          or is_right__v(code_digest, code_key_id, digests)))
      returning verifications as row, number, now, approved, exhausted)
  select array_agg(row), array_agg(number), array_agg(now), array_agg(approved),
    array_agg(exhausted)
  into judged, numbers, times, right_types, last_types from charged;

  if coalesce(cardinality(judged), 0) + cardinality(answered) < jsonb_array_length(commands) then
    -- A statement of its own: the one above may have waited for other checks of the same rows.
    return query
      select command.number,
        case when command."appId" = any (telling) then 'to_tell' else 'refused' end,
        null, null::bigint, stored.row
      from jsonb_to_recordset(commands) as command
        (number bigint, id text, "appId" text, mode text)
      left join lateral (
        select verifications as row from verifications
        where id = command.id and app_id = "appId" and mode = command.mode offset 0) as stored on true
      where command.number <> all (answered || coalesce(numbers, '{}'));
  end if;

  return query
    select numbers[place], 'judged', null, null::bigint, judged[place]
    from generate_subscripts(judged, 1) as place;

  approved_ids := array(select id from unnest(judged) where status = 'approved');
  if approved_ids <> '{}' then
    if exists (select from unnest(judged) where status = 'approved' and route is not null) then
      update verification_recipients set recipient_sealed = null
      where verification_id = any (approved_ids);
    end if;
    perform end_deliveries__v(approved_ids);
  end if;

  if counter_shard is not null and judged is not null then
    insert into events (at, app_id, type, verification_id, data)
    select times[place], app_id,
      case status when 'approved' then right_types[place] else last_types[place] end,
      id, json_build_object('attempts_spent', attempts_spent)
    from generate_subscripts(judged, 1) as place cross join lateral unnest(array[judged[place]])
    where status = 'approved' or attempts_spent >= attempts_max;

    perform count_approvals__v(array_agg(app_id), array_agg(phone_country),
      array_agg(phone_at / country_slot_ms))
    from unnest(judged) where status = 'approved' and phone_country is not null
    having count(*) > 0;
    insert into app_minutes (app_id, minute, shard, checks, failures, approvals)
    select (judged[place]).app_id, times[place] / 60000, counter_shard, count(*),
      count(*) filter (where (judged[place]).status <> 'approved'),
      count(*) filter (where (judged[place]).status = 'approved')
    from generate_subscripts(judged, 1) as place
    group by 1, 2 order by 1, 2
    on conflict (app_id, minute, shard) do update set
      checks = app_minutes.checks + excluded.checks,
      failures = app_minutes.failures + excluded.failures,
      approvals = app_minutes.approvals + excluded.approvals;
  end if;
end
$$;

create function is_right__v(code_digest bytea, code_key_id text, digests jsonb) returns boolean
language sql immutable as $$
  select code_digest = decode(digests ->> code_key_id, 'hex')
$$;

-- Ends the deliveries of verifications that have ended, which the caller has locked: then none is added.
create function end_deliveries__v(ended_ids text[]) returns void language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
declare
  due_ids text[];
begin
  due_ids := array(
    select id from deliveries
    where verification_id = any (ended_ids) and (due_at is null) is not true);
  if due_ids <> '{}' then
    update deliveries set status = 'undeliverable', due_at = null, leased_by = ''
    from (select id from unnest(due_ids) as due (id) order by id) as due
    where deliveries.id = any (array[due.id]) and (due_at is null) is not true;
  end if;
end
$$;

-- Counts approvals, each for the country and the time of its first hand-over to a telephone number.
create function count_approvals__v(apps text[], countries text[], slots bigint[])
returns void language plpgsql as $$
declare
  one record;
begin
  for one in
    select app_id, country, slot, count(*) as approvals
    from unnest(apps, countries, slots) as handed (app_id, country, slot)
    group by 1, 2, 3 order by app_id collate "C", country collate "C", slot
  loop
    update app_countries set approved = approved + one.approvals
    where app_id = one.app_id and country = one.country and slot = one.slot;
  end loop;
end
$$;
