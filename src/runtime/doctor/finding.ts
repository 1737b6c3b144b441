import type { Finding } from '../../domain/server.ts'

export function ok(check: string, detail: string): Finding {
  return { check, status: 'ok', detail, next: null }
}

export function warning(check: string, detail: string, next: string): Finding {
  return { check, status: 'warning', detail, next }
}

export function failed(check: string, detail: string, next: string): Finding {
  return { check, status: 'failed', detail, next }
}

export const restoreIt = 'stop the server and restore a backup: "otpmint help restore"'
