-- Charges one hand-over: takes from every limit and from the day's cost, or from none of them, and counts
-- the first hand-over of a verification to a telephone number for its country. One call, so that a frozen
-- node does not hold the rows of a country or a day, which all messages of an app share.
create function charge__v(charge jsonb, keys bytea[], out outcome text, out refused_by text)
language plpgsql as $$
declare
  app constant text := charge ->> 'appId';
  now_ms constant bigint := (charge -> 'now')::bigint;
  cost constant bigint := (charge -> 'cost')::bigint;
  cost_max constant bigint := (charge -> 'costMax')::bigint;
  slot_now constant bigint := (charge -> 'slot')::bigint;
  country_now constant text := charge ->> 'country';
  stored bigint[];
  decision record;
  -- What is written to each row of limits, in the order of the keys.
  firsts bigint[];
  seconds bigint[];
  thirds bigint[];
begin
  insert into limits (key, kept_until)
    select place.key, 0 from unnest(keys) as place (key) order by place.key
    on conflict (key) do update set kept_until = 0 where false;
  for place in 1 .. cardinality(keys) loop
    select array[arrival_1, arrival_2, arrival_3] into stored from limits where key = keys[place];
    decision := take_rates__v(charge -> 'rates' -> (place - 1), stored, now_ms);
    if decision.refused_by is not null then
      outcome := 'limited';
      refused_by := decision.refused_by;
      return;
    end if;
    firsts[place] := decision.arrivals[1];
    seconds[place] := decision.arrivals[2];
    thirds[place] := decision.arrivals[3];
  end loop;

  if cost > 0 then
    -- One statement reads what is spent, judges and adds.
    insert into app_costs (app_id, day, spent)
      select app, (charge -> 'day')::bigint, cost where cost <= cost_max
      on conflict (app_id, day) do update set spent = app_costs.spent + excluded.spent
        where app_costs.spent + excluded.spent <= cost_max;
    if not found then
      outcome := 'costly';
      return;
    end if;
  end if;
  outcome := 'charged';
  for place in 1 .. cardinality(keys) loop
    update limits set arrival_1 = firsts[place], arrival_2 = seconds[place],
        arrival_3 = thirds[place],
        kept_until = greatest(firsts[place], seconds[place], thirds[place])
      where key = keys[place];
  end loop;

  if country_now is null then
    return;
  end if;
  update verifications set phone_country = country_now, phone_at = now_ms
    where id = charge ->> 'verificationId' and app_id = app and mode = charge ->> 'mode'
      and phone_country is null;
  if found then
    insert into app_countries as counted (app_id, country, slot, handed, approved)
      values (app, country_now, slot_now, 1, 0)
      on conflict (app_id, country, slot) do update set handed = counted.handed + 1;
  end if;
end
$$;
