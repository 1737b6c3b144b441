/** A table that both stores have, and how its rows are moved from one to the other. */
export type Table = {
  name: string
  /** The columns that tell rows apart, in the order of an index that both databases have. */
  key: string[]
  /** Rows that are read at a time; fewer where a row may be large. */
  page?: number
  /** Columns with another name in PostgreSQL. */
  renamed?: Record<string, string>
  /** Columns that only PostgreSQL has, with what is written to them. */
  added?: Record<string, number>
  /** Rows that differ in `added` columns only are one row of SQLite, with sums. */
  isSummed?: true
  /** Rows of other tables go with its rows. */
  isReferred?: true
  /** A column that the database counts up, so that no number is given twice. */
  counter?: string
  /** A condition on the rows that are moved. */
  only?: string
}

/** Facts of `meta` that belong to one database: its moves, its probe, the run that wrote it last. */
const ownFacts = ['move', 'ready', 'run_id']

const largeRows = 50

/** Every table that is moved; one that another refers to comes before it. */
export const tables: Table[] = [
  { name: 'apps', key: ['id'], added: { stamp: 1 }, isReferred: true },
  { name: 'endpoints', key: ['id'] },
  { name: 'dkim_keys', key: ['id'] },
  { name: 'webhooks', key: ['id'] },
  { name: 'webhook_messages', key: ['number'], counter: 'number' },
  { name: 'brands', key: ['app_id'], page: largeRows },
  { name: 'templates', key: ['app_id', 'locale', 'version'], page: largeRows },
  { name: 'api_keys', key: ['id'] },
  { name: 'learned_scores', key: ['app_id'], page: largeRows },
  { name: 'learned_days', key: ['app_id', 'day', 'recipient_group', 'endpoint_id'] },
  { name: 'learned_recipients', key: ['app_id', 'day', 'recipient_key'] },
  { name: 'figures', key: ['app_id', 'span_ms', 'at', 'part', 'value'] },
  { name: 'figures_state', key: ['id'] },
  { name: 'suppressions', key: ['app_id', 'recipient_index'] },
  { name: 'bindings', key: ['id'] },
  { name: 'bots', key: ['app_id', 'bot'] },
  { name: 'pages', key: ['verification_id'] },
  { name: 'page_reports', key: ['verification_id'] },
  { name: 'verifications', key: ['id'] },
  { name: 'verification_recipients', key: ['verification_id', 'number'] },
  { name: 'deliveries', key: ['id'] },
  { name: 'delivery_tries', key: ['delivery_id', 'number'] },
  { name: 'limits', key: ['key'] },
  { name: 'guess_failures', key: ['recipient_key', 'hour'] },
  { name: 'answers', key: ['key'] },
  { name: 'app_minutes', key: ['app_id', 'minute'], added: { shard: 0 }, isSummed: true },
  { name: 'app_costs', key: ['app_id', 'day'] },
  { name: 'app_countries', key: ['app_id', 'country', 'slot'] },
  { name: 'endpoint_minutes', key: ['app_id', 'endpoint_id', 'minute'] },
  { name: 'events', key: ['id'], counter: 'id' },
  { name: 'alarms', key: ['id'], counter: 'id' },
  // By the delivery, because a message that is written again replaces the one with another id.
  { name: 'inbox', key: ['delivery_id'], counter: 'id' },
  { name: 'accounts', key: ['id'], isReferred: true },
  { name: 'sessions', key: ['id'] },
  { name: 'links', key: ['token_hash'] },
  { name: 'sign_ins', key: ['key'] },
  { name: 'audit', key: ['id'] },
  { name: 'audit_state', key: ['only'], renamed: { only: 'single' } },
  {
    name: 'meta',
    key: ['name'],
    only: `name not in (${ownFacts.map((fact) => `'${fact}'`).join(', ')})`,
  },
]

/** Tables of either store that are not moved, and why. */
export const unmoved: Record<string, string> = {
  nodes: 'the servers that run now; those of the new database write their own rows',
  turns: 'which server does a job now; it is taken anew within a minute',
  schema_version: 'the new database has the schema of its own store',
}

export const pageRows = 5_000
