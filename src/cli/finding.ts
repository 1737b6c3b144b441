import type { DnsFinding } from '../domain/ports.ts'
import type { RuntimeFinding } from '../runtime/control.ts'

/** The result of one check; a running server adds its own. */
export type Finding = RuntimeFinding & { record?: DnsFinding['record'] }

export function ok(check: string, detail: string): Finding {
  return { check, status: 'ok', detail, next: null }
}

export function warning(check: string, detail: string, next: string): Finding {
  return { check, status: 'warning', detail, next }
}

export function failed(check: string, detail: string, next: string): Finding {
  return { check, status: 'failed', detail, next }
}
