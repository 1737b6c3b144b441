-- The tables of store/sqlite with PostgreSQL's types; what is different is said at its place. Text that
-- is an id or is listed in order compares by bytes (collate "C"), as in the domain.
--
-- Every transaction locks in this order, so that none waits for another in a circle: audit_state, apps,
-- limits by key, verifications by id, deliveries by id, webhooks by id, counters by their key.

create table schema_version (
  version bigint primary key,
  -- Whether what only older versions use was taken away.
  is_contracted boolean not null default false
);

create table meta (
  name text collate "C" primary key,
  value bytea not null
);

create table apps (
  id text collate "C" primary key,
  name text collate "C",
  registered_by text not null check (registered_by in ('admin', 'open')),
  registered_from bytea,
  policy text not null,
  secret_key_index bytea unique,
  data_key_id text collate "C" not null,
  data_key bytea not null,
  version bigint not null,
  -- Counts every change of anything that a node keeps in memory of the app.
  stamp bigint not null default 1,
  created_at bigint not null,
  updated_at bigint not null
);
create index apps_that_learn on apps (id) where policy::jsonb ->> 'learnedRoute' = 'true';
create index apps_open on apps (registered_from) where registered_by = 'open';

create table endpoints (
  id text collate "C" primary key,
  app_id text collate "C" not null references apps (id) on delete cascade,
  channel text collate "C" not null,
  rank bigint not null check (rank > 0),
  settings text not null,
  secret_sealed bytea,
  -- Null while it is on.
  off text,
  created_at bigint not null,
  updated_at bigint not null
);
create unique index endpoints_by_rank on endpoints (app_id, channel, rank);
create index endpoints_by_channel on endpoints (channel, app_id);

create table dkim_keys (
  id text collate "C" primary key,
  app_id text collate "C" not null references apps (id) on delete cascade,
  domain text collate "C" not null,
  selector text collate "C" not null,
  public_key text not null,
  private_sealed bytea not null,
  -- Null until a check has found the public key in the DNS.
  found_at bigint,
  created_at bigint not null
);
create unique index dkim_keys_by_name on dkim_keys (app_id, domain, selector);

-- URLs that are told of the events of an app. They refer to it without a foreign key: a transaction that
-- updates a row twice would lock the app for that, after the webhook.
create table webhooks (
  id text collate "C" primary key,
  app_id text collate "C" not null,
  url text not null,
  types text not null,
  test_events boolean not null,
  secret_sealed bytea not null,
  -- The secret before, which signs too until that time.
  former_sealed bytea,
  former_until bigint,
  off_since bigint,
  off_cause text check (off_cause in ('admin', 'gone', 'failing')),
  -- When the first try failed since one succeeded.
  failing_since bigint,
  -- How many of its messages wait.
  waiting bigint not null default 0 check (waiting >= 0),
  -- When the first of them is due; null where none waits, and while it is off.
  due_at bigint,
  -- The node that sends its messages; empty where none does.
  leased_by text collate "C" not null default '',
  leased_until bigint not null default 0,
  created_at bigint not null,
  updated_at bigint not null
);
create index webhooks_by_app on webhooks (app_id);
create index webhooks_due on webhooks (due_at) where due_at is not null;

-- What webhooks are told; numbers count up with time.
create table webhook_messages (
  number bigint generated always as identity primary key,
  app_id text collate "C" not null,
  webhook_id text collate "C" not null,
  id text collate "C" not null,
  type text not null,
  verification_id text collate "C",
  body text not null,
  status text not null check (status in ('waiting', 'delivered', 'dead')),
  -- Since it was written or replayed, and what the latest one came to.
  tries bigint not null default 0,
  code bigint,
  detail text,
  -- The time of the next try; null once it has ended.
  due_at bigint,
  created_at bigint not null,
  check ((status = 'waiting') = (due_at is not null))
);
create unique index webhook_messages_by_id on webhook_messages (app_id, webhook_id, id);
create index webhook_messages_due on webhook_messages (webhook_id, due_at) where due_at is not null;
create index webhook_messages_dead on webhook_messages (webhook_id, id) where status = 'dead';

-- What the messages of an app show of it.
create table brands (
  app_id text collate "C" primary key references apps (id) on delete cascade,
  color text,
  support text,
  logo_id text collate "C",
  logo_type text,
  logo_width bigint,
  logo_height bigint,
  logo bytea
);

