create table meta (
  name text primary key,
  value blob not null
) strict, without rowid;

create table apps (
  id text primary key,
  name text,
  registered_by text not null check (registered_by in ('admin', 'open')),
  registered_from blob,
  policy text not null check (json_valid(policy)),
  secret_key_index blob unique,
  data_key_id text not null,
  data_key blob not null,
  version integer not null,
  created_at integer not null,
  updated_at integer not null
) strict, without rowid;
create index apps_that_learn on apps (id) where policy ->> 'learnedRoute' = 1;
create index apps_open on apps (registered_from) where registered_by = 'open';

create table endpoints (
  id text primary key,
  app_id text not null references apps (id) on delete cascade,
  channel text not null,
  rank integer not null check (rank > 0),
  settings text not null check (json_valid(settings)),
  secret_sealed blob,
  -- Null while it is on.
  off text,
  created_at integer not null,
  updated_at integer not null
) strict, without rowid;
create unique index endpoints_by_rank on endpoints (app_id, channel, rank);
create index endpoints_by_channel on endpoints (channel, app_id);

create table dkim_keys (
  id text primary key,
  app_id text not null references apps (id) on delete cascade,
  domain text not null,
  selector text not null,
  public_key text not null,
  private_sealed blob not null,
  -- Null until a check has found the public key in the DNS.
  found_at integer,
  created_at integer not null
) strict, without rowid;
create unique index dkim_keys_by_name on dkim_keys (app_id, domain, selector);

-- URLs that are told of the events of an app.
create table webhooks (
  id text primary key,
  app_id text not null references apps (id) on delete cascade,
  url text not null,
  types text not null check (json_valid(types)),
  test_events integer not null check (test_events in (0, 1)),
  secret_sealed blob not null,
  -- The secret before, which signs too until that time.
  former_sealed blob,
  former_until integer,
  off_since integer,
  off_cause text check (off_cause in ('admin', 'gone', 'failing')),
  -- When the first try failed since one succeeded.
  failing_since integer,
  -- How many of its messages wait.
  waiting integer not null default 0 check (waiting >= 0),
  -- When the first of them is due; null where none waits, and while it is off.
  due_at integer,
  -- The node that sends its messages; empty where none does.
  leased_by text not null default '',
  leased_until integer not null default 0,
  created_at integer not null,
  updated_at integer not null
) strict;
create index webhooks_by_app on webhooks (app_id);
create index webhooks_due on webhooks (due_at) where due_at is not null;

-- What webhooks are told; numbers count up with time.
create table webhook_messages (
  number integer primary key,
  app_id text not null,
  webhook_id text not null,
  id text not null,
  type text not null,
  verification_id text,
  body text not null check (json_valid(body)),
  status text not null check (status in ('waiting', 'delivered', 'dead')),
  -- Since it was written or replayed, and what the latest one came to.
  tries integer not null default 0,
  code integer,
  detail text,
  -- The time of the next try; null once it has ended.
  due_at integer,
  created_at integer not null,
  check ((status = 'waiting') = (due_at is not null))
) strict;
create unique index webhook_messages_by_id on webhook_messages (app_id, webhook_id, id);
create index webhook_messages_due on webhook_messages (webhook_id, due_at) where due_at is not null;
create index webhook_messages_dead on webhook_messages (webhook_id, id) where status = 'dead';

-- What the messages of an app show of it.
create table brands (
  app_id text primary key references apps (id) on delete cascade,
  color text,
  support text,
  logo_id text,
  logo_type text,
  logo_width integer,
  logo_height integer,
  logo blob
) strict;

-- Edited messages: the kept versions of each language, the latest of which is in force. A version
-- without content is a reset to the built-in words.
create table templates (
  app_id text not null references apps (id) on delete cascade,
  locale text not null,
  version integer not null check (version > 0),
  variables text not null check (json_valid(variables)),
  created_at integer not null,
  content text check (json_valid(content)),
  unique (app_id, locale, version)
) strict;

