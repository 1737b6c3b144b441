-- A proposal, and not a supported way to run OtpMint: its tables over several machines by app, with Citus.
--
-- Citus is not in Debian, so none of this was run on it. The tests run this file on PostgreSQL with functions
-- of the same names that check what Citus asks of a table by its documentation ("Creating and Modifying
-- Distributed Tables", "SQL Support and Workarounds"): that the distribution column is there, is never
-- null and is in every unique key, and where foreign keys may lead. docs/scaling.md says when it is worth
-- it, and what to do before.
--
-- For an empty database, made by `otpmint migrate`, on the coordinator, as the role that owns the tables:
--
--   psql -d otpmint -c 'create extension citus'          # as superuser, on every node before
--   psql -d otpmint -U otpmint_migrate -1 -f deploy/citus.sql
--
-- The functions of this schema do not run on the result. What has to change:
--
-- 1. start_many and check_many take a batch of several apps. Each must become a batch of one app, with the
--    app as an argument of its own, so that create_distributed_function sends the call to the app's shard.
--    Here a call over several shards would be a transaction in two phases, and FOR UPDATE is for one shard.
-- 2. recipients_over_budget, end_deliveries, count_approvals and charge are called within those, or for one
--    app, and need that app in each condition: `where id = ...` alone asks every shard.
-- 3. take_limit and charge name rows of limits by key alone, in `on conflict (key)` too. Rows of an app need
--    the app beside the key. Rows that belong to no app (addresses, sign-in, a recipient in all apps) move to
--    limits_across_apps below. A start takes the recipient's row there first, in a transaction of its own; one
--    that is refused after that has taken it, which errs on the safe side.
-- 4. Claims look for due lanes over all apps by a recursive query, which works on one shard only: ask app by
--    app, or each shard by itself.
-- 5. What has an id and no app asks every shard: /verify-otp of the original API, hosted pages, the admin's
--    search by id, the sweep, learning, the overview. The id could carry the app; that changes its format.
-- 6. make_partition and drop_partition lock, move rows and attach by statements that were never tried on a
--    distributed table, and as SECURITY DEFINER. cut_audit is about a local table, and stays.
-- 7. take_rates, is_right, time_id and partition_name read no table, and stay; they must be on every node.
-- 8. Ids of events count up on one node only. The overview reads events by id; it must read them by time.
-- 9. `app_id is null` in events (of no app) becomes `app_id = ''`.
-- 10. Existing rows of limits and guess_failures cannot be given their app: their keys are keyed hashes. Only
--     `otpmint move` from SQLite could write it, if the rows had it there.

-- Columns that are missing.

alter table verification_recipients add column app_id text collate "C" not null;
alter table delivery_tries add column app_id text collate "C" not null;
alter table limits add column app_id text collate "C" not null;
alter table guess_failures add column app_id text collate "C" not null;
alter table events alter column app_id set default '', alter column app_id set not null;

-- A recipient's starts in all apps, and what is limited for an address or a person.
create table limits_across_apps (
  key bytea primary key,
  arrival_1 bigint,
  arrival_2 bigint,
  arrival_3 bigint,
  kept_until bigint not null
) with (fillfactor = 70);

-- Unique keys without app_id. They are unique in each app then, which is enough: all these values are random,
-- or hashes over the app.

alter table verifications drop constraint verifications_pkey, add primary key (app_id, id);
alter table verification_recipients drop constraint verification_recipients_pkey,
  add primary key (app_id, verification_id, number);
alter table deliveries drop constraint deliveries_pkey, add primary key (app_id, id);
alter table delivery_tries drop constraint delivery_tries_pkey,
  add primary key (app_id, delivery_id, number);
alter table limits drop constraint limits_pkey, add primary key (app_id, key);
alter table guess_failures drop constraint guess_failures_pkey,
  add primary key (app_id, recipient_key, hour);
alter table answers drop constraint answers_pkey, add primary key (app_id, key);
alter table events drop constraint events_pkey, add primary key (app_id, id);
alter table inbox drop constraint inbox_pkey, add primary key (app_id, id),
  drop constraint inbox_delivery_id_key, add unique (app_id, delivery_id);
alter table webhooks drop constraint webhooks_pkey, add primary key (app_id, id);
alter table webhook_messages drop constraint webhook_messages_pkey, add primary key (app_id, number);
alter table suppressions drop constraint suppressions_id_key, add unique (app_id, id);
alter table bindings drop constraint bindings_pkey, add primary key (app_id, id),
  drop constraint bindings_link_hash_key, add unique (app_id, link_hash);
alter table pages drop constraint pages_pkey, add primary key (app_id, verification_id),
  drop constraint pages_result_hash_key, add unique (app_id, result_hash);
alter table page_reports drop constraint page_reports_pkey, add primary key (app_id, verification_id);

-- On every node, because requests and messages of any app read them; written rarely, on all nodes in two
-- phases. Their unique keys may stay: a key is looked up before its app is known. nodes is among them
-- because a claim joins it; it is written by each server every 5 s.

select create_reference_table('apps');
select create_reference_table('api_keys');
select create_reference_table('endpoints');
select create_reference_table('dkim_keys');
select create_reference_table('nodes');

-- By app. The rows of an app are on one machine, so that a start and a check are transactions of one machine.

select create_distributed_table('verifications', 'app_id', colocate_with => 'none');
select create_distributed_table('verification_recipients', 'app_id', colocate_with => 'verifications');
select create_distributed_table('deliveries', 'app_id', colocate_with => 'verifications');
select create_distributed_table('delivery_tries', 'app_id', colocate_with => 'verifications');
select create_distributed_table('limits', 'app_id', colocate_with => 'verifications');
select create_distributed_table('guess_failures', 'app_id', colocate_with => 'verifications');
select create_distributed_table('answers', 'app_id', colocate_with => 'verifications');
select create_distributed_table('app_minutes', 'app_id', colocate_with => 'verifications');
select create_distributed_table('app_costs', 'app_id', colocate_with => 'verifications');
select create_distributed_table('app_countries', 'app_id', colocate_with => 'verifications');
select create_distributed_table('events', 'app_id', colocate_with => 'verifications');
select create_distributed_table('inbox', 'app_id', colocate_with => 'verifications');
select create_distributed_table('webhooks', 'app_id', colocate_with => 'verifications');
select create_distributed_table('webhook_messages', 'app_id', colocate_with => 'verifications');
select create_distributed_table('suppressions', 'app_id', colocate_with => 'verifications');
select create_distributed_table('endpoint_minutes', 'app_id', colocate_with => 'verifications');
select create_distributed_table('learned_scores', 'app_id', colocate_with => 'verifications');
select create_distributed_table('learned_days', 'app_id', colocate_with => 'verifications');
select create_distributed_table('learned_recipients', 'app_id', colocate_with => 'verifications');
select create_distributed_table('figures', 'app_id', colocate_with => 'verifications');
select create_distributed_table('brands', 'app_id', colocate_with => 'verifications');
select create_distributed_table('templates', 'app_id', colocate_with => 'verifications');
select create_distributed_table('bindings', 'app_id', colocate_with => 'verifications');
select create_distributed_table('bots', 'app_id', colocate_with => 'verifications');
select create_distributed_table('pages', 'app_id', colocate_with => 'verifications');
select create_distributed_table('page_reports', 'app_id', colocate_with => 'verifications');

-- By key: a recipient has starts in several apps.

select create_distributed_table('limits_across_apps', 'key', colocate_with => 'none');

-- On the coordinator: one of each for all servers, and rarely written. Alarms have no app in some rows.

select citus_add_local_table_to_metadata('schema_version');
select citus_add_local_table_to_metadata('meta');
select citus_add_local_table_to_metadata('alarms');
select citus_add_local_table_to_metadata('figures_state');
select citus_add_local_table_to_metadata('turns');
select citus_add_local_table_to_metadata('audit');
select citus_add_local_table_to_metadata('audit_state');
select citus_add_local_table_to_metadata('accounts');
select citus_add_local_table_to_metadata('sessions');
select citus_add_local_table_to_metadata('links');
select citus_add_local_table_to_metadata('sign_ins');