-- Edited messages: the kept versions of each language, the latest of which is in force. A version
-- without content is a reset to the built-in words.
create table templates (
  app_id text collate "C" not null references apps (id) on delete cascade,
  locale text collate "C" not null,
  version bigint not null check (version > 0),
  variables text not null,
  created_at bigint not null,
  content text,
  unique (app_id, locale, version)
);

create table api_keys (
  id text collate "C" primary key,
  app_id text collate "C" not null references apps (id) on delete cascade,
  mode text not null check (mode in ('live', 'test', 'inbound')),
  hash bytea not null unique check (length(hash) = 32),
  prefix text not null,
  last_four text not null,
  created_at bigint not null,
  revoked_at bigint
);
create index api_keys_by_app on api_keys (app_id);

-- Ids begin with their time, so that rows which are written together are stored together. No column
-- that a wrong code changes is in an index.
create table verifications (
  id text collate "C" primary key,
  app_id text collate "C" not null,
  mode text not null check (mode in ('live', 'test')),
  started_by text not null check (started_by in ('v1', 'original')),
  -- The key of the recipient's row in `limits`.
  recipient_key bytea not null,
  recipient_index bytea not null,
  recipient_masked text not null,
  recipient_sealed bytea,
  -- Null where the start gave none; cleared with the address.
  variables_sealed bytea,
  -- The id of the recipient's previous verification, which may have been deleted.
  earlier_id text collate "C",
  -- Of the latest delivery.
  channel text collate "C" not null,
  purpose text not null,
  locale text collate "C",
  metadata text,
  status text not null check (status in ('pending', 'approved', 'canceled')),
  code_key_id text collate "C" not null,
  code_format text not null check (code_format in ('numeric', 'crockford')),
  code_length bigint not null check (code_length between 6 and 13),
  code_generation bigint not null,
  -- Null after an approval, a cancel or the expiry, when it is not needed any more.
  code_digest bytea check (length(code_digest) = 32),
  reference text not null,
  attempts_spent bigint not null default 0 check (attempts_spent between 0 and attempts_max),
  attempts_max bigint not null,
  resends_spent bigint not null default 0 check (resends_spent between 0 and resends_max),
  resends_max bigint not null,
  created_at bigint not null,
  expires_at bigint not null,
  resend_at bigint not null,
  -- JSON: the channels that it may use, in order, each with the number of its recipient and the masked
  -- address. The first one's recipient is the one above, others are in verification_recipients. Null
  -- where there is one channel, and recipient 0.
  route text,
  -- When the next channel follows by itself, and the wait before that; null where none does.
  fall_back_at bigint,
  fall_back_ms bigint,
  -- JSON: the waits before each check, in ms; null without any. The next one is judged from
  -- check_at on.
  check_delays text,
  check_at bigint,
  -- When codes were judged, with commas between; null before the first.
  checked_at text,
  -- The country and the time of its first hand-over to a telephone number; null before it.
  phone_country text,
  phone_at bigint,
  -- The id of its latest delivery, and a copy of that one's status and detail.
  delivery_id text collate "C" not null,
  delivery_status text not null,
  delivery_detail text
) partition by range (id);
create table verifications_default partition of verifications default with (fillfactor = 80);
create index verifications_by_app on verifications (app_id, mode, id);
create index verifications_to_forget on verifications (expires_at) where code_digest is not null;

create index verifications_to_fall_back on verifications (fall_back_at)
  where fall_back_at is not null;
create index verifications_fall_back_from on verifications ((fall_back_at - fall_back_ms))
  where fall_back_at is not null;

-- The recipients of a verification besides its first one, with the same columns.
create table verification_recipients (
  verification_id text collate "C" not null,
  number bigint not null check (number > 0),
  recipient_key bytea not null,
  recipient_index bytea not null,
  recipient_masked text not null,
  recipient_sealed bytea,
  earlier_id text collate "C",
  primary key (verification_id, number)
) partition by range (verification_id);
create table verification_recipients_default partition of verification_recipients default;