create table api_keys (
  id text primary key,
  app_id text not null references apps (id) on delete cascade,
  mode text not null check (mode in ('live', 'test', 'inbound')),
  hash blob not null unique check (length(hash) = 32),
  prefix text not null,
  last_four text not null,
  created_at integer not null,
  revoked_at integer
) strict, without rowid;
create index api_keys_by_app on api_keys (app_id);

-- Ids begin with their time, so that rows which are written together are stored together. No column
-- that a wrong code changes is in an index.
create table verifications (
  id text primary key,
  app_id text not null,
  mode text not null check (mode in ('live', 'test')),
  started_by text not null check (started_by in ('v1', 'original')),
  -- The key of the recipient's row in `limits`.
  recipient_key blob not null,
  recipient_index blob not null,
  recipient_masked text not null,
  recipient_sealed blob,
  -- Null where the start gave none; cleared with the address.
  variables_sealed blob,
  -- The id of the recipient's previous verification, which may have been deleted.
  earlier_id text,
  -- Of the latest delivery.
  channel text not null,
  purpose text not null,
  locale text,
  metadata text,
  status text not null check (status in ('pending', 'approved', 'canceled')),
  code_key_id text not null,
  code_format text not null check (code_format in ('numeric', 'crockford')),
  code_length integer not null check (code_length between 6 and 13),
  code_generation integer not null,
  -- Null after an approval, a cancel or the expiry, when it is not needed any more.
  code_digest blob check (length(code_digest) = 32),
  reference text not null,
  attempts_spent integer not null default 0 check (attempts_spent between 0 and attempts_max),
  attempts_max integer not null,
  resends_spent integer not null default 0 check (resends_spent between 0 and resends_max),
  resends_max integer not null,
  created_at integer not null,
  expires_at integer not null,
  resend_at integer not null,
  -- JSON: the channels that it may use, in order, each with the number of its recipient and the masked
  -- address. The first one's recipient is the one above, others are in verification_recipients. Null
  -- where there is one channel, and recipient 0.
  route text check (json_valid(route)),
  -- When the next channel follows by itself, and the wait before that; null where none does.
  fall_back_at integer,
  fall_back_ms integer,
  -- JSON: the waits before each check, in ms; null without any. The next one is judged from
  -- check_at on.
  check_delays text check (json_valid(check_delays)),
  check_at integer,
  -- When codes were judged, with commas between; null before the first.
  checked_at text,
  -- The country and the time of its first hand-over to a telephone number; null before it.
  phone_country text,
  phone_at integer,
  -- The id of its latest delivery, and a copy of that one's status and detail.
  delivery_id text not null,
  delivery_status text not null,
  delivery_detail text
) strict, without rowid;
create index verifications_by_app on verifications (app_id, mode);
create index verifications_to_forget on verifications (expires_at) where code_digest is not null;

create index verifications_to_fall_back on verifications (fall_back_at)
  where fall_back_at is not null;
create index verifications_fall_back_from on verifications (fall_back_at - fall_back_ms)
  where fall_back_at is not null;

-- The recipients of a verification besides its first one, with the same columns.
create table verification_recipients (
  verification_id text not null,
  number integer not null check (number > 0),
  recipient_key blob not null,
  recipient_index blob not null,
  recipient_masked text not null,
  recipient_sealed blob,
  earlier_id text,
  primary key (verification_id, number)
) strict, without rowid;

create table deliveries (
  id text primary key,
  app_id text not null,
  mode text not null check (mode in ('live', 'test')),
  verification_id text not null,
  channel text not null,
  -- The endpoint of the next try; empty for a channel without endpoints.
  endpoint_id text not null,
  status text not null
    check (status in
      ('queued', 'sent', 'deferred', 'refused', 'undeliverable', 'bounced', 'delivered', 'failed')),
  detail text,
  tries integer not null default 0,
  created_at integer not null,
  expires_at integer not null,
  -- The time of the next try.
  try_at integer not null,
  -- When a node may claim it: at `try_at`, or at the end of the lease. Null once the delivery ended.
  due_at integer,
  -- The node that has leased it; empty when none has.
  leased_by text not null,
  -- JSON: why it goes through its endpoint; null where the app's route does not learn.
  chosen text check (json_valid(chosen))
) strict, without rowid;
create index deliveries_by_lane on deliveries (app_id, channel, endpoint_id, leased_by, due_at)
  where due_at is not null;
