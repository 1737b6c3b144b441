-- Takes one from every rate of a row of limits, or from none: `takeRates` of
-- src/domain/verification/limits.ts, which says why.
create function take_rates__v(
  rates jsonb, stored bigint[], now_ms bigint,
  out arrivals bigint[], out refused_by text, out retry_at bigint)
language plpgsql immutable as $$
declare
  rate jsonb;
  most bigint;
  step bigint;
  span bigint;
  arrival bigint;
begin
  arrivals := '{}';
  for number in 0 .. jsonb_array_length(rates) - 1 loop
    rate := rates -> number;
    most := (rate -> 'max')::bigint;
    step := ((rate -> 'windowMs')::bigint + most - 1) / most;
    span := step * most;
    arrival := greatest(stored[number + 1], now_ms);
    -- The 10 s are `lateMs` of src/domain/ports.ts.
    if arrival > now_ms + span + 10000 then
      arrival := now_ms + span - step;
    end if;
    if arrival + step > now_ms + span then
      arrivals := null;
      refused_by := rate ->> 'name';
      retry_at := arrival + step - span;
      return;
    end if;
    arrivals[number + 1] := arrival + step;
  end loop;
end
$$;

-- One take outside of a start. The row is locked first, because what a statement reads before it waits
-- for a lock is old when it has it.
create function take_limit__v(
  limit_key bytea, rates jsonb, now_ms bigint, out refused_by text, out retry_at bigint)
language plpgsql as $$
declare
  stored bigint[];
  taken record;
begin
  insert into limits (key, kept_until) values (limit_key, 0)
    on conflict (key) do update set kept_until = 0 where false;
  select array[arrival_1, arrival_2, arrival_3] into stored from limits where key = limit_key;
  taken := take_rates__v(rates, stored, now_ms);
  refused_by := taken.refused_by;
  retry_at := taken.retry_at;
  if refused_by is null then
    update limits set arrival_1 = taken.arrivals[1], arrival_2 = taken.arrivals[2],
      arrival_3 = taken.arrivals[3],
      kept_until = greatest(taken.arrivals[1], taken.arrivals[2], taken.arrivals[3])
    where key = limit_key;
  end if;
end
$$;
