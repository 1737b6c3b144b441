import { Problem, type ProblemCode, problemTitles } from '../../domain/problem.ts'
import type { Reply } from './api.ts'

/**
 * The status of every problem; the compiler checks that none is missing. 422 is for a request that
 * is wrong by itself, 409 for one that the current state does not allow.
 */
export const problemStatuses: Record<ProblemCode, number> = {
  invalid_request: 422,
  malformed_json: 400,
  body_too_large: 413,
  unsupported_media_type: 415,
  method_not_allowed: 405,
  not_found: 404,
  misdirected_request: 421,
  unauthorized: 401,
  sign_in_refused: 401,
  second_step_required: 401,
  forbidden: 403,
  confirmation_required: 403,
  foreign_origin: 403,
  link_not_found: 404,
  account_not_found: 404,
  account_name_taken: 409,
  too_many_accounts: 409,
  last_admin: 409,
  session_not_found: 404,
  registration_closed: 401,
  secret_key_taken: 409,
  app_not_found: 404,
  app_paused: 409,
  key_not_found: 404,
  too_many_keys: 409,
  endpoint_not_found: 404,
  suppression_not_found: 404,
  recipient_not_found: 404,
  recipient_not_answered: 409,
  bot_unavailable: 503,
  too_many_endpoints: 409,
  dkim_key_not_found: 404,
  too_many_dkim_keys: 409,
  webhook_not_found: 404,
  too_many_webhooks: 409,
  message_not_found: 404,
  template_not_found: 404,
  too_many_templates: 409,
  secret_required: 409,
  host_not_public: 422,
  login_refused: 422,
  channel_not_configured: 409,
  verification_not_found: 404,
  verification_expired: 409,
  verification_exhausted: 409,
  verification_used: 409,
  verification_canceled: 409,
  rate_limited: 429,
  budget_exhausted: 429,
  delivery_backlog: 503,
  check_too_early: 429,
  resend_too_early: 429,
  sends_exhausted: 409,
  page_unavailable: 409,
  proof_off: 409,
  result_not_found: 404,
  idempotency_key_reused: 422,
  backup_elsewhere: 409,
  backup_running: 409,
  backup_failed: 503,
  too_many_streams: 503,
  store_unavailable: 503,
  shutting_down: 503,
  internal_error: 500,
}

/** Converts an error to a problem; a bug becomes `internal_error`, and only the log has details. */
export function toProblem(error: unknown): Problem {
  return error instanceof Problem ? error : new Problem('internal_error')
}

/** A problem as RFC 9457, with `code` for programs. */
export function problemJson({ code, extra }: Problem, requestId: string): Reply {
  const status = problemStatuses[code]
  const body = {
    type: `urn:otpmint:problem:${code}`,
    title: problemTitles[code],
    status,
    detail: extra.detail,
    instance: `urn:otpmint:request:${requestId}`,
    code,
    request_id: requestId,
    errors: extra.errors,
    limit: extra.limit,
  }
  return {
    status,
    type: 'application/problem+json',
    body: JSON.stringify(body),
    headers: problemHeaders(status, extra.retryAfterSeconds),
  }
}

export function problemHeaders(status: number, retryAfterSeconds?: number) {
  const wait = retryAfterSeconds ?? (status === 503 ? 5 : undefined)
  return {
    ...(wait !== undefined && { 'retry-after': String(Math.max(1, Math.ceil(wait))) }),
    ...(status === 401 && { 'www-authenticate': 'Bearer' }),
  }
}

/** The kind and place of an error, without its message, which may contain secrets. */
export function originOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line))
  return [error.name, ...frames.slice(0, 5).map((frame) => frame.trim())].join(' ')
}