create index deliveries_to_expire on deliveries (expires_at) where due_at is not null;
create index deliveries_by_verification on deliveries (verification_id);

create table delivery_tries (
  delivery_id text not null,
  number integer not null,
  endpoint_id text,
  at integer not null,
  took_ms integer not null,
  status text not null check (status in ('sent', 'deferred', 'refused')),
  cause text,
  ambiguous integer not null check (ambiguous in (0, 1)),
  code text,
  detail text,
  remote_id text,
  primary key (delivery_id, number)
) strict, without rowid;

-- Addresses that an app sends nothing to for a while, because a server refused them. A row is kept
-- after its end, because another one soon after it lasts longer.
create table suppressions (
  app_id text not null,
  -- Of exactly this address, not of the folded one.
  recipient_index blob not null,
  id text not null unique,
  recipient_masked text not null,
  cause text not null check (cause in ('refused', 'bounced')),
  code text,
  since integer not null,
  until integer not null,
  primary key (app_id, recipient_index)
) strict, without rowid;
create index suppressions_by_app on suppressions (app_id, id);
create index suppressions_by_end on suppressions (until);

-- Tries through each endpoint, and how many of them ended with a refused recipient.
create table endpoint_minutes (
  app_id text not null,
  endpoint_id text not null,
  minute integer not null,
  tries integer not null,
  refusals integer not null,
  primary key (app_id, endpoint_id, minute)
) strict, without rowid;
create index endpoint_minutes_by_minute on endpoint_minutes (minute);
create index endpoint_minutes_refused on endpoint_minutes (minute) where refusals > 0;

-- What apps have learned of their endpoints, as the domain reads it.
create table learned_scores (
  app_id text primary key references apps (id) on delete cascade,
  version integer not null,
  -- The id of the last verification that was counted.
  after_id text not null,
  scores text not null check (json_valid(scores))
) strict;

-- Messages and approvals by day, domain or country of the recipient, and endpoint.
create table learned_days (
  app_id text not null,
  day integer not null,
  recipient_group text not null,
  endpoint_id text not null,
  handed_over integer not null,
  approved integer not null check (approved between 0 and handed_over),
  primary key (app_id, day, recipient_group, endpoint_id)
) strict, without rowid;
create index learned_days_by_age on learned_days (day);

-- Recipients that are not counted again on that day.
create table learned_recipients (
  app_id text not null,
  day integer not null,
  recipient_key blob not null,
  primary key (app_id, day, recipient_key)
) strict, without rowid;
create index learned_recipients_by_age on learned_recipients (day);

-- What the overview shows: counts of an app, or of all (empty), by time and by what verifications are
-- told apart by. Times are JSON: how many by length.
create table figures (
  app_id text not null,
  span_ms integer not null,
  at integer not null,
  part text not null,
  value text not null,
  started integer not null,
  handed_over integer not null,
  approved integer not null,
  failed integer not null,
  hand_over_times text not null check (json_valid(hand_over_times)),
  approval_times text not null check (json_valid(approval_times)),
  -- JSON: hashes of the first recipients of a domain on a day that is not over.
  recipients text check (json_valid(recipients)),
  primary key (app_id, span_ms, at, part, value)
) strict, without rowid;
create index figures_by_age on figures (span_ms, at);
create index figures_with_recipients on figures (at) where recipients is not null;

-- How far they are counted: verifications by id, and their ends by the id of the event.
create table figures_state (
  id integer primary key check (id = 1),
  version integer not null,
  after_id text not null,
  after_event integer not null,
  counted_until integer not null
) strict;

