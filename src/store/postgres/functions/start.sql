-- The recipients (by their places) in whose guess budget the attempts of their command do not fit. Those
-- who are over a rate are not counted. Both tables are in the query once, because to begin a scan of all
-- their partitions takes longer than to read a chain.
--
-- It is stable: all that it reads is as it was at its call. So what is swept meanwhile is counted once,
-- with its verification or among the failures that are left of it.
create function recipients_over_budget__v(
  commands jsonb, keys bytea[], firsts bigint[], seconds bigint[], thirds bigint[], latest_ids text[])
returns integer[]
language plpgsql stable as $$
#variable_conflict use_column
declare
  -- Of each recipient.
  places integer[];
  times bigint[];
  sinces bigint[];
  attempts bigint[];
  budgets jsonb[];
  -- Attempts that are spent or open, by the number of the recipient; they count until an end and the
  -- window are over. The first ones are none, so that each recipient has one.
  numbers integer[];
  ends bigint[];
  spent bigint[];
  found_numbers integer[];
  found_ends bigint[];
  found_spent bigint[];
  -- Those who have started before, and their latest verifications.
  chains integer[];
  ids text[];
begin
  select array_agg(recipient.place), array_agg(start."createdAt"),
      array_agg(start."createdAt" - start."keptMs"), array_agg(start."attemptsMax"),
      array_agg(start.budget)
    into places, times, sinces, attempts, budgets
    from jsonb_to_recordset(commands) as start ("createdAt" bigint, "keptMs" bigint,
      "attemptsMax" bigint, budget jsonb, recipients jsonb, parts jsonb)
    cross join lateral jsonb_to_recordset(start.recipients) as recipient (number integer, place integer)
    where (take_rates__v(start.parts -> recipient.number -> 0 -> 'rates', array[firsts[recipient.place],
      seconds[recipient.place], thirds[recipient.place]], start."createdAt")).refused_by is null;
  if places is null then
    return '{}';
  end if;
  select array_agg(number), array_agg(times[number]), array_agg(0),
      array_agg(number) filter (where latest_ids[places[number]] is not null),
      array_agg(latest_ids[places[number]]) filter (where latest_ids[places[number]] is not null)
    into numbers, ends, spent, chains, ids
    from generate_subscripts(places, 1) as number;

  if chains is not null then
    -- Kept by whole hours; the oldest counts in full, so that no sum is too small.
    select array_agg(number), array_agg((swept.hour + 1) * 3600000), array_agg(swept.failures)
      into found_numbers, found_ends, found_spent
      from unnest(chains) as number
      join guess_failures as swept on swept.recipient_key = keys[places[number]]
        and swept.hour >= sinces[number] / 3600000;
    numbers := numbers || found_numbers;
    ends := ends || found_ends;
    spent := spent || found_spent;

    with recursive chain as (
      select number, null::bigint as until, null::bigint as spent, id collate "C" as earlier_id,
        true as is_begin
      from unnest(chains, ids) as chain (number, id)
      union all
      select chain.number, verification.expires_at,
        -- A live short code counts with all its attempts, a dead one with its wrong codes.
        case when code_format <> 'numeric' then 0
          when status = 'pending' and code_digest is not null
            and expires_at > times[chain.number] then attempts_max
          else attempts_spent - (status = 'approved')::integer end,
        case when verification.recipient_key = keys[places[chain.number]]
          then verification.earlier_id
          else (select further.earlier_id from verification_recipients as further
            where further.verification_id = verification.id
              and further.recipient_key = keys[places[chain.number]]) end,
        false
      from chain join verifications as verification on verification.id = chain.earlier_id
      where is_begin or verification.created_at > sinces[chain.number]
    )
    select array_agg(number), array_agg(until), array_agg(spent)
      into found_numbers, found_ends, found_spent
      from chain where not is_begin;
    numbers := numbers || found_numbers;
    ends := ends || found_ends;
    spent := spent || found_spent;
  end if;

  return array(
    select distinct places[one.number]
    from unnest(numbers, ends, spent) as one (number, until, spent)
    cross join lateral jsonb_to_recordset(budgets[one.number])
      as budget (max bigint, "windowMs" bigint)
    where one.until > times[one.number] - budget."windowMs"
    group by one.number, budget.max, budget."windowMs"
    having sum(one.spent) + attempts[one.number] > budget.max);
end
$$;

