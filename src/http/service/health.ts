import { t } from 'elysia'
import { Problem } from '../../domain/problem.ts'
import type { Reply } from '../core/api.ts'
import { json } from '../core/pipeline.ts'
import type { Operation, RoutePorts } from '../core/route.ts'
import { output } from '../core/schema.ts'

const tag = 'Operations'
const health = output('Health', { status: t.String({ description: '`ok` or `ready`.' }) })

export const healthz = {
  id: 'healthz',
  tag,
  summary: 'Is the process alive?',
  answers: { 200: { description: 'Yes.', schema: health, example: { status: 'ok' } } },
} satisfies Operation

export function alive(): Reply {
  return json({ status: 'ok' })
}

export const readyz = {
  id: 'readyz',
  tag,
  summary: 'Is the server ready?',
  description:
    'The database takes writes, the keys are right, the clock agrees with that of PostgreSQL where ' +
    'that is the database, and the server is not stopping.',
  answers: { 200: { description: 'Yes.', schema: health, example: { status: 'ready' } } },
  problems: ['store_unavailable', 'shutting_down'],
} satisfies Operation

export async function ready({
  ready: isReady,
  stopping,
}: Pick<RoutePorts, 'ready' | 'stopping'>): Promise<Reply> {
  if (stopping()) throw new Problem('shutting_down')
  if (!(await isReady())) throw new Problem('store_unavailable')
  return json({ status: 'ready' })
}