-- Telegram chats that persons let an app write to.
create table bindings (
  id text primary key,
  app_id text not null,
  mode text not null check (mode in ('live', 'test')),
  -- The number of the bot, which is a part of its token.
  bot text not null,
  status text not null check (status in ('waiting', 'asked', 'answered', 'active', 'declined')),
  -- SHA-256 of the payload of the link; null for a test binding.
  link_hash blob unique check (length(link_hash) = 32),
  -- The update that followed the link; null before.
  update_id integer,
  chat_index blob,
  chat_sealed blob,
  -- The id of the app's data key that `chat_sealed` was made with.
  key_id text,
  name text,
  created_at integer not null,
  expires_at integer
) strict, without rowid;
create index bindings_by_app on bindings (app_id, id);
create index bindings_with_end on bindings (app_id, mode, expires_at) where expires_at is not null;
create index bindings_by_end on bindings (expires_at) where expires_at is not null;
create index bindings_by_chat on bindings (app_id, chat_index) where chat_index is not null;

-- How far the updates of Telegram bots were handled.
create table bots (
  app_id text not null,
  bot text not null,
  next_update integer not null,
  at integer not null,
  primary key (app_id, bot)
) strict, without rowid;
create index bots_by_age on bots (at);

-- Hosted pages of verifications.
create table pages (
  verification_id text primary key,
  app_id text not null,
  mode text not null check (mode in ('live', 'test')),
  return_url text not null,
  -- JSON: the hash of the address of each recipient; null for an app without proofs.
  address_macs text check (json_valid(address_macs)),
  -- SHA-256 of the cookie of the browser that has opened it; null before.
  browser_hash blob check (length(browser_hash) = 32),
  -- SHA-256 of the token of its result, and how long that is valid; null before and once redeemed.
  result_hash blob unique check (length(result_hash) = 32),
  result_until integer,
  redeemed_at integer,
  kept_until integer not null
) strict, without rowid;
create index pages_by_app on pages (app_id);
create index pages_by_age on pages (kept_until);

-- Verifications that their recipients did not ask for.
create table page_reports (
  verification_id text primary key,
  app_id text not null,
  mode text not null check (mode in ('live', 'test')),
  at integer not null
) strict, without rowid;
create index page_reports_by_app on page_reports (app_id);
create index page_reports_by_age on page_reports (at);

-- Rate limits (GCRA): for each rate the theoretical arrival time of the next take, in epoch ms.
create table limits (
  key blob primary key,
  arrival_1 integer,
  arrival_2 integer,
  arrival_3 integer,
  -- In a recipient's row: the id of its latest verification.
  latest_id text,
  kept_until integer not null
) strict, without rowid;

-- Wrong codes of deleted verifications, for budget windows that are longer than verifications are
-- kept.
create table guess_failures (
  recipient_key blob not null,
  hour integer not null,
  failures integer not null,
  primary key (recipient_key, hour)
) strict, without rowid;
create index guess_failures_by_hour on guess_failures (hour);

-- The answers to requests with an Idempotency-Key.
create table answers (
  key blob primary key,
  app_id text not null,
  fingerprint blob not null,
  answer text not null check (json_valid(answer)),
  kept_at integer not null
) strict, without rowid;
create index answers_by_app on answers (app_id);
create index answers_by_age on answers (kept_at);

create table app_minutes (
  app_id text not null,
  minute integer not null,
  starts integer not null,
  checks integer not null,
  failures integer not null,
  approvals integer not null,
  cancels integer not null,
  resends integer not null,
  sent integer not null,
  deferred integer not null,
  refused integer not null,
  undeliverable integer not null,
  bounced integer not null,
  delivered integer not null,
  failed integer not null,
  primary key (app_id, minute)
) strict, without rowid;
create index app_minutes_by_minute on app_minutes (minute);

-- What messages have cost on a day (UTC), in millionths of the admin's currency.
create table app_costs (
  app_id text not null,
  day integer not null,
  spent integer not null check (spent >= 0),
  primary key (app_id, day)
) strict, without rowid;
create index app_costs_by_day on app_costs (day);

