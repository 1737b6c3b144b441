import type { Backup, Finding, ServerFacts } from '../domain/server.ts'
import { timestamp } from '../present.ts'

export function presentServer({ startedAt, node, nodes, disk, ...facts }: ServerFacts) {
  return {
    version: facts.version,
    url: facts.url,
    started_at: timestamp(startedAt),
    node,
    nodes: nodes.map(({ id, seenAt }) => ({ id, seen_at: timestamp(seenAt) })),
    database: facts.database,
    disk: disk && { free_bytes: disk.freeBytes, total_bytes: disk.totalBytes },
    settings: facts.settings,
    findings: facts.findings.map(presentFinding),
  }
}

export function presentFinding({ check, status, detail, next, record }: Finding) {
  return { check, status, detail, next, ...(record && { record }) }
}

export function presentBackup({ name, bytes, at }: Backup) {
  return { name, bytes, made_at: timestamp(at) }
}
