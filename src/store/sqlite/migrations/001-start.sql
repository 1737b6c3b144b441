create table facts (
  name text primary key,
  value blob not null
) strict, without rowid;

create table apps (
  id text primary key,
  name text not null,
  policy text not null check (json_valid(policy)),
  secret_key_index blob unique,
  data_key_id text not null,
  data_key blob not null,
  alarm_at integer,
  created_at integer not null,
  updated_at integer not null
) strict, without rowid;

create table email_channels (
  app_id text primary key references apps (id) on delete cascade,
  host text not null,
  port integer not null check (port between 1 and 65535),
  security text not null check (security in ('tls', 'starttls', 'none')),
  user text,
  from_address text not null,
  from_name text,
  password_sealed blob,
  public_only integer not null check (public_only in (0, 1)),
  updated_at integer not null
) strict, without rowid;

create table api_keys (
  id text primary key,
  app_id text not null references apps (id) on delete cascade,
  mode text not null check (mode in ('live', 'test')),
  hash blob not null unique check (length(hash) = 32),
  prefix text not null,
  last_four text not null,
  created_at integer not null,
  revoked_at integer
) strict, without rowid;
create index api_keys_by_app on api_keys (app_id);

-- The rows of one moment lie side by side (rowid), whatever their random ids: checks hit recent
-- rows, so few pages are hot however many are stored.
create table verifications (
  seq integer primary key,
  id text not null unique,
  app_id text not null,
  mode text not null check (mode in ('live', 'test')),
  recipient_index blob not null,
  recipient_masked text not null,
  recipient_sealed blob,
  budget_key blob not null,
  -- The one before it of the same recipient: an index by recipient would write a page of its own
  -- with every start, and be asked for the few latest only.
  earlier_seq integer,
  channel text not null,
  purpose text not null,
  locale text,
  metadata text,
  status text not null check (status in ('pending', 'approved', 'canceled')),
  code_key_id text not null,
  code_format text not null check (code_format in ('numeric', 'crockford')),
  code_length integer not null check (code_length between 4 and 13),
  code_generation integer not null,
  code_digest blob check (length(code_digest) = 32),
  reference text not null,
  attempts_spent integer not null default 0 check (attempts_spent between 0 and attempts_max),
  attempts_max integer not null,
  resends_spent integer not null default 0 check (resends_spent between 0 and resends_max),
  resends_max integer not null,
  created_at integer not null,
  expires_at integer not null,
  resend_at integer not null,
  delivery_id text not null,
  delivery_status text not null,
  delivery_detail text
) strict;
create index verifications_by_app on verifications (app_id);
create index verifications_to_forget on verifications (expires_at)
  where recipient_sealed is not null;

create table deliveries (
  id text primary key,
  app_id text not null,
  verification_id text not null,
  channel text not null,
  status text not null
    check (status in ('queued', 'sent', 'deferred', 'refused', 'undeliverable')),
  detail text,
  tries integer not null default 0,
  -- When it may be claimed: the retry, or the end of the lease that somebody has; null when ended.
  due_at integer,
  leased integer not null default 0 check (leased in (0, 1)),
  created_at integer not null,
  expires_at integer not null
) strict, without rowid;
create index deliveries_due on deliveries (due_at) where due_at is not null;

-- GCRA: the theoretical arrival time of the next taker, epoch ms.
create table limits (
  key blob primary key,
  arrival_at integer not null,
  -- In the row of a budget, which lies beside the recipient's rates: its latest verification.
  latest_seq integer
) strict, without rowid;

-- Failures of verifications that were swept: a budget looks further back than they are kept.
create table guess_failures (
  budget_key blob not null,
  hour integer not null,
  failures integer not null,
  primary key (budget_key, hour)
) strict, without rowid;

create table idempotency (
  key blob primary key,
  app_id text not null,
  fingerprint blob not null,
  verification_id text not null,
  answer text,
  kept_at integer not null
) strict, without rowid;
create index idempotency_by_age on idempotency (kept_at);

create table app_minutes (
  app_id text not null,
  minute integer not null,
  starts integer not null default 0,
  checks integer not null default 0,
  failures integer not null default 0,
  approvals integer not null default 0,
  cancels integer not null default 0,
  resends integer not null default 0,
  sent integer not null default 0,
  deferred integer not null default 0,
  refused integer not null default 0,
  undeliverable integer not null default 0,
  primary key (app_id, minute)
) strict, without rowid;

create table events (
  id integer primary key autoincrement,
  at integer not null,
  app_id text not null,
  type text not null,
  verification_id text,
  data text not null
) strict;
create index events_by_app on events (app_id);

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
