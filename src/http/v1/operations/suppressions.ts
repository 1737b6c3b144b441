import type { Operation } from '../../core/route.ts'
import { id, timedId } from '../../core/schema.ts'
import { pageQuery } from '../components/page.ts'
import { suppressedAddress, suppressionPage } from '../components/suppression.ts'

const tag = 'Apps'
const params = { id: id('The app’s id.') }

export const listSuppressions = {
  id: 'listSuppressions',
  tag,
  summary: 'List addresses that get no messages for a while',
  description: 'Those in force, the newest first.',
  params,
  query: pageQuery('timedId', {}),
  answers: {
    200: {
      description: 'One page.',
      schema: suppressionPage,
      example: {
        items: [
          {
            id: '0Uw3Xa8bQ2sXyKBqCk1uT5vYw8ZaDf',
            to: 'a***@example.com',
            cause: 'refused',
            code: '550 5.1.1',
            since: '2026-11-22T09:00:00.000Z',
            until: '2026-11-23T09:00:00.000Z',
          },
        ],
        next_cursor: null,
      },
    },
  },
  problems: ['invalid_request', 'app_not_found'],
} satisfies Operation

export const removeSuppression = {
  id: 'removeSuppression',
  tag,
  summary: 'Remove a suppression',
  params: { ...params, suppression_id: timedId('The suppression’s id.') },
  answers: { 204: { description: 'Removed.' } },
  problems: ['app_not_found', 'suppression_not_found'],
} satisfies Operation

export const removeSuppressedAddress = {
  id: 'removeSuppressedAddress',
  tag,
  summary: 'Remove the suppression of an address',
  params,
  body: suppressedAddress,
  example: { to: 'ada@example.com' },
  answers: { 204: { description: 'Removed.' } },
  problems: ['invalid_request', 'app_not_found', 'suppression_not_found'],
} satisfies Operation
