import { type RangeName, readOverview } from '../../domain/figures/overview.ts'
import { Problem } from '../../domain/problem.ts'
import { presentOverview } from '../../present/overview.ts'
import type { Reply } from '../core/api.ts'
import { json } from '../core/pipeline.ts'
import type { RoutePorts } from '../core/route.ts'
import type { AdminCall } from './api.ts'

type Query = { app?: string; range?: RangeName }

export async function get(ports: RoutePorts, { query }: { query: Query }): Promise<Reply> {
  const { app: appId = null, range = 'day' } = query
  if (appId !== null && (await ports.apps.get(appId)) === null) throw new Problem('app_not_found')
  const overview = await readOverview(ports, { appId, range })
  const names = new Map<string, string | null>()
  for (const { value } of overview.by.app) {
    const app = await ports.apps.get(value)
    if (app) names.set(value, app.name)
  }
  return json(presentOverview(overview, { appId, names }))
}

/** Seconds that a connection may be silent; there is a comment more often. */
const patienceSeconds = 30

export function follow({ live }: RoutePorts, { patience }: AdminCall): Reply {
  const body = live.open()
  patience(patienceSeconds)
  // nginx would gather the events and pass on many at a time.
  const headers = { 'x-accel-buffering': 'no' }
  return { status: 200, type: 'text/event-stream', body, headers }
}