-- Starts verifications, a batch in one call. What is decided between the locks and the writes is decided
-- here, so that a frozen node never holds an app's row over a round trip: `admit` and `fitsBudget` of
-- src/domain/verification, and the sums of src/store/sqlite/budget.ts. The contract of the stores and
-- test/store/stores-agree.test.ts hold it to them.
--
-- `commands` are made by src/store/postgres/start-command.ts. `keys` are those of all rows of limits, in
-- order; the commands name them by their place from 1 on. No two commands name the same recipient or
-- Idempotency-Key, so that only the rows of apps change while the commands are decided one by one.
--
-- The settings leave one plan for each statement, from the keys of a call to their rows by an index. It is
-- made once a connection; to plan over all partitions takes longer than a batch, and to compile a plan
-- longer than a hundred.
create function start_many__v(commands jsonb, keys bytea[], requests jsonb, counter_shard bigint)
returns table (
  number bigint, started_id text, outcome text, limit_name text, retry_at bigint,
  recipient_mask bigint, is_long boolean, answer text)
language plpgsql
set jit = off set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
declare
  count_of constant integer := jsonb_array_length(commands);
  nulls constant text[] := array_fill(null::text, array[count_of]);
  no_numbers constant bigint[] := array_fill(null::bigint, array[count_of]);
  -- For each command what it came to.
  ids text[] := nulls;
  outcomes text[] := nulls;
  limit_names text[] := nulls;
  retries bigint[] := no_numbers;
  masks bigint[] := no_numbers;
  longs boolean[] := array_fill(false, array[count_of]);
  answers text[] := nulls;
  exceeded boolean[] := array_fill(false, array[count_of]);
  is_any_exceeded boolean := false;
  is_any_further boolean := false;
  -- For each row of limits its arrivals, and the rest as it is written.
  firsts bigint[];
  seconds bigint[];
  thirds bigint[];
  latest_ids text[];
  newest_ids text[] := array_fill(null::text, array[cardinality(keys)]);
  keeps bigint[] := array_fill(null::bigint, array[cardinality(keys)]);
  over_budget integer[];
  kept record;

  command jsonb;
  now_ms bigint;
  kept_ms bigint;
  parts jsonb;
  limit_rows jsonb;
  row_place integer;
  mask bigint;
  is_app boolean;
  is_refused boolean;
  is_over boolean;
  decision record;
  -- What the command takes if it is not refused.
  taken integer;
  taken_before integer;
  taken_places integer[];
  taken_firsts bigint[];
  taken_seconds bigint[];
  taken_thirds bigint[];
  is_recipients boolean[];
  is_started boolean;
