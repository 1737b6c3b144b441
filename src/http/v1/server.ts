import { verifyAudit } from '../../domain/audit.ts'
import { makeBackup, requireBackups, requireFewEndpoints } from '../../domain/server.ts'
import { presentBackup, presentFinding, presentServer } from '../../present/server.ts'
import type { Reply } from '../core/api.ts'
import { json } from '../core/pipeline.ts'
import type { RoutePorts } from '../core/route.ts'
import type { AdminCall } from './api.ts'

/** Seconds that an examination or a backup may take before the connection counts as idle. */
const patienceSeconds = 240

export async function get({ installation }: RoutePorts): Promise<Reply> {
  return json(presentServer(await installation.describe()))
}

export async function examine(
  ports: RoutePorts,
  { body, patience }: AdminCall & { body: { app?: string } },
): Promise<Reply> {
  const appId = body.app ?? null
  await requireFewEndpoints(ports, appId)
  patience(patienceSeconds)
  return json({ items: (await ports.installation.examine(appId)).map(presentFinding) })
}

export async function listBackups({ installation }: RoutePorts): Promise<Reply> {
  const backups = await requireBackups(installation).list()
  return json({ items: backups.map(presentBackup) })
}

export async function backUp(ports: RoutePorts, { actor, patience }: AdminCall): Promise<Reply> {
  patience(patienceSeconds)
  const { backups } = ports.installation
  return json(presentBackup(await makeBackup({ ...ports, backups }, actor)), 201)
}

export async function auditVerdict(
  ports: RoutePorts,
  { query, patience }: AdminCall & { query: { expect_head?: string } },
): Promise<Reply> {
  patience(patienceSeconds)
  const keptMs = ports.installation.auditKeptMs
  const now = ports.clock.now()
  return json(await verifyAudit(ports, { now, keptMs, expectHead: query.expect_head }))
}