create table deliveries (
  id text collate "C" primary key,
  app_id text collate "C" not null,
  mode text not null check (mode in ('live', 'test')),
  verification_id text collate "C" not null,
  channel text collate "C" not null,
  -- The endpoint of the next try; empty for a channel without endpoints.
  endpoint_id text collate "C" not null,
  status text not null
    check (status in
      ('queued', 'sent', 'deferred', 'refused', 'undeliverable', 'bounced', 'delivered', 'failed')),
  detail text,
  tries bigint not null default 0,
  created_at bigint not null,
  expires_at bigint not null,
  -- The time of the next try.
  try_at bigint not null,
  -- When a node may claim it: at `try_at`, or at the end of the lease. Null once the delivery ended.
  due_at bigint,
  -- The node that has leased it; empty when none has.
  leased_by text collate "C" not null,
  -- JSON: why it goes through its endpoint; null where the app's route does not learn.
  chosen text
) partition by range (id);
create table deliveries_default partition of deliveries default with (fillfactor = 80);
create index deliveries_by_lane on deliveries (app_id, channel, endpoint_id, leased_by, due_at)
  where due_at is not null;
create index deliveries_to_expire on deliveries (expires_at) where due_at is not null;
create index deliveries_by_verification on deliveries (verification_id);

create table delivery_tries (
  delivery_id text collate "C" not null,
  number bigint not null,
  endpoint_id text collate "C",
  at bigint not null,
  took_ms bigint not null,
  status text not null check (status in ('sent', 'deferred', 'refused')),
  cause text,
  ambiguous boolean not null,
  code text,
  detail text,
  remote_id text collate "C",
  primary key (delivery_id, number)
) partition by range (delivery_id);
create table delivery_tries_default partition of delivery_tries default;

-- Addresses that an app sends nothing to for a while, because a server refused them. A row is kept
-- after its end, because another one soon after it lasts longer.
create table suppressions (
  app_id text collate "C" not null,
  -- Of exactly this address, not of the folded one.
  recipient_index bytea not null,
  id text collate "C" not null unique,
  recipient_masked text not null,
  cause text not null check (cause in ('refused', 'bounced')),
  code text,
  since bigint not null,
  until bigint not null,
  primary key (app_id, recipient_index)
);
create index suppressions_by_app on suppressions (app_id, id);
create index suppressions_by_end on suppressions (until);

-- Tries through each endpoint, and how many of them ended with a refused recipient.
create table endpoint_minutes (
  app_id text collate "C" not null,
  endpoint_id text collate "C" not null,
  minute bigint not null,
  tries bigint not null,
  refusals bigint not null,
  primary key (app_id, endpoint_id, minute)
);
create index endpoint_minutes_by_minute on endpoint_minutes (minute);
create index endpoint_minutes_refused on endpoint_minutes (minute) where refusals > 0;

-- What apps have learned of their endpoints, as the domain reads it.
create table learned_scores (
  app_id text collate "C" primary key references apps (id) on delete cascade,
  version bigint not null,
  -- The id of the last verification that was counted.
  after_id text collate "C" not null,
  scores text not null
);

-- Messages and approvals by day, domain or country of the recipient, and endpoint.
create table learned_days (
  app_id text collate "C" not null,
  day bigint not null,
  recipient_group text collate "C" not null,
  endpoint_id text collate "C" not null,
  handed_over bigint not null,
  approved bigint not null check (approved between 0 and handed_over),
  primary key (app_id, day, recipient_group, endpoint_id)
);
create index learned_days_by_age on learned_days (day);

-- Recipients that are not counted again on that day.
create table learned_recipients (
  app_id text collate "C" not null,
  day bigint not null,
  recipient_key bytea not null,
  primary key (app_id, day, recipient_key)
);
create index learned_recipients_by_age on learned_recipients (day);

-- What the overview shows: counts of an app, or of all (empty), by time and by what verifications are
-- told apart by. Times are JSON: how many by length.
create table figures (
  app_id text collate "C" not null,
  span_ms bigint not null,
  at bigint not null,
  part text collate "C" not null,
  value text collate "C" not null,
  started bigint not null,
  handed_over bigint not null,
  approved bigint not null,
  failed bigint not null,
  hand_over_times text not null,
  approval_times text not null,
  -- JSON: hashes of the first recipients of a domain on a day that is not over.
  recipients text,
  primary key (app_id, span_ms, at, part, value)
);
create index figures_by_age on figures (span_ms, at);
create index figures_with_recipients on figures (at) where recipients is not null;

