-- Deletes the audit records that the sealed state names as deleted; how many. The role of the service
-- may not delete any itself.
create function cut_audit__v() returns bigint language plpgsql security definer as $$
declare
  removed bigint;
begin
  delete from audit where id <= (select cut_id from audit_state);
  get diagnostics removed = row_count;
  return removed;
end
$$;

-- Temporary tables of a caller last, so that none takes the place of these.
do $$ begin
  execute format('alter function cut_audit__v() set search_path = %I, pg_temp', current_schema());
end $$;
