-- Judges checks of different verifications. `counter_shard` is the row in which this process counts.
-- Without one the caller writes events, answers and counts itself, in the same transaction.
--
-- Outcomes: `judged`, `refused` (with the verification as it is, if there is one), `replayed` and
-- `key_reused` (by the stored answer to an Idempotency-Key), and `to_tell`: nothing was done, because
-- an event would follow and the app has webhooks, which only a caller without shard tells of it.
--
-- The settings leave one plan for the statement that judges: through the commands in the order of their
-- ids, each to its row by an index. So all calls lock rows in one order. It is made once a connection,
-- because planning over all partitions takes longer than a batch.
create function check_many__v(commands jsonb, counter_shard bigint, country_slot_ms bigint)
returns table (
  checked_id text, outcome text, kept_answer text, kept_at bigint, verification verifications)
language plpgsql
set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
declare
  telling text[] := '{}';
  answered_ids text[] := '{}';
  -- What is judged: the rows, and of each its time and the types of its events.
  judged verifications[];
  times bigint[];
  right_types text[];
  last_types text[];
  approved_ids text[];
begin
  if counter_shard is not null then
    telling := array(
      select distinct app_id from webhooks
      where app_id in (select one ->> 'appId' from jsonb_array_elements(commands) as one));
  end if;

  if jsonb_path_exists(commands, '$[*].key') then
    -- All requests with a key are for one verification, whose row is the lock of the answer.
    perform from verifications
    where id = any (array(select one ->> 'id' from jsonb_array_elements(commands) as one))
    order by id for update;
    for checked_id, outcome, kept_answer, kept_at in
      select command.id, case when is_same then 'replayed' else 'key_reused' end,
        case when is_same then stored.answer end, case when is_same then stored.kept_at end
      from jsonb_to_recordset(commands) as command
        (id text, key bytea, fingerprint bytea, since bigint)
      join answers as stored on stored.key = command.key and stored.kept_at > command.since
      cross join lateral (select stored.fingerprint = command.fingerprint as is_same) as compared
    loop
      answered_ids := answered_ids || checked_id;
      return next;
    end loop;
  end if;

  -- Spends an attempt and judges it, and clears what an approval has no more use for. No column that a
  -- wrong code changes is in an index.
  with
    command as materialized (
      select * from jsonb_to_recordset(commands) as one (
        id text, "appId" text, mode text, format text, length bigint, digests jsonb, now bigint,
        approved text, exhausted text)
      where id <> all (answered_ids) order by id collate "C"),
    charged as (
      update verifications
      set attempts_spent = attempts_spent + 1,
        check_at = now + (check_delays::jsonb ->> (attempts_spent + 1)::int)::bigint,
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
      where verifications.id = command.id and app_id = "appId" and verifications.mode = command.mode
        and status = 'pending' and attempts_spent < attempts_max
        -- Written so that the partial index by expiry is no other plan.
        and (code_digest is null) is not true and expires_at > now
        and code_length = length and code_format = format and digests ->> code_key_id is not null
        -- The 10 s are `lateMs` of src/domain/ports.ts.
        and (check_at is null or check_at <= now
          or check_at > now + (check_delays::jsonb ->> attempts_spent::int)::bigint + 10000)
        and not (app_id = any (telling) and (attempts_spent + 1 >= attempts_max
          or is_right__v(code_digest, code_key_id, digests)))
      returning verifications as row, now, approved, exhausted)
  select array_agg(row), array_agg(now), array_agg(approved), array_agg(exhausted)
  into judged, times, right_types, last_types from charged;

  if coalesce(cardinality(judged), 0) + cardinality(answered_ids) < jsonb_array_length(commands) then
    -- A statement of its own: the one above may have waited for other checks of the same rows.
    return query
      select command.id,
        case when command."appId" = any (telling) then 'to_tell' else 'refused' end,
        null, null::bigint, stored
      from jsonb_to_recordset(commands) as command (id text, "appId" text, mode text)
      left join verifications as stored on stored.id = command.id
        and stored.app_id = command."appId" and stored.mode = command.mode
      where command.id <> all (answered_ids || array(
        select (judged[place]).id from generate_subscripts(judged, 1) as place));
  end if;

  return query
    select (judged[place]).id, 'judged', null, null::bigint, judged[place]
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

    if approved_ids <> '{}' then
      perform count_approvals__v(approved_ids, country_slot_ms);
    end if;
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
create function end_deliveries__v(ended_ids text[]) returns void language plpgsql as $$
declare
  due_ids text[];
begin
  -- Locked in order first, and then written as they are by then.
  due_ids := array(
    select id from deliveries where verification_id = any (ended_ids) and due_at is not null
    order by id for update);
  if due_ids <> '{}' then
    update deliveries set status = 'undeliverable', due_at = null, leased_by = ''
    where id = any (due_ids);
  end if;
end
$$;

-- Counts approvals for the country and the time of each first hand-over to a telephone number.
create function count_approvals__v(approved_ids text[], country_slot_ms bigint)
returns void language plpgsql as $$
declare
  one record;
begin
  for one in
    select app_id, phone_country as country, phone_at / country_slot_ms as slot,
      count(*) as approvals
    from verifications where id = any (approved_ids) and phone_country is not null
    group by 1, 2, 3 order by 1, 2, 3
  loop
    update app_countries set approved = approved + one.approvals
    where app_id = one.app_id and country = one.country and slot = one.slot;
  end loop;
end
$$;