begin
  if jsonb_array_length(requests) > 0 then
    -- A row without an answer is the lock of its key.
    insert into answers (key, app_id, fingerprint, answer, kept_at)
      select request.key, request."appId", request.fingerprint, '', 0
      from jsonb_to_recordset(requests) as request
        ("appId" text, key bytea, fingerprint bytea)
      order by request.key
      on conflict (key) do update set kept_at = 0 where false;
    for kept in
      select request.number as command_number, stored.answer,
        stored.fingerprint = request.fingerprint as is_same
      from jsonb_to_recordset(requests) as request
        (number integer, key bytea, fingerprint bytea, since bigint)
      join answers as stored on stored.key = request.key
      where stored.kept_at > request.since and stored.answer <> ''
    loop
      outcomes[kept.command_number] := case when kept.is_same then 'replayed' else 'key_reused' end;
      answers[kept.command_number] := case when kept.is_same then kept.answer end;
    end loop;
  end if;

  -- A conflict locks the row, though nothing is updated. All are locked in order before anything is
  -- read: a statement that waits for a lock has read before it has it.
  insert into limits (key, kept_until)
    select place.key, 0 from unnest(keys) as place (key) order by place.key
    on conflict (key) do update set kept_until = 0 where false;
  select array_agg(arrival_1), array_agg(arrival_2), array_agg(arrival_3), array_agg(latest_id)
    into firsts, seconds, thirds, latest_ids
    from (select * from limits where key = any (keys) order by key) as stored;

  over_budget := recipients_over_budget__v(commands, keys, firsts, seconds, thirds, latest_ids);

  for command_number in 1 .. count_of loop
    command := commands -> (command_number - 1);
    ids[command_number] := command ->> 'id';
    continue when outcomes[command_number] is not null;
    now_ms := (command -> 'createdAt')::bigint;
    kept_ms := (command -> 'keptMs')::bigint;
    mask := 0;
    is_over := false;
    taken := 0;
    taken_places := '{}';
    taken_firsts := '{}';
    taken_seconds := '{}';
    taken_thirds := '{}';
    is_recipients := '{}';

    -- The rows of each recipient, and those of the app behind them. Who is over a rate loses their
    -- channels, and nothing is taken from them.
    parts := command -> 'parts';
    for part in 0 .. jsonb_array_length(parts) - 1 loop
      is_app := part = jsonb_array_length(parts) - 1;
      if is_app and command -> 'ways' -> mask::text is null then
        outcomes[command_number] := 'limited';
        exit;
      end if;
      limit_rows := parts -> part;
      taken_before := taken;
      is_refused := false;
      for limit_row in 0 .. jsonb_array_length(limit_rows) - 1 loop
        row_place := (limit_rows -> limit_row -> 'place')::integer;
        decision := take_rates__v(limit_rows -> limit_row -> 'rates',
          array[firsts[row_place], seconds[row_place], thirds[row_place]], now_ms);
        if decision.refused_by is not null then
          is_refused := true;
          exit;
        end if;
        taken := taken + 1;
        taken_places[taken] := row_place;
        taken_firsts[taken] := decision.arrivals[1];
        taken_seconds[taken] := decision.arrivals[2];
        taken_thirds[taken] := decision.arrivals[3];
        is_recipients[taken] := limit_row = 0 and not is_app;
      end loop;
      if is_refused then
        taken := taken_before;
        if is_app then
          outcomes[command_number] := 'limited';
        end if;
        if is_app or limit_names[command_number] is null
          or decision.retry_at < retries[command_number] then
          limit_names[command_number] := decision.refused_by;
          retries[command_number] := decision.retry_at;
        end if;
      elsif not is_app then
        mask := mask | (1 << part);
        is_over := is_over or taken_places[taken_before + 1] = any (over_budget);
      end if;
    end loop;
    continue when outcomes[command_number] is not null;

    if is_over and command ->> 'long' = 'ask' then
      outcomes[command_number] := 'long_needed';
      continue;
    end if;
    is_started := not is_over or jsonb_typeof(command -> 'long') = 'object';
    outcomes[command_number] := case when is_started then 'started' else 'budget_exhausted' end;
    masks[command_number] := mask;
    longs[command_number] := is_over;
    exceeded[command_number] := is_over;
    is_any_exceeded := is_any_exceeded or is_over;
    is_any_further := is_any_further or (mask & (mask - 1)) <> 0;
    for take in 1 .. taken loop
      row_place := taken_places[take];
      firsts[row_place] := taken_firsts[take];
      seconds[row_place] := taken_seconds[take];
      thirds[row_place] := taken_thirds[take];
      keeps[row_place] := greatest(firsts[row_place], seconds[row_place], thirds[row_place],
        now_ms + case when is_recipients[take] then kept_ms else 0 end);
      if is_started and is_recipients[take] then
        newest_ids[row_place] := ids[command_number];
      end if;
    end loop;
  end loop;

  update limits set arrival_1 = decided.arrival_1, arrival_2 = decided.arrival_2,
      arrival_3 = decided.arrival_3, kept_until = decided.kept_until,
      latest_id = coalesce(decided.newest_id, limits.latest_id)
    from unnest(keys, firsts, seconds, thirds, newest_ids, keeps)
      as decided (key, arrival_1, arrival_2, arrival_3, newest_id, kept_until)
    where limits.key = decided.key and decided.kept_until is not null;

  with started as materialized (
    select start.*, code.*, way.*, recipient.place, recipient.index, recipient.masked,
      recipient.sealed
    from rows from (jsonb_to_recordset(commands) as (id text, "appId" text, mode text,
      "startedBy" text, "variablesSealed" bytea, purpose text, locale text, metadata text,
      "codeKeyId" text, reference text, "attemptsMax" bigint, "resendsMax" bigint,
      "createdAt" bigint, "expiresAt" bigint, "resendAt" bigint, "deliveryId" text,
      "deliveryAt" bigint, recipients jsonb, ways jsonb, short jsonb, long jsonb)) with ordinality as start
    cross join lateral jsonb_to_record(
      case when longs[start.ordinality] then start.long else start.short end)
      as code (format text, length bigint, generation bigint, digest bytea)
    cross join lateral jsonb_to_record(start.ways -> masks[start.ordinality]::text)
      as way (first integer, channel text, "endpointId" text, chosen text, "dueAt" bigint,
        "leasedBy" text, route text, "fallBackAt" bigint, "fallBackMs" bigint, "checkDelays" text,
        "checkAt" bigint)
    cross join lateral jsonb_to_record(start.recipients -> way.first)
      as recipient (place integer, index bytea, masked text, sealed bytea)
    where outcomes[start.ordinality] = 'started'
  ), verification as (
    insert into verifications (
      id, app_id, mode, started_by, recipient_key, recipient_index, recipient_masked,
      recipient_sealed, variables_sealed, earlier_id, channel, purpose, locale, metadata, status,
      code_key_id, code_format, code_length, code_generation, code_digest, reference, attempts_max,
      resends_max, created_at, expires_at, resend_at, route, fall_back_at, fall_back_ms,
      check_delays, check_at, delivery_id, delivery_status)
    select
      id, "appId", mode, "startedBy", keys[place], index, masked, sealed, "variablesSealed",
      latest_ids[place], channel, purpose, locale, metadata, 'pending', "codeKeyId", format, length,
      generation, digest, reference, "attemptsMax", "resendsMax", "createdAt", "expiresAt",
      "resendAt", route, "fallBackAt", "fallBackMs", "checkDelays", "checkAt", "deliveryId", 'queued'
    from started
  )
  insert into deliveries (id, app_id, mode, verification_id, channel, endpoint_id, status,
    chosen, created_at, expires_at, try_at, due_at, leased_by)
  select "deliveryId", "appId", mode, id, channel, "endpointId", 'queued', chosen, "deliveryAt",
    "expiresAt", "deliveryAt", "dueAt", "leasedBy"
  from started;

  if is_any_further then
    insert into verification_recipients (verification_id, number, recipient_key, recipient_index,
      recipient_masked, recipient_sealed, earlier_id)
    select start.id, recipient.number, keys[recipient.place], recipient.index, recipient.masked,
      recipient.sealed, latest_ids[recipient.place]
    from rows from (jsonb_to_recordset(commands) as (id text, recipients jsonb, ways jsonb))
      with ordinality as start
    cross join lateral jsonb_to_recordset(start.recipients)
      as recipient (number integer, place integer, index bytea, masked text, sealed bytea)
    where outcomes[start.ordinality] = 'started'
      and masks[start.ordinality] & (1 << recipient.number) <> 0
      and recipient.number
        > (start.ways -> masks[start.ordinality]::text -> 'first')::integer;
  end if;

  if jsonb_array_length(requests) > 0 then
    update answers as stored set app_id = request."appId", fingerprint = request.fingerprint,
        kept_at = request.at,
        answer = request.answers -> masks[request.number]::text
          ->> case when longs[request.number] then 'long' else 'short' end
      from jsonb_to_recordset(requests) as request (number integer, "appId" text, key bytea,
        fingerprint bytea, at bigint, answers jsonb)
      where stored.key = request.key and outcomes[request.number] = 'started';
    delete from answers using jsonb_to_recordset(requests) as request (key bytea)
      where answers.key = request.key and answers.answer = '';
  end if;

  if is_any_exceeded then
    insert into events (at, app_id, type, verification_id, data)
    select start."createdAt", start."appId", start.event ->> 'type',
      case when outcomes[start.ordinality] = 'started' then start.id end, start.event ->> 'data'
    from rows from (jsonb_to_recordset(commands) as
      (id text, "appId" text, "createdAt" bigint, event jsonb)) with ordinality as start
    where exceeded[start.ordinality]
    order by start.ordinality;
  end if;

  insert into app_minutes (app_id, minute, shard, starts)
    select start."appId", start."createdAt" / 60000 as minute, counter_shard, count(*)
    from rows from (jsonb_to_recordset(commands) as ("appId" text, "createdAt" bigint))
      with ordinality as start
    where outcomes[start.ordinality] = 'started'
    group by 1, 2 order by start."appId" collate "C", minute
    on conflict (app_id, minute, shard) do update set starts = app_minutes.starts + excluded.starts;

  return query
    select result.number, ids[result.number], outcomes[result.number], limit_names[result.number],
      retries[result.number], masks[result.number], longs[result.number], answers[result.number]
    from generate_series(1::bigint, count_of) as result (number);
end
$$;
