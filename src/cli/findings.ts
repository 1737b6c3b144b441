/** What one check of `doctor` found; `next` says what to do about it. */
export type Finding = {
  check: string
  status: 'ok' | 'warning' | 'failed'
  detail: string
  next: string | null
}

export function ok(check: string, detail: string): Finding {
  return { check, status: 'ok', detail, next: null }
}

export function warning(check: string, detail: string, next: string): Finding {
  return { check, status: 'warning', detail, next }
}

export function failed(check: string, detail: string, next: string): Finding {
  return { check, status: 'failed', detail, next }
}