-- How far they are counted: verifications by id, and their ends by the id of the event.
create table figures_state (
  id bigint primary key check (id = 1),
  version bigint not null,
  after_id text collate "C" not null,
  after_event bigint not null,
  counted_until bigint not null
);

-- Telegram chats that persons let an app write to.
create table bindings (
  id text collate "C" primary key,
  app_id text collate "C" not null,
  mode text not null check (mode in ('live', 'test')),
  -- The number of the bot, which is a part of its token.
  bot text collate "C" not null,
  status text not null check (status in ('waiting', 'asked', 'answered', 'active', 'declined')),
  -- SHA-256 of the payload of the link; null for a test binding.
  link_hash bytea unique check (length(link_hash) = 32),
  -- The update that followed the link; null before.
  update_id bigint,
  chat_index bytea,
  chat_sealed bytea,
  -- The id of the app's data key that `chat_sealed` was made with.
  key_id text collate "C",
  name text collate "C",
  created_at bigint not null,
  expires_at bigint
);
create index bindings_by_app on bindings (app_id, id);
create index bindings_with_end on bindings (app_id, mode, expires_at) where expires_at is not null;
create index bindings_by_end on bindings (expires_at) where expires_at is not null;
create index bindings_by_chat on bindings (app_id, chat_index) where chat_index is not null;

-- How far the updates of Telegram bots were handled.
create table bots (
  app_id text collate "C" not null,
  bot text collate "C" not null,
  next_update bigint not null,
  at bigint not null,
  primary key (app_id, bot)
);
create index bots_by_age on bots (at);

-- Hosted pages of verifications.
create table pages (
  verification_id text collate "C" primary key,
  app_id text collate "C" not null,
  mode text not null check (mode in ('live', 'test')),
  return_url text not null,
  -- JSON: the hash of the address of each recipient; null for an app without proofs.
  address_macs text,
  -- SHA-256 of the cookie of the browser that has opened it; null before.
  browser_hash bytea check (length(browser_hash) = 32),
  -- SHA-256 of the token of its result, and how long that is valid; null before and once redeemed.
  result_hash bytea unique check (length(result_hash) = 32),
  result_until bigint,
  redeemed_at bigint,
  kept_until bigint not null
);
create index pages_by_app on pages (app_id);
create index pages_by_age on pages (kept_until);

-- Verifications that their recipients did not ask for.
create table page_reports (
  verification_id text collate "C" primary key,
  app_id text collate "C" not null,
  mode text not null check (mode in ('live', 'test')),
  at bigint not null
);
create index page_reports_by_app on page_reports (app_id);
create index page_reports_by_age on page_reports (at);

-- Rate limits (GCRA): for each rate the theoretical arrival time of the next take, in epoch ms.
create table limits (
  key bytea primary key,
  arrival_1 bigint,
  arrival_2 bigint,
  arrival_3 bigint,
  -- In a recipient's row: the id of its latest verification.
  latest_id text collate "C",
  kept_until bigint not null
) with (fillfactor = 70);

-- Wrong codes of deleted verifications, for budget windows that are longer than verifications are
-- kept.
create table guess_failures (
  recipient_key bytea not null,
  hour bigint not null,
  failures bigint not null,
  primary key (recipient_key, hour)
);
create index guess_failures_by_hour on guess_failures (hour);

-- The answers to requests with an Idempotency-Key.
create table answers (
  key bytea primary key,
  app_id text collate "C" not null,
  fingerprint bytea not null,
  answer text not null,
  kept_at bigint not null
);
create index answers_by_app on answers (app_id);
create index answers_by_age on answers (kept_at);

-- A row is one of several of its app and minute, so that nodes do not wait for one another; sums count.
create table app_minutes (
  app_id text collate "C" not null,
  minute bigint not null,
  shard bigint not null,
  starts bigint not null default 0,
  checks bigint not null default 0,
  failures bigint not null default 0,
  approvals bigint not null default 0,
  cancels bigint not null default 0,
  resends bigint not null default 0,
  sent bigint not null default 0,
  deferred bigint not null default 0,
  refused bigint not null default 0,
  undeliverable bigint not null default 0,
  bounced bigint not null default 0,
  delivered bigint not null default 0,
  failed bigint not null default 0,
  primary key (app_id, minute, shard)
) with (fillfactor = 40);
create index app_minutes_by_minute on app_minutes (minute);

