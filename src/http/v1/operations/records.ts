import { t } from 'elysia'
import { counterNames } from '../../../domain/stores.ts'
import type { Operation } from '../../core/route.ts'
import { pageQuery } from '../components/page.ts'
import {
  alarmPage,
  appField,
  auditPage,
  eventPage,
  eventTypeField,
  statsQuery,
  statsSchema,
} from '../components/records.ts'

const tag = 'Records'
const at = '2026-11-22T09:00:00.000Z'
const app = '7hQm2VtY4cRkBz0LxPwE1s'
const noCounts = Object.fromEntries(counterNames.map((name) => [name, 0]))

export const getStats = {
  id: 'getStats',
  tag,
  summary: 'Counts over time',
  description:
    'Starts, checks, failures and outcomes of messages; at most 2,000 buckets. With ' +
    '`by=endpoint,domain` what a learned route has counted: messages and approvals by endpoint and ' +
    'domain or country over whole days.',
  query: statsQuery,
  answers: {
    200: {
      description: 'One row a bucket, oldest first.',
      schema: statsSchema,
      example: {
        bucket: 'hour',
        from: '2026-11-20T09:00:00.000Z',
        to: at,
        items: [{ at: '2026-11-22T08:00:00.000Z', ...noCounts, starts: 12 }],
      },
    },
  },
  problems: ['invalid_request'],
} satisfies Operation

export const listEvents = {
  id: 'listEvents',
  tag,
  summary: 'List events, the newest first',
  query: pageQuery('number', { app: appField, type: eventTypeField }),
  answers: {
    200: {
      description: 'One page.',
      schema: eventPage,
      example: {
        items: [
          {
            id: 7,
            at,
            app,
            type: 'delivery.sent',
            verification: '0Uw3Xa8bQ2sXyKBqCk1uT5vYw8ZaDf',
            data: {},
          },
        ],
        next_cursor: null,
      },
    },
  },
  problems: ['invalid_request'],
} satisfies Operation

export const listAlarms = {
  id: 'listAlarms',
  tag,
  summary: 'List alarms, the newest first',
  query: pageQuery('number', {
    app: appField,
    open: t.Optional(t.Boolean({ description: 'True: only those that are on.' })),
  }),
  answers: {
    200: {
      description: 'One page.',
      schema: alarmPage,
      example: {
        items: [
          {
            id: 3,
            kind: 'login_refused',
            app,
            endpoint: '4kT9wQ2nB7xV0mL5sR8yZ1',
            since: at,
            until: null,
            what_to_do: 'Set the password of this endpoint again, as its provider has it now.',
          },
        ],
        next_cursor: null,
      },
    },
  },
  problems: ['invalid_request'],
} satisfies Operation

export const listAudit = {
  id: 'listAudit',
  tag,
  summary: 'Read the audit log, the newest first',
  description: '`otpmint audit verify` finds removed and changed records.',
  query: pageQuery('number', {}),
  answers: {
    200: {
      description: 'One page.',
      schema: auditPage,
      example: {
        items: [
          {
            id: 1,
            at,
            who: 'admin',
            action: 'app.create',
            object: app,
            detail: 'name Acme',
            request_id: '3q2-7wEBAgMEBQYH',
          },
        ],
        next_cursor: null,
      },
    },
  },
  problems: ['invalid_request'],
} satisfies Operation