-- Verifications that were handed over to telephone numbers of a country, by the ten minutes of
-- their first hand-over, and how many of them were approved.
create table app_countries (
  app_id text not null,
  country text not null,
  slot integer not null,
  handed integer not null,
  approved integer not null,
  primary key (app_id, country, slot)
) strict, without rowid;
create index app_countries_by_slot on app_countries (slot);

create table events (
  id integer primary key autoincrement,
  at integer not null,
  app_id text,
  type text not null,
  verification_id text,
  data text not null check (json_valid(data))
) strict;
create index events_by_app on events (app_id);
create index events_by_age on events (at);
-- What the rows of a verification and its tries do not tell the time of. An approval and a hand-over are
-- not in it, so that they write no page more.
create index events_of_verification on events (verification_id)
  where type in ('verification.canceled', 'verification.expired', 'delivery.undeliverable',
    'delivery.delayed', 'delivery.bounced', 'delivery.delivered', 'delivery.failed');

create table alarms (
  id integer primary key autoincrement,
  kind text not null,
  app_id text,
  endpoint_id text,
  since integer not null,
  until integer
) strict;
create unique index alarms_open on alarms (kind, ifnull(app_id, ''), ifnull(endpoint_id, ''))
  where until is null;
create index alarms_by_app on alarms (app_id);

create table inbox (
  id integer primary key autoincrement,
  delivery_id text not null unique,
  app_id text not null,
  verification_id text not null,
  recipient_sealed blob not null,
  variables_sealed blob,
  at integer not null
) strict;
create index inbox_by_app on inbox (app_id);

create table nodes (
  id text primary key,
  seen_at integer not null,
  keyset_version integer not null,
  -- Of the master key that it holds for the next rotation; null without one.
  next_key_id text
) strict, without rowid;

create table turns (
  job text primary key,
  node text not null,
  until integer not null
) strict, without rowid;

create table audit (
  id integer primary key,
  at integer not null,
  who text not null,
  action text not null,
  object text not null,
  detail text not null,
  request_id text,
  link blob not null check (length(link) = 32)
) strict;

create table audit_state (
  only integer primary key check (only = 1),
  id integer not null,
  link blob not null,
  cut_id integer not null,
  cut_link blob not null,
  cut_at integer not null,
  seal blob not null
) strict;

-- People who use the dashboard. Removed ones stay while audit records name them.
create table accounts (
  id text primary key,
  name text not null,
  role text not null check (role in ('admin', 'viewer')),
  -- Argon2id; null for a person who was invited.
  password_hash text,
  -- Whether the password suffices without a second step.
  password_is_long integer not null check (password_is_long in (0, 1)),
  -- A secret for time-based codes, sealed with a data key of its own.
  second_step_key_id text,
  second_step_key blob,
  second_step_sealed blob,
  -- The time step of the last code that was used.
  second_step_used integer,
  created_at integer not null,
  signed_in_at integer,
  removed_at integer,
  check ((second_step_sealed is null) = (second_step_key is null))
) strict, without rowid;
create index accounts_by_removal on accounts (removed_at) where removed_at is not null;

-- Browsers that are signed in.
create table sessions (
  id text primary key,
  account_id text not null references accounts (id) on delete cascade,
  -- Keyed hash of the token in the cookie.
  token_hash blob not null unique check (length(token_hash) = 32),
  created_at integer not null,
  seen_at integer not null,
  expires_at integer not null,
  confirmed_until integer not null,
  client text not null,
  browser text not null
) strict, without rowid;
create index sessions_by_account on sessions (account_id, created_at);
create index sessions_by_end on sessions (expires_at);

-- One-time links to a new password; `account_id` is null for one that makes an account.
create table links (
  token_hash blob primary key check (length(token_hash) = 32),
  account_id text references accounts (id) on delete cascade,
  created_at integer not null,
  expires_at integer not null
) strict, without rowid;
create index links_by_account on links (account_id) where account_id is not null;
create index links_by_end on links (expires_at);

-- Failures to sign in, by keyed hashes of names and addresses.
create table sign_ins (
  key blob primary key,
  count integer not null,
  at integer not null
) strict, without rowid;
create index sign_ins_by_age on sign_ins (at);