-- What messages have cost on a day (UTC), in millionths of the admin's currency.
create table app_costs (
  app_id text collate "C" not null,
  day bigint not null,
  spent bigint not null check (spent >= 0),
  primary key (app_id, day)
);
create index app_costs_by_day on app_costs (day);

-- Verifications that were handed over to telephone numbers of a country, by the ten minutes of
-- their first hand-over, and how many of them were approved.
create table app_countries (
  app_id text collate "C" not null,
  country text collate "C" not null,
  slot bigint not null,
  handed bigint not null,
  approved bigint not null,
  primary key (app_id, country, slot)
);
create index app_countries_by_slot on app_countries (slot);

create table events (
  id bigint generated always as identity primary key,
  at bigint not null,
  app_id text collate "C",
  type text not null,
  verification_id text collate "C",
  data text not null
);
create index events_by_app on events (app_id, id);
create index events_by_age on events (at);
-- What the rows of a verification and its tries do not tell the time of. An approval and a hand-over are
-- not in it, so that they write no page more.
create index events_of_verification on events (verification_id)
  where type in ('verification.canceled', 'verification.expired', 'delivery.undeliverable',
    'delivery.delayed', 'delivery.bounced', 'delivery.delivered', 'delivery.failed');

create table alarms (
  id bigint generated always as identity primary key,
  kind text collate "C" not null,
  app_id text collate "C",
  endpoint_id text collate "C",
  since bigint not null,
  until bigint
);
create unique index alarms_open on alarms (kind, coalesce(app_id, ''), coalesce(endpoint_id, ''))
  where until is null;
create index alarms_by_app on alarms (app_id, id);

create table inbox (
  id bigint generated always as identity primary key,
  delivery_id text collate "C" not null unique,
  app_id text collate "C" not null,
  verification_id text collate "C" not null,
  recipient_sealed bytea not null,
  variables_sealed bytea,
  at bigint not null
);
create index inbox_by_app on inbox (app_id, id);

create table nodes (
  id text collate "C" primary key,
  seen_at bigint not null,
  keyset_version bigint not null,
  next_key_id text collate "C",
  -- JSON: the settings that must be the same on every node, by name; of a secret a keyed hash.
  settings text,
  -- The newest schema that it knows.
  schema_version bigint not null
);

create table turns (
  job text collate "C" primary key,
  node text collate "C" not null,
  until bigint not null
);

create table audit (
  id bigint primary key,
  at bigint not null,
  who text not null,
  action text not null,
  object text not null,
  detail text not null,
  request_id text collate "C",
  link bytea not null check (length(link) = 32)
);

create table audit_state (
  single bigint primary key check (single = 1),
  id bigint not null,
  link bytea not null,
  cut_id bigint not null,
  cut_link bytea not null,
  cut_at bigint not null,
  seal bytea not null
);

create table accounts (
  id text collate "C" primary key,
  name text collate "C" not null,
  role text not null check (role in ('admin', 'viewer')),
  password_hash text,
  password_is_long boolean not null,
  second_step_key_id text collate "C",
  second_step_key bytea,
  second_step_sealed bytea,
  second_step_used bigint,
  created_at bigint not null,
  signed_in_at bigint,
  removed_at bigint,
  check ((second_step_sealed is null) = (second_step_key is null))
);
create index accounts_by_removal on accounts (removed_at) where removed_at is not null;

create table sessions (
  id text collate "C" primary key,
  account_id text collate "C" not null references accounts (id) on delete cascade,
  token_hash bytea not null unique check (length(token_hash) = 32),
  created_at bigint not null,
  seen_at bigint not null,
  expires_at bigint not null,
  confirmed_until bigint not null,
  client text not null,
  browser text not null
);
create index sessions_by_account on sessions (account_id, created_at);
create index sessions_by_end on sessions (expires_at);

create table links (
  token_hash bytea primary key check (length(token_hash) = 32),
  account_id text collate "C" references accounts (id) on delete cascade,
  created_at bigint not null,
  expires_at bigint not null
);
create index links_by_account on links (account_id) where account_id is not null;
create index links_by_end on links (expires_at);

create table sign_ins (
  key bytea primary key,
  count bigint not null,
  at bigint not null
);
create index sign_ins_by_age on sign_ins (at);
