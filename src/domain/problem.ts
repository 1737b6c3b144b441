/**
 * The closed catalogue of refusals. A code is public API and never changes its meaning; titles and
 * details are for people and may. Each has an HTTP status in http/problems.ts and a section in
 * docs/api.md, both checked (by the compiler and by test/docs.test.ts).
 */
export const problemTitles = {
  invalid_request: 'A field is missing or wrong',
  malformed_json: 'The body is not valid JSON',
  body_too_large: 'The body is larger than 16 KiB',
  unsupported_media_type: 'The body must be application/json',
  method_not_allowed: 'This path does not answer that method',
  not_found: 'There is nothing here',
  unauthorized: 'A valid key is needed',
  registration_closed: 'Registration is closed',
  secret_key_taken: 'This secretKey is taken',
  app_not_found: 'No such app',
  key_not_found: 'No such key',
  too_many_keys: 'Two keys of this mode are active already',
  password_required: 'Changing the mail server needs its password again',
  host_not_public: 'The mail server must have public addresses only',
  channel_not_configured: 'This app has no such channel',
  verification_not_found: 'No such verification',
  verification_expired: 'The verification has expired',
  verification_exhausted: 'No attempts are left',
  verification_used: 'The code was used already',
  verification_canceled: 'The verification was canceled',
  rate_limited: 'Too many requests',
  budget_exhausted: 'Too many wrong codes for this recipient',
  resend_too_early: 'It is too early to send again',
  sends_exhausted: 'No further message can be sent for this verification',
  idempotency_key_reused: 'This Idempotency-Key was used with another body',
  idempotency_in_flight: 'A request with this Idempotency-Key is being answered',
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
