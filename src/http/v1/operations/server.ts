import type { Operation } from '../../core/route.ts'
import {
  backUpRequest,
  backupSchema,
  backupsSchema,
  examineRequest,
  findingsSchema,
  serverSchema,
  verdictQuery,
  verdictSchema,
} from '../components/server.ts'

const tag = 'Records'
const at = '2026-11-22T09:00:00.000Z'
const finding = { check: 'disk', status: 'ok', detail: '20480 MiB free', next: null }
const backup = { name: 'otpmint-2026-11-22T09-00-00-000Z.db', bytes: 1_048_576, made_at: at }

export const getServer = {
  id: 'getServer',
  tag,
  summary: 'What this server is and how it is set',
  description: 'Settings in force and where each came from, without secrets.',
  answers: {
    200: {
      description: 'The server.',
      schema: serverSchema,
      example: {
        version: '0.1.0',
        url: 'http://127.0.0.1:5000',
        started_at: at,
        node: 'V1dGx0Yq',
        nodes: [{ id: 'V1dGx0Yq', seen_at: at }],
        database: { kind: 'sqlite', bytes: 1_048_576 },
        disk: { free_bytes: 21_474_836_480, total_bytes: 53_687_091_200 },
        settings: [
          {
            name: 'OTPMINT_PORT',
            section: 'Server',
            value: '5000',
            source: 'default',
            says: 'The TCP port to listen on; 0 picks a free one.',
          },
        ],
        findings: [finding],
      },
    },
  },
} satisfies Operation

export const examineServer = {
  id: 'examineServer',
  tag,
  summary: 'Check everything, as otpmint doctor does',
  description:
    'Reads the whole database, and connects and logs in to every endpoint; sends no message. ' +
    'Calls at the same time share one examination, and those of other apps wait for it.',
  reads: true,
  body: examineRequest,
  example: {},
  answers: {
    200: { description: 'What was found.', schema: findingsSchema, example: { items: [finding] } },
  },
  problems: ['invalid_request', 'app_not_found'],
} satisfies Operation

export const listBackups = {
  id: 'listBackups',
  tag,
  summary: 'List the copies of the database in the data directory',
  answers: {
    200: { description: 'The copies.', schema: backupsSchema, example: { items: [backup] } },
  },
  problems: ['backup_elsewhere'],
} satisfies Operation

export const createBackup = {
  id: 'createBackup',
  tag,
  summary: 'Write a copy of the database into the data directory',
  description:
    'Consistent and checked, in `backups/` and nowhere else; the newest five are kept. The master ' +
    'key is not in it. A disk that fails takes these copies along: keep others elsewhere.',
  sensitive: true,
  body: backUpRequest,
  example: {},
  answers: {
    201: { description: 'On disk.', schema: backupSchema, example: backup },
  },
  problems: ['invalid_request', 'backup_elsewhere', 'backup_running', 'backup_failed'],
} satisfies Operation

export const getAuditVerdict = {
  id: 'getAuditVerdict',
  tag,
  summary: 'Check that the audit log is unchanged',
  description: 'Walks the whole chain, as `otpmint audit verify` does.',
  query: verdictQuery,
  answers: {
    200: {
      description: 'The verdict.',
      schema: verdictSchema,
      example: { ok: true, records: 12, head: `12:${'3f'.repeat(32)}` },
    },
  },
  problems: ['invalid_request'],
} satisfies Operation
