/**
 * The closed catalogue of refusals. A code is public API and never changes its meaning; titles and
 * details may. Each has an HTTP status in http/core/problems.ts, which the compiler checks, and a
 * section in docs/api.md, which test/http/api-page.test.ts checks.
 */
export const problemTitles = {
  invalid_request: 'A field is missing or wrong',
  malformed_json: 'The body is not valid JSON',
  body_too_large: 'The body is too large',
  unsupported_media_type: 'The body has the wrong media type',
  method_not_allowed: 'This path does not answer that method',
  not_found: 'There is nothing here',
  misdirected_request: 'This host name is not served here',
  unauthorized: 'A valid key is needed',
  sign_in_refused: 'The name, the password or the code is wrong',
  second_step_required: 'The code of the second step is needed',
  forbidden: 'This account may only read',
  confirmation_required: 'The password is needed again',
  foreign_origin: 'This request comes from another page',
  link_not_found: 'This link was used or has expired',
  account_not_found: 'No such account',
  account_name_taken: 'Another account has this name',
  too_many_accounts: 'There are a hundred accounts already',
  last_admin: 'This is the last account of an admin',
  session_not_found: 'No such session',
  registration_closed: 'Registration is closed',
  secret_key_taken: 'This secretKey is taken',
  app_not_found: 'No such app',
  app_paused: 'This app is paused',
  key_not_found: 'No such key',
  too_many_keys: 'Two keys of this mode are active already',
  endpoint_not_found: 'No such endpoint',
  suppression_not_found: 'No such suppression',
  recipient_not_found: 'No such recipient',
  recipient_not_answered: 'The person has not agreed',
  bot_unavailable: 'The Telegram bot cannot be reached',
  too_many_endpoints: 'The app has all the endpoints of this channel that it may have',
  dkim_key_not_found: 'No such DKIM key',
  too_many_dkim_keys: 'The app has ten DKIM keys already',
  webhook_not_found: 'No such webhook',
  too_many_webhooks: 'The app has ten webhooks already',
  message_not_found: 'No such message',
  template_not_found: 'No such template',
  too_many_templates: 'The app has templates in fifty languages already',
  secret_required: 'Changing where an endpoint leads needs its secret again',
  host_not_public: 'The mail server must have public addresses only',
  login_refused: 'The mail server refused the login',
  channel_not_configured: 'This app has no such channel',
  verification_not_found: 'No such verification',
  verification_expired: 'The verification has expired',
  verification_exhausted: 'No attempts are left',
  verification_used: 'The code was used already',
  verification_canceled: 'The verification was canceled',
  rate_limited: 'Too many requests',
  budget_exhausted: 'Too many wrong codes for this recipient',
  delivery_backlog: 'Messages cannot be sent in time now',
  check_too_early: 'It is too early to check again',
  resend_too_early: 'It is too early to send again',
  sends_exhausted: 'No further message can be sent for this verification',
  page_unavailable: 'This server has no address for hosted pages',
  proof_off: 'This app has no proofs',
  result_not_found: 'No such result',
  idempotency_key_reused: 'This Idempotency-Key was used with another request',
  backup_elsewhere: 'This database is backed up by its own tools',
  backup_running: 'A backup is being made',
  backup_failed: 'The backup could not be written',
  too_many_streams: 'As many follow the server live as may',
  store_unavailable: 'The database cannot take writes now',
  shutting_down: 'The server is stopping',
  internal_error: 'Something went wrong here',
} as const

export type ProblemCode = keyof typeof problemTitles

export type FieldError = {
  /** JSON path of the field as the caller knows it: `to`, `email.host`. */
  field: string
  /** What is wrong and what would be right; never what was submitted. */
  reason: string
}

export type ProblemExtra = {
  detail?: string
  errors?: FieldError[]
  /** Seconds after which a repeat may succeed, rounded up. */
  retryAfterSeconds?: number
  /** Name of the limit that was hit, as in docs/api.md. Never a per-recipient counter. */
  limit?: string
}

/** A refusal. Whatever else is thrown is a bug and answers 500 with a request id. */
export class Problem extends Error {
  readonly code: ProblemCode
  readonly extra: ProblemExtra

  constructor(code: ProblemCode, extra: ProblemExtra = {}) {
    super(extra.detail ?? problemTitles[code])
    this.name = 'Problem'
    this.code = code
    this.extra = extra
  }
}

/** The refusal of one field, by name and without its value. */
export function invalidField(field: string, reason: string): Problem {
  return new Problem('invalid_request', { errors: [{ field, reason }] })
}

/** Throws `invalid_request` with every mistake, if there is any. */
export function refuseIfAny(mistakes: FieldError[]): void {
  if (mistakes.length > 0) throw new Problem('invalid_request', { errors: mistakes })
}

/** Runs a reader that throws `invalid_request`, and adds its errors to `mistakes`. */
export function collected<Value>(mistakes: FieldError[], read: () => Value): Value | null {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof Problem) || !error.extra.errors) throw error
    mistakes.push(...error.extra.errors)
    return null
  }
}

/** The class of an error, for the log: its message may quote a secret. */
export function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'unknown'
}

/** Whole seconds from `now` until `at`, at least 1, for `retryAfterSeconds`. */
export function secondsUntil(at: number, now: number): number {
  return Math.max(1, Math.ceil((at - now) / 1000))
}
