import { t } from 'elysia'
import { examinedMax } from '../../../domain/server.ts'
import {
  count,
  id,
  input,
  nullable,
  object,
  oneOf,
  output,
  shaped,
  time,
} from '../../core/schema.ts'

const text = (description: string) => t.String({ description })

const findingSchema = output('Finding', {
  check: text('What was checked.'),
  status: oneOf(['ok', 'warning', 'failed'], 'How it is.'),
  detail: text('What was found.'),
  next: nullable(t.String(), 'What to do; null where nothing is to be done.'),
  record: t.Optional(
    nullable(
      output('DnsRecord', {
        name: text('The name.'),
        type: text('The type.'),
        value: text('The value.'),
      }),
      'A record to put into the DNS.',
    ),
  ),
})

export const findingsSchema = output('Findings', {
  items: t.Array(findingSchema, { description: 'In the order of the checks.' }),
})

export const serverSchema = output('Server', {
  version: text('The version of the executable.'),
  url: text('Where it listens.'),
  started_at: time('When it was started.'),
  node: text('The name of this process among those that serve the database.'),
  nodes: t.Array(
    output('Node', { id: text('Its name.'), seen_at: time('When it was last seen.') }),
    {
      description: 'The processes that serve the database.',
    },
  ),
  database: output('Database', {
    kind: oneOf(['sqlite', 'postgres'], 'Which database.'),
    bytes: nullable(t.Number(), 'The size of its file; null for PostgreSQL.'),
  }),
  disk: nullable(
    output('Disk', {
      free_bytes: count('What is free for the server.'),
      total_bytes: count('Its size.'),
    }),
    'The disk of the data directory; null for PostgreSQL.',
  ),
  settings: t.Array(
    output('SettingInForce', {
      name: text('The environment variable.'),
      section: text('Its section in docs/configuration.md.'),
      value: text('The value; of a secret only whether it is set.'),
      source: oneOf(
        ['flag', 'environment', 'file', 'default', 'command'],
        'Where it came from; `command` is one that sets it by itself, such as `serve --dev`.',
      ),
      says: text('What it is for.'),
    }),
    { description: 'Every setting, in the order of docs/configuration.md.' },
  ),
  findings: t.Array(findingSchema, {
    description: 'What can be said without connecting anywhere; an examination says more.',
  }),
})

const backupFields = {
  name: text('The name of the file in `backups/` of the data directory.'),
  bytes: count('Its size.'),
  made_at: time('When it was made.'),
}
export const backupSchema = output('Backup', backupFields)
export const backupsSchema = output('Backups', {
  items: t.Array(backupSchema, { description: 'Newest first, at most five.' }),
})

export const verdictSchema = output('AuditVerdict', {
  ok: t.Boolean({ description: 'True where no record was changed, moved or deleted.' }),
  records: count('How many records are there, or are right before the fault.'),
  head: t.Optional(
    text('The end of the chain; keep it elsewhere and give it as `expect_head` later.'),
  ),
  fault: t.Optional(text('What is wrong.')),
})

export const verdictQuery = object({
  expect_head: t.Optional(
    shaped(
      '^[0-9]{1,15}:[0-9a-f]{64}$',
      'must be a head as an earlier answer had it',
      'A head that was kept; it must be in the log.',
    ),
  ),
})

export const examineRequest = input('ExamineRequest', {
  app: t.Optional(
    id(
      `Only this app’s endpoints, and its DNS and webhooks too. Needed where all apps together have more than ${examinedMax} endpoints.`,
    ),
  ),
})
export const backUpRequest = input('BackUpRequest', {})
